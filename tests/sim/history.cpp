#include "tests/sim/history.hpp"

#include <algorithm>

#include "core/base/hash.hpp"
#include "storage/tables.hpp"

namespace syncline::sim {
namespace {

/// State checks between two clean-ups of the oracle.
constexpr std::size_t settle_interval = 16;

std::string to_text(const Cell& cell) {
    std::string text = std::to_string(cell.dots.size()) + " values {";
    for (const DotMap::Entry& entry : cell.dots.entries()) {
        text += entry.payload.negative ? " -" : " ";
        text += to_string(entry.dot) + "=" + printable(entry.payload.value);
    }
    text += " }";
    if (cell.counter.exists()) text += ", sum " + to_string(cell.counter.total());
    return text;
}

}  // namespace

std::string to_text(const Expected& expected) {
    std::string text = std::to_string(expected.values.size()) + " values {";
    for (const Expected::Value& value : expected.values) {
        text += value.negative ? " -" : " ";
        text += to_string(value.dot) + "=" + printable(value.bytes);
    }
    text += " }";
    if (expected.counted) {
        text += ", sum " + std::to_string(expected.sum);
        if (expected.halves != 0) text += " and " + std::to_string(expected.halves) + " halves";
    }
    return text;
}

std::string to_text(const Oracle::Name& name) {
    std::string text(cell_type_name(name.type));
    text += " " + printable(name.key);
    if (name.type != CellType::string) text += " [" + printable(name.field) + "]";
    return text;
}

History::History(Timeline& timeline, std::size_t replicas)
    : timeline_(timeline), views_(replicas), conflicts_(oracle_, replicas) {}

void History::fail(std::size_t replica, const std::string& sentence) {
    timeline_.fail("replica " + std::to_string(replica) + ": " + sentence);
}

const History::Known* History::find(const Dot& dot) const {
    const auto actor = events_.find(dot.actor);
    if (actor == events_.end() || dot.counter == 0 || dot.counter > actor->second.size()) {
        return nullptr;
    }
    return &actor->second[dot.counter - 1];
}

void History::issued(std::size_t replica, const Event& event, BytesView bytes,
                     const std::vector<Intent>& intents) {
    name_again(replica, event.dot);
    std::vector<Known>& known = events_[event.dot.actor];
    if (known.size() != event.dot.counter - 1) {
        return fail(replica, "issued event " + to_string(event.dot) +
                                 ", but its actor's last was " + std::to_string(known.size()));
    }
    if (event.past != views_[replica].vv) {
        return fail(replica, "event " + to_string(event.dot) + " names as its past " +
                                 to_string(event.past) + ", but was made on " +
                                 to_string(views_[replica].vv));
    }
    for (const auto& [actor, counter] : event.past.entries()) {
        const Known* const seen = find(Dot{actor, counter});
        if (seen != nullptr && seen->hlc >= event.hlc) {
            return fail(replica, "event " + to_string(event.dot) +
                                     " has a timestamp that is not above that of " +
                                     to_string(Dot{actor, counter}) + ", which it has seen");
        }
    }
    known.push_back(Known{hash64(bytes), event.hlc});
    oracle_.record(event.dot, event.past, event.hlc, intents);
    take(replica, event);
}

void History::applied(std::size_t replica, const Event& event, BytesView bytes) {
    const Known* const known = find(event.dot);
    if (known == nullptr) {
        return fail(replica, "applied event " + to_string(event.dot) +
                                 ", which was never issued or was lost in a crash");
    }
    if (known->bytes_hash != hash64(bytes)) {
        return fail(replica,
                    "applied event " + to_string(event.dot) + " with other bytes than its origin");
    }
    check_durable_at_origin(replica, event.dot);
    conflicts_.applied(replica, views_[replica].vv, event);
    take(replica, event);
}

void History::take(std::size_t replica, const Event& event) {
    VersionVector& vv = views_[replica].vv;
    if (!vv.covers(event.past)) {
        return fail(replica, "applied event " + to_string(event.dot) + " made on " +
                                 to_string(event.past) + " having only " + to_string(vv));
    }
    if (vv.counter(event.dot.actor) + 1 != event.dot.counter) {
        return fail(replica, "applied event " + to_string(event.dot) + " after counter " +
                                 std::to_string(vv.counter(event.dot.actor)) + " of that actor");
    }
    vv.add(event.dot);
}

void History::check_durable_at_origin(std::size_t replica, const Dot& dot) {
    const auto origin = nodes_.find(dot.actor.node);
    if (origin == nodes_.end()) {
        return fail(replica, "has event " + to_string(dot) + " of a replica that does not exist");
    }
    if (views_[origin->second].durable.covers(dot)) return;
    const auto before = before_.find(dot.actor);
    if (before != before_.end() && dot.counter <= before->second.durable) return;
    fail(replica, "has event " + to_string(dot) + ", which is not durable at its origin");
}

void History::adopted(std::size_t replica, const VersionVector& vv) {
    for (const auto& [actor, counter] : vv.entries()) {
        if (!views_[replica].vv.covers(Dot{actor, counter})) {
            check_durable_at_origin(replica, Dot{actor, counter});
        }
    }
    conflicts_.adopted(replica, views_[replica].vv, vv);
    views_[replica].vv.join(vv);
}

void History::durable(std::size_t replica, const VersionVector& vv) {
    View& view = views_[replica];
    if (view.called_durable == vv) return;
    if (!view.vv.covers(vv)) {
        return fail(replica,
                    "calls " + to_string(vv) + " durable, but has only " + to_string(view.vv));
    }
    if (!vv.covers(view.called_durable)) {
        return fail(replica, "called " + to_string(view.called_durable) +
                                 " durable before, and only " + to_string(vv) + " now");
    }
    view.called_durable = vv;
    view.durable.join(vv);
}

void History::proved_durable(std::size_t replica, const VersionVector& vv) {
    View& view = views_[replica];
    if (!vv.covers(view.durable)) {
        return fail(replica, "a copy cut off now has only " + to_string(vv) + " of " +
                                 to_string(view.durable) + ", which is durable");
    }
    view.durable.join(vv);
}

void History::acknowledged(std::size_t replica, const Dot& dot) {
    if (!views_[replica].durable.covers(dot)) {
        fail(replica, "a reply that rests on event " + to_string(dot) +
                          " left before that event was durable");
    }
}

void History::acknowledged_early(std::size_t replica, const Dot& dot) {
    views_[replica].written.add(dot);
}

void History::recovered(std::size_t replica, const VersionVector& vv) {
    View& view = views_[replica];
    if (!vv.covers(view.written)) {
        return fail(replica, "came back from the end of its process with " + to_string(vv) +
                                 " after replies that rested on " + to_string(view.written));
    }
    if (!vv.covers(view.durable)) {
        return fail(replica, "came back with " + to_string(vv) + " after " +
                                 to_string(view.durable) + " had been durable");
    }
    if (!view.vv.covers(vv)) {
        return fail(replica,
                    "came back with " + to_string(vv) + " having had only " + to_string(view.vv));
    }
    view.vv = vv;
    conflicts_.recovered(replica, vv);
    forget_lost(replica);
}

void History::forget_lost(std::size_t replica) {
    for (auto& [actor, known] : events_) {
        const auto node = nodes_.find(actor.node);
        std::uint64_t kept = views_[replica].vv.counter(actor);
        const auto before = before_.find(actor);
        if (before != before_.end()) kept = std::max(kept, before->second.issued);
        if (node == nodes_.end() || node->second != replica || kept >= known.size()) continue;
        for (std::size_t other = 0; other < views_.size(); ++other) {
            if (views_[other].vv.counter(actor) > kept) {
                return fail(other, "has event " + to_string(Dot{actor, kept + 1}) +
                                       ", which its origin has lost in a crash");
            }
        }
        known.resize(kept, Known{});
        oracle_.forget(actor, kept);
    }
}

// --- Copies

History::Copy History::copied(std::size_t replica, const VersionVector& vv) {
    proved_durable(replica, vv);
    kept_.push_back(vv);
    return Copy{vv, conflicts_.copy(replica, vv)};
}

void History::let_go(const Copy& copy) {
    const auto found = std::find(kept_.begin(), kept_.end(), copy.vv);
    if (found != kept_.end()) kept_.erase(found);
}

bool History::is_undone(const Copy& copy) const {
    return std::any_of(copy.vv.entries().begin(), copy.vv.entries().end(), [&](const auto& entry) {
        return !held_by_any(Dot{entry.first, entry.second});
    });
}

bool History::held_by_any(const Dot& dot) const {
    return std::any_of(views_.begin(), views_.end(),
                       [&](const View& view) { return view.vv.covers(dot); });
}

std::size_t History::put_back(std::size_t replica, const Copy& copy) {
    const VersionVector durable = views_[replica].durable;
    views_[replica] = View{copy.vv, {}, copy.vv, {}};
    conflicts_.put_back(replica, copy.conflicts);
    std::size_t undone = 0;
    for (const auto& [actor, known] : events_) {
        const auto node = nodes_.find(actor.node);
        if (node == nodes_.end() || node->second != replica) continue;
        Before& before = before_[actor];
        const std::uint64_t counted = std::exchange(before.issued, known.size());
        before.durable = std::max(before.durable, durable.counter(actor));
        for (std::uint64_t counter = known.size(); counter > counted; --counter, ++undone) {
            if (held_by_any(Dot{actor, counter})) break;
        }
    }
    return undone;
}

/// An event that went with its replica when that was put back: the replica does not know of it.
void History::name_again(std::size_t replica, const Dot& dot) {
    const auto before = before_.find(dot.actor);
    if (before == before_.end() || dot.counter > before->second.issued) return;
    if (held_by_any(dot)) {
        return fail(replica, "made an event of the name " + to_string(dot) +
                                 ", which another one has had since before it was put back");
    }
    before->second.issued = dot.counter - 1;
    before->second.durable = std::min(before->second.durable, before->second.issued);
    events_[dot.actor].resize(before->second.issued, Known{});
    oracle_.forget(dot.actor, before->second.issued);
}

void History::settle() {
    VersionVector everywhere;
    for (const auto& [actor, counter] : views_[0].durable.entries()) {
        std::uint64_t least = counter;
        for (const View& view : views_) least = std::min(least, view.durable.counter(actor));
        for (const VersionVector& copy : kept_) least = std::min(least, copy.counter(actor));
        if (least > 0) everywhere.add(Dot{actor, least});
    }
    oracle_.settle(everywhere);
}

std::string History::compare(const Oracle::Name& name, const Cell& cell, const Expected& expected,
                             const VersionVector& vv) const {
    bool equal =
        cell.dots.size() == expected.values.size() && cell.counter.exists() == expected.counted &&
        (!expected.counted ||
         (cell.counter.value() == expected.sum &&
          cell.counter.total().decimal + cell.counter.total().decimal == Decimal(expected.halves)));
    for (std::size_t i = 0; equal && i < expected.values.size(); ++i) {
        const DotMap::Entry& entry = cell.dots.entries()[i];
        const Expected::Value& value = expected.values[i];
        equal = entry.dot == value.dot && entry.payload.negative == value.negative &&
                (!traits_of(name.type).has_values ||
                 (entry.payload.hlc == value.hlc &&
                  value_text(entry.payload.value, name.type) == value.bytes));
    }
    if (equal) return {};
    std::string text =
        to_text(name) + " holds " + to_text(cell) + ", but history says " + to_text(expected);
    for (const DotMap::Entry& entry : cell.dots.entries()) {
        const auto same = [&](const Expected::Value& value) { return value.dot == entry.dot; };
        if (std::any_of(expected.values.begin(), expected.values.end(), same)) continue;
        text += "; " + oracle_.why_gone(vv, name, entry.dot);
    }
    return text;
}

namespace {

/// What a cell may lack: values that every replica has, beside a later one that every replica has.
void drop_collected(Expected& expected, const Cell& cell, CellType type, const VersionVector& cut) {
    if (!is_last_writer_wins(type)) return;
    const auto order = [](const Expected::Value& value) {
        return std::pair(value.hlc, value.dot.actor);
    };
    const std::vector<Expected::Value> all = expected.values;
    std::erase_if(expected.values, [&](const Expected::Value& value) {
        const bool beaten = std::any_of(all.begin(), all.end(), [&](const auto& other) {
            return cut.covers(other.dot) && order(value) < order(other);
        });
        return beaten && cut.covers(value.dot) && cell.dots.find(value.dot) == nullptr;
    });
}

/// A cell that is missing: somebody removed it, and every replica has all that is in it.
bool is_collected(const Expected& expected, const VersionVector& cut) {
    return !expected.live() &&
           std::all_of(expected.values.begin(), expected.values.end(),
                       [&](const Expected::Value& value) { return cut.covers(value.dot); });
}

/// The rows of all live texts, by key and field.
using TextRows = std::map<std::pair<Bytes, Bytes>, Bytes>;

TextRows text_rows_of(const Oracle& oracle, const VersionVector& vv,
                      const std::map<Oracle::Name, Expected>& live) {
    TextRows rows;
    for (const auto& [name, cell] : live) {
        if (name.type != CellType::text) continue;
        const Text text = oracle.text(vv, name.key, name.field);
        const Dot generation = generation_from(name.field).value();
        for (const TextRowName& row : text.rows()) {
            rows.emplace(std::pair(name.key, text_row_field(TextRowPlace{generation, row})),
                         text.row(row));
        }
    }
    return rows;
}

}  // namespace

std::size_t History::check_state(std::size_t replica, Replica& production, bool conflicts) {
    const VersionVector& vv = views_[replica].vv;
    if (production.group().vv() != vv) {
        fail(replica, "has the vector " + to_string(production.group().vv()) + ", but took in " +
                          to_string(vv));
        return 0;
    }
    if (const Result<void> checked = production.group().check(); !checked) {
        fail(replica, "its own check fails: " + checked.error().message);
        return 0;
    }
    if (++checks_ % settle_interval == 0) settle();
    const std::string wrong =
        conflicts ? conflicts_.compare(replica, production.group().conflicts()) : std::string();
    if (!wrong.empty()) {
        fail(replica, wrong);
        return 0;
    }
    std::map<Oracle::Name, Expected> expected = oracle_.rows(vv);
    const std::size_t cells = expected.size();
    std::string difference;
    const VersionVector& cut = production.stable_cut().cut();
    TextRows text_rows = text_rows_of(oracle_, vv, expected);
    const auto visit = [&](BytesView row_key, BytesView value) {
        const Result<Row> row = decode_row(row_key, value);
        if (row && row->name.type == text_row_type) {
            const auto found = text_rows.find({row->name.key, *row->name.field});
            if (found == text_rows.end() || found->second != row->payload) {
                difference = "a row of text " + printable(row->name.key) + " is wrong";
                return false;
            }
            text_rows.erase(found);
            return true;
        }
        const std::optional<CellType> type = row ? cell_type_from(row->name.type) : std::nullopt;
        if (!type) {
            difference = "a row cannot be decoded";
            return false;
        }
        const Result<Cell> cell = read_cell(row->payload, *type);
        if (!cell) {
            difference = "a cell cannot be decoded: " + cell.error().message;
            return false;
        }
        const Oracle::Name name{row->name.key, *type, row->name.field.value_or(Bytes())};
        const auto found = expected.find(name);
        if (found != expected.end()) drop_collected(found->second, *cell, name.type, cut);
        difference = compare(name, *cell, found == expected.end() ? Expected{} : found->second, vv);
        if (found != expected.end()) expected.erase(found);
        return difference.empty();
    };
    const Result<void> scanned = production.group().store().scan(Table::cells, {}, {}, visit);
    if (difference.empty() && !scanned) difference = scanned.error().message;
    std::erase_if(expected, [&](const auto& cell) { return is_collected(cell.second, cut); });
    if (difference.empty() && !expected.empty()) {
        const auto& [name, value] = *expected.begin();
        difference = to_text(name) + " is missing, but history says " + to_text(value);
    }
    if (difference.empty() && !text_rows.empty()) {
        difference = "rows of text " + printable(text_rows.begin()->first.first) + " are missing";
    }
    if (!difference.empty()) fail(replica, difference + " at " + to_string(vv));
    return cells;
}

}  // namespace syncline::sim
