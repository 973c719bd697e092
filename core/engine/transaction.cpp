#include "core/engine/transaction.hpp"

#include <algorithm>
#include <iterator>

#include "core/engine/group_rows.hpp"
#include "crdt/score.hpp"
#include "crdt/text_utf8.hpp"

namespace syncline {
namespace {

std::optional<Bytes> own(std::optional<BytesView> view) {
    return view ? std::optional<Bytes>(Bytes(*view)) : std::nullopt;
}

}  // namespace

Transaction::Transaction(Group& group, Actor actor, std::uint64_t wall_ms)
    : group_(group),
      dot_{actor, group.vv().counter(actor) + 1},
      now_ms_(std::max(wall_ms, group.clock().last().ms())) {}

Transaction::Transaction(Group& group, Actor actor, Clock& clock)
    : group_(group), dot_{actor, group.vv().counter(actor) + 1}, clock_(&clock) {}

std::uint64_t Transaction::now_ms() const {
    if (!now_ms_) now_ms_ = std::max(clock_->wall_ms(), group_.clock().last().ms());
    return *now_ms_;
}

Transaction::~Transaction() {
    if (!text_edits_.empty()) group_.discard_text_edits();
}

Result<bool> Transaction::is_gone(BytesView key, CellType type) {
    return is_permanent(type) ? Result<bool>(false) : is_gone(key);
}

Result<bool> Transaction::is_gone(BytesView key) {
    if (is_cleared(key)) return true;
    if (!group_.may_expire()) return false;
    const auto known = expired_.find(key);
    if (known != expired_.end()) return known->second;
    SYNCLINE_TRY(const std::optional<std::uint64_t> deadline, group_.deadline(key));
    return expired_.emplace(Bytes(key), deadline && *deadline <= now_ms()).first->second;
}

/// Before something of a key is changed: what has expired goes, and so does a deadline that was
/// left behind by a key that is no more. What else such a key left speaks against concurrent adds
/// and stays.
Result<void> Transaction::clear_remains(BytesView key) {
    if (!group_.may_expire() || is_cleared(key) || !prepared_.insert(Bytes(key)).second) return {};
    SYNCLINE_TRY(const bool expired, is_gone(key));
    if (expired) {
        clear(key);
        return {};
    }
    SYNCLINE_TRY(const Cell expiry, group_.cell(key, CellType::expiry, std::nullopt));
    if (!expiry.live()) return {};
    SYNCLINE_TRY(const std::optional<CellType> type, group_.visible_type(key));
    return type ? Result<void>() : remove(key, CellType::expiry, std::nullopt);
}

/// Before something is added: a key that this transaction has emptied is another one from here on,
/// and does not end when the former one would have.
Result<void> Transaction::begin_anew(BytesView key, CellType type) {
    if (!makes_key(type) || live_changes_.empty()) return {};
    bool takes_away = false;
    auto change = live_changes_.lower_bound({Bytes(key), CellType{}});
    for (; change != live_changes_.end() && change->first.first == key; ++change) {
        takes_away = takes_away || (change->second < 0 && makes_key(change->first.second));
    }
    if (!takes_away) return {};
    SYNCLINE_TRY(const std::optional<CellType> seen, visible_type(key));
    if (seen) return {};
    SYNCLINE_TRY(const Cell expiry, cell(key, CellType::expiry, std::nullopt));
    return expiry.live() ? remove(key, CellType::expiry, std::nullopt) : Result<void>();
}

Result<Transaction::Staged*> Transaction::stage(BytesView key, CellType type,
                                                std::optional<BytesView> field) {
    CellName name{Bytes(key), type, own(field)};
    const auto found = staged_.find(name);
    if (found != staged_.end()) return &found->second;
    SYNCLINE_CHECK(clear_remains(key));
    Staged staged;
    SYNCLINE_TRY(staged.before, group_.cell(key, type, field));
    staged.cleared = is_cleared(key) && !is_permanent(type);
    staged.resets = staged.cleared;
    return &staged_.emplace(std::move(name), std::move(staged)).first->second;
}

/// What the cell will be. The event's own dot is the only one that survives a register write, so
/// its timestamp does not matter yet.
Cell Transaction::after(const Staged& staged) const {
    Cell cell = staged.before;
    if (staged.cleared) cell.dots = DotMap();
    if (staged.writes_dots) {
        cell.dots = DotMap();
        if (staged.value) cell.dots.put(dot_, DotValue{Hlc{}, *staged.value});
        if (staged.negates) cell.dots.put(dot_, DotValue{Hlc{}, {}, true});
    }
    for (const Counter::Entry& entry : delta(staged).counter) {
        cell.counter.merge(entry.first, entry.second);
    }
    return cell;
}

CellDelta Transaction::delta(const Staged& staged) const {
    CellDelta delta;
    delta.writes_dots = staged.writes_dots;
    delta.value = staged.value;
    delta.negates = staged.negates;
    if (staged.resets) delta.counter = staged.before.counter.reset(dot_);
    if (staged.increments) {
        const Counter::Entry own_entry =
            staged.before.counter.increment(dot_, staged.amount, staged.resets);
        std::erase_if(delta.counter,
                      [&](const Counter::Entry& entry) { return entry.first == own_entry.first; });
        delta.counter.push_back(own_entry);
    }
    std::sort(delta.counter.begin(), delta.counter.end(),
              [](const Counter::Entry& a, const Counter::Entry& b) { return a.first < b.first; });
    return delta;
}

Result<Cell> Transaction::cell(BytesView key, CellType type, std::optional<BytesView> field) {
    if (!staged_.empty()) {
        const auto found = staged_.find(CellName{Bytes(key), type, own(field)});
        if (found != staged_.end()) return after(found->second);
    }
    SYNCLINE_TRY(const bool gone, is_gone(key, type));
    if (gone || (type == CellType::expiry && !group_.may_expire())) return Cell{};
    return group_.cell(key, type, field);
}

Result<Group::PlainString> Transaction::plain_string(BytesView key) {
    if (!empty() || group_.may_expire()) return Group::PlainString{true, std::nullopt};
    return group_.plain_string(key);
}

/// As after() would say, without making the cell.
bool Transaction::lives(const Staged& staged) {
    if (staged.increments || (staged.writes_dots && staged.value)) return true;
    return !staged.writes_dots && !staged.cleared && staged.before.live();
}

template <typename F>
void Transaction::change(const Bytes& key, CellType type, Staged& staged, const F& change) {
    const int before = lives(staged) ? 1 : 0;
    change();
    const int now = lives(staged) ? 1 : 0;
    if (before != now) live_changes_[{key, type}] += now - before;
}

std::int64_t Transaction::live_change(BytesView key, CellType type) const {
    if (live_changes_.empty()) return 0;
    const auto found = live_changes_.find({Bytes(key), type});
    return found == live_changes_.end() ? 0 : found->second;
}

Result<std::uint64_t> Transaction::count(BytesView key, CellType type) {
    std::uint64_t count = 0;
    SYNCLINE_TRY(const bool gone, is_gone(key, type));
    if (!gone) {
        SYNCLINE_TRY(count, group_.count(key, type));
    }
    return count + static_cast<std::uint64_t>(live_change(key, type));
}

Result<std::optional<CellType>> Transaction::visible_type(BytesView key) {
    SYNCLINE_TRY(const bool gone, is_gone(key));
    std::optional<CellType> highest;  // that the transaction adds to
    bool takes_away = false;
    auto change = live_changes_.lower_bound({Bytes(key), CellType{}});
    for (; change != live_changes_.end() && change->first.first == key; ++change) {
        // A deadline, whose number is the highest, is no reason for a key to exist.
        const CellType type = change->first.second;
        if (change->second > 0 && makes_key(type)) highest = type;
        takes_away = takes_away || change->second < 0;
    }
    if (!takes_away) {
        SYNCLINE_TRY(const std::optional<CellType> before, group_.visible_type(key));
        return gone && !(before && is_permanent(*before)) ? highest : std::max(before, highest);
    }
    for (std::size_t i = cell_types_count; i > 0; --i) {
        if (!makes_key(cell_types[i - 1])) continue;
        SYNCLINE_TRY(const std::uint64_t live, count(key, cell_types[i - 1]));
        if (live > 0) return std::optional(cell_types[i - 1]);
    }
    return std::optional<CellType>();
}

Result<void> Transaction::scan_cells(BytesView key, CellType type, const CellVisitor& visit) {
    const CellName first{Bytes(key), type, std::nullopt};
    bool go_on = true;
    for (auto it = staged_.lower_bound(first); it != staged_.end() && go_on; ++it) {
        const auto& [name, staged] = *it;
        if (std::get<0>(name) != key || std::get<1>(name) != type) break;
        const Cell cell = after(staged);
        const std::optional<Bytes>& field = std::get<2>(name);
        if (cell.live()) go_on = visit(field ? BytesView(*field) : BytesView(), cell);
    }
    SYNCLINE_TRY(const bool gone, is_gone(key, type));
    if (!go_on || gone) return {};
    return group_.scan_cells(key, type, [&](BytesView field, const Cell& cell) {
        if (!cell.live()) return true;
        if (!staged_.empty() && staged_.count(CellName{Bytes(key), type, Bytes(field)}) > 0) {
            return true;
        }
        return visit(field, cell);
    });
}

Result<void> Transaction::scan_stored(BytesView key, CellType type, std::optional<BytesView> after,
                                      const CellVisitor& visit) {
    SYNCLINE_TRY(const bool gone, is_gone(key, type));
    if (gone) return {};
    const auto visit_live = [&](BytesView field, const Cell& cell) {
        return !cell.live() || visit(field, cell);
    };
    return group_.scan_cells(key, type, visit_live, WalkOrder::ascending, after);
}

Result<void> Transaction::scan_list_from(BytesView key, std::uint64_t index,
                                         const CellVisitor& visit) {
    SYNCLINE_TRY(const bool gone, is_gone(key));
    ListPlace place;
    if (!gone) {
        SYNCLINE_TRY(place, place_in_list(key, index));
    }
    std::uint64_t skip = index - place.in_front;
    const auto visit_from = [&](BytesView position, const Cell& cell) {
        if (skip == 0) return visit(position, cell);
        --skip;
        return true;
    };
    return walk_list(key, WalkOrder::ascending, view(place.behind), visit_from);
}

/// The beginning of the piece in which the element is, staged changes counted in.
Result<Transaction::ListPlace> Transaction::place_in_list(BytesView key, std::uint64_t index) {
    while (true) {
        SYNCLINE_TRY(const RankIndex::Pieces* const known, group_.list_pieces(key));
        if (known == nullptr) return ListPlace{};
        const std::vector<RankIndex::Piece>& pieces = known->pieces;
        auto staged = staged_.lower_bound(CellName{Bytes(key), CellType::list, std::nullopt});
        const auto staged_up_to = [&](BytesView position) {
            return staged != staged_.end() && std::get<0>(staged->first) == key &&
                   std::get<1>(staged->first) == CellType::list &&
                   *std::get<2>(staged->first) <= position;
        };
        std::uint64_t in_front = 0;
        std::size_t at = 0;
        for (; at + 1 < pieces.size(); ++at) {
            auto here = static_cast<std::int64_t>(pieces[at].rows);
            for (; staged_up_to(pieces[at + 1].after); ++staged) {
                const Staged& change = staged->second;
                here += (lives(change) ? 1 : 0) - (change.before.live() ? 1 : 0);
            }
            if (in_front + static_cast<std::uint64_t>(here) > index) break;
            in_front += static_cast<std::uint64_t>(here);
        }
        if (!RankIndex::too_long(*known, at)) {
            return ListPlace{at == 0 ? std::nullopt : std::optional(pieces[at].after), in_front};
        }
        SYNCLINE_CHECK(group_.split_list_piece(key, at));
    }
}

Result<void> Transaction::walk_list(BytesView key, WalkOrder walk, std::optional<BytesView> behind,
                                    const CellVisitor& visit) {
    // Staged elements stand in order of position, as the others do: both are walked at once.
    constexpr CellType type = CellType::list;
    constexpr auto next_type = static_cast<CellType>(static_cast<int>(type) + 1);
    const auto begin = behind ? staged_.upper_bound(CellName{Bytes(key), type, Bytes(*behind)})
                              : staged_.lower_bound(CellName{Bytes(key), type, std::nullopt});
    const auto end = staged_.lower_bound(CellName{Bytes(key), next_type, std::nullopt});
    const bool ascending = walk == WalkOrder::ascending;
    auto next = ascending ? begin : end;
    bool go_on = true;
    // Visits what is staged up to `bound` (nothing: all). True: `bound` itself is.
    const auto visit_staged = [&](std::optional<BytesView> bound) {
        while (go_on && next != (ascending ? end : begin)) {
            const auto at = ascending ? next : std::prev(next);
            const Bytes& position = std::get<2>(at->first).value();
            if (bound && (ascending ? position > *bound : position < *bound)) return false;
            const Cell cell = after(at->second);
            if (cell.live()) go_on = visit(position, cell);
            next = ascending ? std::next(at) : at;
            if (bound && position == *bound) return true;
        }
        return false;
    };
    const auto visit_group = [&](BytesView position, const Cell& cell) {
        const bool is_staged = visit_staged(position);
        if (!is_staged && go_on && cell.live()) go_on = visit(position, cell);
        return go_on;
    };
    SYNCLINE_TRY(const bool gone, is_gone(key));
    if (!gone) SYNCLINE_CHECK(group_.scan_cells(key, type, visit_group, walk, behind));
    visit_staged(std::nullopt);
    return {};
}

Result<void> Transaction::scan_scores(BytesView key, const ScoreRange& range, WalkOrder walk,
                                      const ScoreVisitor& visit) {
    // Staged members in order, in front of which the group's come.
    std::set<ScoreRange::Place> changed;
    std::set<BytesView> hidden;
    const CellName first{Bytes(key), CellType::sorted_set, std::nullopt};
    for (auto it = staged_.lower_bound(first); it != staged_.end(); ++it) {
        const auto& [name, staged] = *it;
        if (std::get<0>(name) != key || std::get<1>(name) != CellType::sorted_set) break;
        const Bytes& member = *std::get<2>(name);
        hidden.insert(member);
        const std::optional<double> score = score_value(after(staged));
        if (!score) continue;
        ScoreRange::Place place{score_order(*score), member};
        if (place < range.from || (range.to && place >= *range.to)) continue;
        changed.insert(std::move(place));
    }
    const bool ascending = walk == WalkOrder::ascending;
    bool go_on = true;
    const auto visit_changed = [&](const ScoreRange::Place* bound) {
        while (go_on && !changed.empty()) {
            const auto next = ascending ? changed.begin() : std::prev(changed.end());
            if (bound != nullptr && (ascending ? *bound < *next : *next < *bound)) return;
            go_on = visit(next->member, *score_from_order(next->order));
            changed.erase(next);
        }
    };
    const auto visit_group = [&](BytesView member, double score) {
        if (hidden.contains(member)) return true;
        if (!changed.empty()) {
            const ScoreRange::Place here{score_order(score), Bytes(member)};
            visit_changed(&here);
        }
        go_on = go_on && visit(member, score);
        return go_on;
    };
    SYNCLINE_TRY(const bool gone, is_gone(key));
    if (!gone) SYNCLINE_CHECK(group_.scan_scores(key, range, walk, visit_group));
    visit_changed(nullptr);
    return {};
}

Result<std::uint64_t> Transaction::scan_keys(std::uint64_t cursor, std::size_t count,
                                             const KeyVisitor& visit) {
    if (!group_.may_expire()) return group_.scan_keys(cursor, count, visit);
    Result<void> status;
    const auto visit_unexpired = [&](BytesView key, CellType type) {
        const Result<std::optional<std::uint64_t>> deadline = group_.deadline(key);
        if (!deadline) status = deadline.error();
        if (!deadline) return false;
        const bool ended = *deadline && **deadline <= now_ms() && !is_permanent(type);
        return ended || visit(key, type);
    };
    SYNCLINE_TRY(const std::uint64_t next, group_.scan_keys(cursor, count, visit_unexpired));
    SYNCLINE_CHECK(status);
    return next;
}

Result<std::uint64_t> Transaction::keys_count() {
    saw_all_ = true;
    std::uint64_t keys = group_.keys_count();
    std::set<BytesView> touched(cleared_.begin(), cleared_.end());
    for (const auto& [name, staged] : staged_) touched.insert(std::get<0>(name));
    for (const BytesView key : touched) {
        SYNCLINE_TRY(const std::optional<CellType> before, group_.visible_type(key));
        SYNCLINE_TRY(const std::optional<CellType> now, visible_type(key));
        if (now && !before) ++keys;
        if (!now && before) --keys;
    }
    return keys;
}

Result<void> Transaction::put(BytesView key, CellType type, std::optional<BytesView> field,
                              Bytes value) {
    SYNCLINE_CHECK(begin_anew(key, type));
    SYNCLINE_TRY(Staged* const staged, stage(key, type, field));
    adds_ = adds_ || type != CellType::expiry;
    change(Bytes(key), type, *staged, [&] {
        staged->writes_dots = true;
        staged->value = std::move(value);
        staged->negates = false;
        staged->resets = true;
        staged->increments = false;
        staged->amount = {};
    });
    return {};
}

Result<void> Transaction::increment(BytesView key, CellType type, std::optional<BytesView> field,
                                    const Amount& amount) {
    SYNCLINE_CHECK(begin_anew(key, type));
    SYNCLINE_TRY(Staged* const staged, stage(key, type, field));
    adds_ = true;
    change(Bytes(key), type, *staged, [&] {
        staged->increments = true;
        staged->amount = staged->amount + amount;
    });
    return {};
}

Result<void> Transaction::remove(BytesView key, CellType type, std::optional<BytesView> field) {
    SYNCLINE_ASSERT(!is_permanent(type));
    SYNCLINE_TRY(Staged* const staged, stage(key, type, field));
    change(Bytes(key), type, *staged, [&] {
        staged->writes_dots = true;
        staged->value.reset();
        staged->negates = false;
        staged->resets = true;
        staged->increments = false;
        staged->amount = {};
    });
    return {};
}

Result<void> Transaction::negate(BytesView key, CellType type, std::optional<BytesView> field) {
    SYNCLINE_ASSERT(is_signed(type));
    SYNCLINE_CHECK(remove(key, type, field));
    SYNCLINE_TRY(Staged* const staged, stage(key, type, field));
    staged->negates = true;
    return {};
}

Result<std::optional<Dot>> Transaction::text_generation(BytesView key) {
    const Bytes own = generation_field(dot_);
    if (staged_.contains(CellName{Bytes(key), CellType::text, own})) return std::optional(dot_);
    SYNCLINE_TRY(const bool gone, is_gone(key));
    if (gone) return std::optional<Dot>();
    return group_.text_generation(key);
}

Result<const Text*> Transaction::text(BytesView key, const Dot& generation) {
    return group_.text(key, generation);
}

namespace {

constexpr std::size_t folded_bytes_max = 4096;

/// Typing goes on: one insertion instead of two.
bool append_to(TextOp& last, const TextOp& next) {
    auto* const before = std::get_if<TextInsertion>(&last);
    const auto* const typed = std::get_if<TextInsertion>(&next);
    if (before == nullptr || typed == nullptr || !typed->parent || typed->side != Side::right) {
        return false;
    }
    if (before->text.size() >= folded_bytes_max) return false;  // to count them takes time
    const std::uint64_t end = before->first.index + count_points(before->text);
    const ElementId last_one{before->first.actor, end - 1};
    if (typed->first.index != end || *typed->parent != last_one) return false;
    before->text += typed->text;
    return true;
}

}  // namespace

Result<void> Transaction::edit_text(BytesView key, const Dot& generation, TextOp op) {
    SYNCLINE_CHECK(group_.edit_text(key, generation, op, dot_));
    adds_ = adds_ || std::holds_alternative<TextInsertion>(op);
    std::vector<TextOp>& edits = text_edits_[TextName{Bytes(key), generation}];
    if (edits.empty() || !append_to(edits.back(), op)) edits.push_back(std::move(op));
    return {};
}

void Transaction::clear(BytesView key) {
    const CellName first{Bytes(key), CellType{}, std::nullopt};
    auto it = staged_.lower_bound(first);
    while (it != staged_.end() && std::get<0>(it->first) == key) {
        it = is_permanent(std::get<1>(it->first)) ? std::next(it) : staged_.erase(it);
    }
    auto change = live_changes_.lower_bound({Bytes(key), CellType{}});
    while (change != live_changes_.end() && change->first.first == key) {
        change =
            is_permanent(change->first.second) ? std::next(change) : live_changes_.erase(change);
    }
    auto edit = text_edits_.lower_bound(TextName{Bytes(key), Dot{}});
    while (edit != text_edits_.end() && edit->first.key == key) {
        group_.discard_text_edits(key, edit->first.generation);
        edit = text_edits_.erase(edit);
    }
    cleared_.insert(Bytes(key));
}

Result<void> Transaction::clear_buckets(std::uint16_t first, std::uint16_t last) {
    SYNCLINE_ASSERT(first <= last && empty());
    const RowRange range{rows_of_prefix(first, 16).first, rows_of_prefix(last, 16).last};
    SYNCLINE_TRY(std::vector<CellOp> resets, group_.counter_resets(range, dot_));
    bucket_ops_.emplace_back(ClearBuckets{first, last});
    for (CellOp& reset : resets) bucket_ops_.emplace_back(std::move(reset));
    return {};
}

bool Transaction::empty() const {
    return staged_.empty() && cleared_.empty() && bucket_ops_.empty() && text_edits_.empty();
}

Result<Event> Transaction::finish(Hlc hlc) {
    Event event{dot_, group_.vv(), hlc, std::move(bucket_ops_)};
    for (const Bytes& key : cleared_) {
        event.ops.emplace_back(ClearKey{key});
        for (const RowRange& range : rows_of_key(key)) {
            SYNCLINE_TRY(std::vector<CellOp> resets, group_.counter_resets(range, dot_));
            for (CellOp& reset : resets) {
                // A cell written after the clear carries the reset in its own change.
                if (staged_.count(CellName{reset.key, reset.type, reset.field}) > 0) continue;
                event.ops.emplace_back(std::move(reset));
            }
        }
    }
    for (const auto& [name, staged] : staged_) {
        event.ops.emplace_back(
            CellOp{std::get<0>(name), std::get<1>(name), std::get<2>(name), delta(staged)});
    }
    for (const auto& [name, edits] : text_edits_) {
        event.ops.emplace_back(TextEdit{name.key, name.generation, edits});
    }
    return event;
}

}  // namespace syncline
