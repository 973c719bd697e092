#include "tests/sim/oracle.hpp"

#include <algorithm>
#include <charconv>

#include "core/base/hash.hpp"

namespace syncline::sim {
namespace {

/// Redis's strict decimal notation, by way of writing the number back.
std::optional<std::int64_t> number_in(const Bytes& text) {
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stop != end || std::to_string(number) != text) return std::nullopt;
    return number;
}

/// Integers add up mod 2^64, unless decimals take part; those are so few here that nothing wraps.
Bytes sum_text(std::int64_t value, const Expected& cell) {
    if (cell.halves == 0) {
        const std::uint64_t sum =
            static_cast<std::uint64_t>(value) + static_cast<std::uint64_t>(cell.sum);
        return std::to_string(static_cast<std::int64_t>(sum));
    }
    __extension__ using Wide = __int128;
    const Wide halves = 2 * (Wide{value} + cell.sum) + cell.halves;
    Wide whole = (halves < 0 ? -halves : halves) / 2;
    Bytes text = halves % 2 == 0 ? "" : ".5";
    do {
        text.insert(text.begin(), static_cast<char>('0' + static_cast<int>(whole % 10)));
        whole /= 10;
    } while (whole > 0);
    return (halves < 0 ? "-" : "") + text;
}

}  // namespace

bool Expected::live() const {
    const bool removed = std::any_of(values.begin(), values.end(),
                                     [](const Value& value) { return value.negative; });
    return counted || (!values.empty() && !removed);
}

std::uint64_t deadline_number(const Bytes& text) {
    return text == "never" ? ~std::uint64_t{0} : std::stoull(text);
}

void Oracle::record(const Dot& dot, const VersionVector& past, Hlc hlc,
                    const std::vector<Intent>& intents) {
    const Event event{dot, past, hlc};
    for (const Intent& intent : intents) apply(event, intent);
}

/// Ends what the event sees. Something that another event in its past ended stays ended anyway.
void Oracle::end_seen(std::vector<Item>& items, const Event& event) {
    std::erase_if(items, [&](const Item& item) { return item.dot == event.dot; });
    for (Item& item : items) {
        if (!event.past.covers(item.dot)) continue;
        const bool known = std::any_of(item.ended_by.begin(), item.ended_by.end(), [&](auto& by) {
            return by == event.dot || event.past.covers(by);
        });
        if (!known) item.ended_by.push_back(event.dot);
    }
}

void Oracle::end_all(Cells& cells, const Event& event) {
    for (auto& [name, history] : cells) {
        if (is_permanent(name.first)) continue;
        end_seen(history.writes, event);
        end_seen(history.increments, event);
    }
}

void Oracle::apply(const Event& event, const Intent& intent) {
    if (intent.kind == Intent::Kind::clear_buckets) {
        for (auto& [key, cells] : keys_) {
            const std::uint64_t bucket = hash64(key) >> 48;
            if (bucket >= intent.first && bucket <= intent.last) end_all(cells, event);
        }
        return;
    }
    Cells& cells = keys_[intent.key];
    if (intent.kind == Intent::Kind::clear_key) {
        for (auto& [name, edits] : edits_) {
            if (name.first != intent.key) continue;
            std::erase_if(edits, [&](const Edit& edit) { return edit.dot == event.dot; });
        }
        return end_all(cells, event);
    }
    if (intent.kind == Intent::Kind::edit) {
        edits_[{intent.key, intent.field}].push_back(Edit{event.dot, intent.edit.value()});
        return;
    }
    History& history = cells[{intent.type, intent.field}];
    if (intent.kind == Intent::Kind::increment) {
        const auto amount = static_cast<std::uint64_t>(intent.amount);
        if (history.increments.empty() || history.increments.back().dot != event.dot) {
            history.increments.push_back(
                Item{event.dot, event.hlc, {}, amount, intent.halves, {}, false});
        } else {
            history.increments.back().amount += amount;
            history.increments.back().halves += intent.halves;
        }
        return;
    }
    end_seen(history.writes, event);
    end_seen(history.increments, event);
    if (intent.kind != Intent::Kind::remove) {
        const bool negative = intent.kind == Intent::Kind::negate;
        history.writes.push_back(Item{event.dot, event.hlc, intent.value, 0, 0, {}, negative});
    }
}

void Oracle::forget(const Actor& actor, std::uint64_t above) {
    const auto lost = [&](const Dot& dot) { return dot.actor == actor && dot.counter > above; };
    for (auto& [name, edits] : edits_) {
        std::erase_if(edits, [&](const Edit& edit) { return lost(edit.dot); });
    }
    for (auto& [key, cells] : keys_) {
        for (auto& [name, history] : cells) {
            for (std::vector<Item>* items : {&history.writes, &history.increments}) {
                std::erase_if(*items, [&](const Item& item) { return lost(item.dot); });
                for (Item& item : *items) std::erase_if(item.ended_by, lost);
            }
        }
    }
}

void Oracle::settle(const VersionVector& everywhere) {
    for (auto& [key, cells] : keys_) {
        for (auto cell = cells.begin(); cell != cells.end();) {
            History& history = cell->second;
            for (std::vector<Item>* items : {&history.writes, &history.increments}) {
                std::erase_if(*items, [&](const Item& item) { return !alive(item, everywhere); });
            }
            const bool empty = history.writes.empty() && history.increments.empty();
            if (empty && cell->first.first == CellType::text) {
                edits_.erase({key, cell->first.second});
            }
            cell = empty ? cells.erase(cell) : std::next(cell);
        }
    }
}

std::optional<Bytes> Oracle::text_generation(const VersionVector& vv, BytesView key) const {
    std::optional<std::pair<Bytes, Expected::Value>> latest;
    for (const auto& [name, cell] : live_cells(vv, key)) {
        if (name.type != CellType::text) continue;
        const Expected::Value& made = cell.values.front();
        const auto order = [](const Expected::Value& value) {
            return std::pair(value.hlc, value.dot.actor);
        };
        if (!latest || order(latest->second) < order(made)) latest.emplace(name.field, made);
    }
    return latest ? std::optional(latest->first) : std::nullopt;
}

std::vector<Dot> Oracle::latest_insertions(const VersionVector& vv, BytesView key,
                                           BytesView generation) const {
    std::map<Actor, std::uint64_t> latest;
    const auto edits = edits_.find({Bytes(key), Bytes(generation)});
    if (edits == edits_.end()) return {};
    for (const Edit& edit : edits->second) {
        if (!vv.covers(edit.dot) || !std::holds_alternative<TextInsertion>(edit.op)) continue;
        std::uint64_t& counter = latest[edit.dot.actor];
        counter = std::max(counter, edit.dot.counter);
    }
    std::vector<Dot> dots;
    for (const auto& [actor, counter] : latest) dots.push_back(Dot{actor, counter});
    return dots;
}

Text Oracle::text(const VersionVector& vv, BytesView key, BytesView generation) const {
    Text text;
    const auto edits = edits_.find({Bytes(key), Bytes(generation)});
    if (edits == edits_.end()) return text;
    for (const Edit& edit : edits->second) {  // in the order of their making, which is causal
        if (!vv.covers(edit.dot)) continue;
        const Result<void> done = text.apply(edit.op, edit.dot);
        SYNCLINE_ASSERT(done.has_value());
    }
    return text;
}

bool Oracle::alive(const Item& item, const VersionVector& vv) {
    return std::none_of(item.ended_by.begin(), item.ended_by.end(),
                        [&](const Dot& by) { return vv.covers(by); });
}

Expected Oracle::evaluate(const VersionVector& vv, const History& history) {
    Expected expected;
    for (const Item& write : history.writes) {
        if (!vv.covers(write.dot) || !alive(write, vv)) continue;
        expected.values.push_back(
            Expected::Value{write.dot, write.hlc, write.value, write.negative});
    }
    std::sort(expected.values.begin(), expected.values.end(),
              [](const auto& a, const auto& b) { return a.dot < b.dot; });
    std::uint64_t sum = 0;
    std::map<Actor, std::uint64_t> latest;
    for (const Item& increment : history.increments) {
        if (!vv.covers(increment.dot) || !alive(increment, vv)) continue;
        expected.counted = true;
        sum += increment.amount;
        expected.halves += increment.halves;
        std::uint64_t& counter = latest[increment.dot.actor];
        counter = std::max(counter, increment.dot.counter);
    }
    for (const auto& [actor, counter] : latest) expected.latest.push_back(Dot{actor, counter});
    expected.sum = static_cast<std::int64_t>(sum);
    return expected;
}

void Oracle::add_grounds(const VersionVector& vv, const History& history, Grounds& grounds) {
    std::vector<Dot> removals;  // that hide what is beside them, and are no ground of their own
    for (const Item& item : history.writes) {
        if (item.negative && vv.covers(item.dot) && alive(item, vv)) removals.push_back(item.dot);
    }
    for (const std::vector<Item>* items : {&history.writes, &history.increments}) {
        for (const Item& item : *items) {
            if (!vv.covers(item.dot) || item.negative) continue;
            std::vector<Dot> any = removals;
            for (const Dot& by : item.ended_by) {
                if (vv.covers(by)) any.push_back(by);
            }
            grounds.push_back(Ground{item.dot, std::move(any)});
        }
    }
}

Oracle::Grounds Oracle::grounds(const VersionVector& vv, const Name& name) const {
    Grounds grounds;
    const auto cells = keys_.find(name.key);
    if (cells == keys_.end()) return grounds;
    const auto history = cells->second.find({name.type, name.field});
    if (history != cells->second.end()) add_grounds(vv, history->second, grounds);
    return grounds;
}

Oracle::Grounds Oracle::grounds(const VersionVector& vv, BytesView key, CellType type) const {
    Grounds grounds;
    const auto cells = keys_.find(key);
    if (cells == keys_.end()) return grounds;
    for (const auto& [name, history] : cells->second) {
        if (name.first != type) continue;
        add_grounds(vv, history, grounds);
        const auto edits = edits_.find({Bytes(key), name.second});
        if (edits == edits_.end() || !evaluate(vv, history).live()) continue;
        for (const Edit& edit : edits->second) {
            if (vv.covers(edit.dot)) grounds.push_back(Ground{edit.dot, {}});
        }
    }
    return grounds;
}

Expected Oracle::cell(const VersionVector& vv, const Name& name) const {
    const auto cells = keys_.find(name.key);
    if (cells == keys_.end()) return {};
    const auto history = cells->second.find({name.type, name.field});
    return history == cells->second.end() ? Expected{} : evaluate(vv, history->second);
}

std::map<Oracle::Name, Expected> Oracle::rows(const VersionVector& vv, BytesView key) const {
    std::map<Name, Expected> rows;
    const auto cells = keys_.find(key);
    if (cells == keys_.end()) return rows;
    for (const auto& [name, history] : cells->second) {
        Expected expected = evaluate(vv, history);
        if (expected.empty()) continue;
        rows.emplace(Name{Bytes(key), name.first, name.second}, std::move(expected));
    }
    return rows;
}

std::map<Oracle::Name, Expected> Oracle::rows(const VersionVector& vv) const {
    std::map<Name, Expected> all;
    for (const auto& [key, cells] : keys_) all.merge(rows(vv, key));
    return all;
}

std::map<Oracle::Name, Expected> Oracle::live_cells(const VersionVector& vv, BytesView key) const {
    std::map<Name, Expected> live = rows(vv, key);
    std::erase_if(live, [](const auto& cell) { return !cell.second.live(); });
    return live;
}

std::map<Oracle::Name, Expected> Oracle::live_cells(const VersionVector& vv) const {
    std::map<Name, Expected> live = rows(vv);
    std::erase_if(live, [](const auto& cell) { return !cell.second.live(); });
    return live;
}

std::optional<CellType> Oracle::visible_type(const VersionVector& vv, BytesView key) const {
    std::optional<CellType> visible;
    const auto cells = keys_.find(key);
    if (cells == keys_.end()) return visible;
    for (const auto& [name, history] : cells->second) {  // ascending by type, hence by precedence
        if (!makes_key(name.first)) continue;
        if (visible != name.first && evaluate(vv, history).live()) visible = name.first;
    }
    return visible;
}

std::optional<std::uint64_t> Oracle::deadline(const VersionVector& vv, BytesView key) const {
    std::optional<std::uint64_t> latest;
    for (const Expected::Value& value : cell(vv, Name{Bytes(key), CellType::expiry, {}}).values) {
        const std::uint64_t deadline = deadline_number(value.bytes);
        latest = std::max(latest.value_or(deadline), deadline);
    }
    return latest;
}

std::map<Bytes, Bytes> Oracle::fields(const VersionVector& vv, BytesView key, CellType type) const {
    std::map<Bytes, Bytes> fields;
    const auto cells = keys_.find(key);
    if (cells == keys_.end()) return fields;
    for (const auto& [name, history] : cells->second) {
        if (name.first != type) continue;
        if (auto value = visible_value(evaluate(vv, history))) fields[name.second] = *value;
    }
    return fields;
}

std::optional<Bytes> Oracle::visible_value(const Expected& cell) {
    if (!cell.live()) return std::nullopt;
    if (cell.values.empty()) return sum_text(0, cell);
    const auto winner =
        std::max_element(cell.values.begin(), cell.values.end(), [](const auto& a, const auto& b) {
            return std::pair(a.hlc, a.dot.actor) < std::pair(b.hlc, b.dot.actor);
        });
    const std::optional<std::int64_t> number = number_in(winner->bytes);
    if (!cell.counted || !number) return winner->bytes;
    return sum_text(*number, cell);
}

std::string Oracle::why_gone(const VersionVector& vv, const Name& name, const Dot& dot) const {
    if (!vv.covers(dot)) return to_string(dot) + " is not covered";
    const auto cells = keys_.find(name.key);
    if (cells == keys_.end()) return "the key was never written";
    const auto history = cells->second.find({name.type, name.field});
    if (history == cells->second.end()) return "all replicas have it behind them";
    for (const auto* items : {&history->second.writes, &history->second.increments}) {
        for (const Item& item : *items) {
            for (const Dot& by : item.ended_by) {
                if (item.dot != dot || !vv.covers(by)) continue;
                return to_string(dot) + " was ended by " + to_string(by);
            }
        }
    }
    return to_string(dot) + " is live, or long gone";
}

}  // namespace syncline::sim
