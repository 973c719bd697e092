#include "core/engine/group.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "core/base/hash.hpp"
#include "core/base/mutation.hpp"
#include "core/engine/group_rows.hpp"
#include "crdt/bounded_counter.hpp"
#include "crdt/expiry.hpp"
#include "crdt/position.hpp"
#include "crdt/score.hpp"

namespace syncline {
namespace {

/// The `type` byte of rows in table `counts`; no cell has it.
constexpr std::uint8_t counts_type = 0;
/// Numbers of types from here on have their place in those rows; below are strings.
constexpr std::uint64_t first_counted = 2;
/// The `type` byte of rows in table `counts` that order a sorted set by score.
constexpr auto score_type = static_cast<std::uint8_t>(CellType::sorted_set);
static_assert(is_ordered_row_type(static_cast<std::uint8_t>(CellType::list)) &&
              is_ordered_row_type(text_row_type));

/// Deadlines of the next million years begin like this; `never` does not, and nobody looks for it.
const Bytes deadlines_begin("\0", 1);
const Bytes deadlines_end("\1", 1);

const BytesView meta_vv = "group.vv";
const BytesView meta_state = "group.state";
const BytesView meta_leaf_prefix = "group.leaf.";

Result<void> scan_rows(Store& store, Table table, const RowRange& range, WalkOrder walk,
                       const RowVisitor& visit) {
    return walk == WalkOrder::ascending ? store.scan(table, range.first, range.last, visit)
                                        : store.scan_reverse(table, range.first, range.last, visit);
}

RowKey row_key_of(BytesView key, CellType type, std::optional<BytesView> field) {
    return encode_row_key(key, static_cast<std::uint8_t>(type), field);
}

Result<Cell> decode_cell(const RowKey& row_key, std::optional<BytesView> value, CellType type) {
    if (!value) return Cell{};
    if (!row_key.hashed) return read_cell(*value, type);
    SYNCLINE_TRY(const Row row, decode_row(row_key.bytes, *value));
    return read_cell(row.payload, type);
}

Bytes hash_bytes(std::uint64_t hash) {
    Bytes bytes;
    ByteWriter(bytes).u64(hash);
    return bytes;
}

}  // namespace

Group::Group(Store& store, unsigned leaf_bits, std::uint64_t hash_seed, ConflictOptions conflicts)
    : store_(store),
      leaf_sums_(leaf_bits, hash_seed),
      conflict_options_(conflicts),
      conflicts_(store, conflicts.ring_bytes),
      texts_(store, leaf_sums_),
      bucket_states_(std::size_t{1} << leaf_bits, BucketState::unverified) {}

Result<Cell> Group::cell(BytesView key, CellType type, std::optional<BytesView> field) {
    SYNCLINE_CHECK(trust(key));
    return cell_unchecked(key, type, field);
}

Result<Cell> Group::cell_unchecked(BytesView key, CellType type, std::optional<BytesView> field) {
    const RowKey row_key = row_key_of(key, type, field);
    SYNCLINE_TRY(const std::optional<BytesView> value, store_.view(Table::cells, row_key.bytes));
    return decode_cell(row_key, value, type);
}

Result<Group::PlainString> Group::plain_string(BytesView key) {
    RowKey row_key = encode_row_key(key, counts_type, std::nullopt);
    // The key is hashed once.
    if (bucket_states_[leaf_sums_.bucket(row_key.bytes)] != BucketState::verified) {
        SYNCLINE_CHECK(trust(key));
    }
    SYNCLINE_TRY(const std::optional<BytesView> other, store_.view(Table::counts, row_key.bytes));
    if (other || row_key.hashed) return PlainString{true, std::nullopt};
    row_key.bytes.back() = static_cast<char>(CellType::string);  // a short key ends with its type
    SYNCLINE_TRY(const std::optional<BytesView> row, store_.view(Table::cells, row_key.bytes));
    PlainString found;
    if (!row) return found;
    SYNCLINE_TRY(found.value, read_string_value(*row));
    return found;
}

Result<Group::Counts> Group::counts(BytesView key) {
    const RowKey row_key = encode_row_key(key, counts_type, std::nullopt);
    SYNCLINE_TRY(const std::optional<BytesView> value, store_.view(Table::counts, row_key.bytes));
    Counts counts;
    if (!value) return counts;
    SYNCLINE_TRY(const Row row, decode_row(row_key.bytes, *value));
    ByteReader in(row.payload);
    for (std::uint64_t number = first_counted; in.left() > 0; ++number) {
        const std::uint64_t count = in.varint();
        if (count == 0) continue;
        const std::optional<CellType> type = cell_type_from(number);
        if (!type) in.fail();
        if (type) counts.of(*type) = count;
    }
    if (!in.done()) return Error{Code::corrupt, "counts of key " + printable(key) + " are damaged"};
    return counts;
}

std::optional<CellType> Group::Counts::highest() const {
    for (std::size_t i = cell_types_count; i > 0; --i) {
        if (by_type[i - 1] > 0) return cell_types[i - 1];
    }
    return std::nullopt;
}

std::uint64_t Group::Counts::sum() const {
    return std::accumulate(by_type.begin(), by_type.end(), std::uint64_t{0});
}

void Group::put_counts(BytesView key, const Counts& counts, Position position) {
    const RowKey row_key = encode_row_key(key, counts_type, std::nullopt);
    const std::optional<CellType> highest = counts.highest();
    if (!highest) {
        store_.erase(Table::counts, row_key.bytes, position);
        return;
    }
    const Bytes payload = counts_payload(counts, *highest);
    store_.put(Table::counts, row_key.bytes, encode_row_value(row_key, key, std::nullopt, payload),
               position);
}

/// By number, up to the highest there is; hashes and sets always, as when there were no others.
Bytes Group::counts_payload(const Counts& counts, CellType highest) {
    Bytes payload;
    ByteWriter out(payload);
    for (std::uint64_t number = first_counted;
         number <= static_cast<std::uint64_t>(std::max(highest, CellType::set)); ++number) {
        const std::optional<CellType> type = cell_type_from(number);
        out.varint(type ? counts.by_type[cell_type_index(*type)] : 0);
    }
    return payload;
}

Result<std::uint64_t> Group::count(BytesView key, CellType type) {
    if (type == CellType::string) {
        SYNCLINE_TRY(const Cell string, cell(key, type, std::nullopt));
        return std::uint64_t{string.live() ? 1U : 0U};
    }
    SYNCLINE_CHECK(trust(key));
    SYNCLINE_TRY(Counts counts_row, counts(key));
    return counts_row.of(type);
}

Result<std::optional<CellType>> Group::visible_type(BytesView key) {
    SYNCLINE_CHECK(trust(key));
    SYNCLINE_TRY(const Counts counts_row, counts(key));
    if (const std::optional<CellType> highest = counts_row.highest()) return highest;
    SYNCLINE_TRY(const Cell string, cell(key, CellType::string, std::nullopt));
    if (string.live()) return std::optional(CellType::string);
    return std::optional<CellType>();
}

Result<void> Group::scan_cells(BytesView key, CellType type, const CellVisitor& visit,
                               WalkOrder walk, std::optional<BytesView> after) {
    SYNCLINE_CHECK(trust(key));
    Result<void> status;
    bool go_on = true;
    std::vector<RowRange> ranges = rows_of_key(key, static_cast<std::uint8_t>(type));
    // Walks of a list count many elements: their names need not be taken apart, because what is
    // behind the beginning that all of them share is the position.
    const bool ordered = traits_of(type).has_positions;
    const bool plain = ordered && key.size() <= order_key_bytes_max;
    const Bytes prefix = ranges.front().first;  // of an ordered type there is one range
    if (after) {
        const RowKey left = encode_row_key(key, static_cast<std::uint8_t>(type), after);
        for (RowRange& range : ranges) {
            range.first = std::min(std::max(range.first, successor(left.bytes)), range.last);
        }
    }
    if (walk == WalkOrder::descending) std::reverse(ranges.begin(), ranges.end());
    for (const RowRange& range : ranges) {
        const auto visit_cell = [&](BytesView field, BytesView payload) {
            const Result<Cell> cell = read_cell(payload, type);
            if (!cell) status = cell.error();
            go_on = cell && visit(field, *cell);
            return go_on;
        };
        const auto visit_row = [&](BytesView row_key, BytesView value) {
            if (plain) return visit_cell(row_key.substr(prefix.size()), value);
            const Result<Row> row = decode_row(row_key, value);
            if (!row) status = row.error();
            if (!row) return false;
            return visit_cell(row->name.field ? BytesView(*row->name.field) : BytesView(),
                              row->payload);
        };
        SYNCLINE_CHECK(ordered ? walk_ordered(Table::cells, prefix, range, walk, visit_row)
                               : scan_rows(store_, Table::cells, range, walk, visit_row));
        SYNCLINE_CHECK(status);
        if (!go_on) break;
    }
    return {};
}

Result<std::optional<std::uint64_t>> Group::deadline(BytesView key) {
    SYNCLINE_CHECK(trust(key));  // this may find that there are deadlines
    if (!may_expire_) return std::optional<std::uint64_t>();
    SYNCLINE_TRY(const Cell found, cell(key, CellType::expiry, std::nullopt));
    return expiry_end(found);
}

Result<void> Group::scan_deadlines(std::uint64_t from_ms, const DeadlineVisitor& visit) {
    if (!may_expire_) return {};
    Result<void> status;
    const auto visit_row = [&](BytesView row_key, BytesView value) {
        const Result<DeadlineRow> row = decode_deadline_row(row_key, value);
        if (!row) status = row.error();
        return row && visit(row->key, row->deadline_ms);
    };
    const RowRange all{deadlines_begin, deadlines_end};
    RowRange range = all;
    if (from_ms > 0) range.first = encode_deadline_row(from_ms, {}).bytes;
    SYNCLINE_CHECK(
        walk_ordered(Table::deadlines, all.first, range, WalkOrder::ascending, visit_row));
    return status;
}

Result<void> Group::scan_scores(BytesView key, const ScoreRange& range, WalkOrder walk,
                                const ScoreVisitor& visit) {
    SYNCLINE_CHECK(trust(key));
    const Bytes prefix = order_rows_prefix(key, score_type);
    const auto row_of = [&](const ScoreRange::Place& place) {
        return encode_order_row(key, score_type, place.order, place.member).bytes;
    };
    const Bytes from = range.from == ScoreRange::Place{} ? prefix : row_of(range.from);
    const Bytes to = range.to ? row_of(*range.to) : prefix_end(prefix);
    Result<void> status;
    const auto visit_row = [&](BytesView row_key, BytesView value) {
        const Result<OrderRow> row = decode_order_row(prefix, row_key, value);
        const std::optional<double> score = row ? score_from_order(row->order) : std::nullopt;
        if (!score) {
            status = Error{Code::corrupt, "a score of key " + printable(key) + " is damaged"};
            return false;
        }
        return visit(row->member, *score);
    };
    SYNCLINE_CHECK(walk_ordered(Table::counts, prefix, RowRange{from, to}, walk, visit_row));
    return status;
}

/// Walks a part of an ordered collection, and past what was taken off its ends.
Result<void> Group::walk_ordered(Table table, const Bytes& prefix, RowRange range, WalkOrder walk,
                                 const RowVisitor& visit) {
    const bool ascending = walk == WalkOrder::ascending;
    const RangeEdges::Edges* const known = edges_.find(prefix);
    // Whether the walk begins in front of, or behind, all rows.
    bool from_edge = ascending ? range.first == prefix : range.last == prefix_end(prefix);
    if (known != nullptr) {
        from_edge =
            from_edge || (ascending ? range.first <= known->first : range.last >= known->end);
        range.first = std::max(range.first, known->first);
        range.last = std::min(range.last, known->end);
        store_.see(known->changed);
    }
    const bool to_edge =
        known != nullptr ? (ascending ? range.last >= known->end : range.first <= known->first)
                         : (ascending ? range.last == prefix_end(prefix) : range.first == prefix);
    bool met_any = false;
    if (known != nullptr && from_edge && range.first < range.last) {
        // Most walks are for the outermost row alone, whose key is known.
        const Bytes outermost =
            ascending ? known->first : known->end.substr(0, known->end.size() - 1);
        std::optional<BytesView> value;
        if (outermost >= range.first && outermost < range.last) {
            SYNCLINE_TRY(value, store_.view(table, outermost));
        }
        if (value) {
            met_any = true;
            if (!visit(outermost, *value)) return {};
            (ascending ? range.first : range.last) = ascending ? successor(outermost) : outermost;
        }
    }
    const auto learn = [&](std::optional<BytesView> row_key) {
        if (ascending) {
            edges_.first_is(prefix, row_key, store_.seen());
        } else {
            edges_.last_is(prefix, row_key, store_.seen());
        }
    };
    const auto visit_row = [&](BytesView row_key, BytesView value) {
        if (from_edge && !met_any) learn(row_key);
        met_any = true;
        return visit(row_key, value);
    };
    SYNCLINE_CHECK(scan_rows(store_, table, range, walk, visit_row));
    if (from_edge && to_edge && !met_any) learn(std::nullopt);
    return {};
}

Result<std::uint64_t> Group::scan_keys(std::uint64_t cursor, std::size_t count,
                                       const KeyVisitor& visit) {
    Bytes from = hash_bytes(cursor);
    std::optional<std::uint64_t> hash;  // of the keys being gathered
    std::set<Bytes> seen;               // keys of this hash: short and hashed rows name a key twice
    for (std::size_t looked = 0;; ++looked) {
        SYNCLINE_TRY(const std::vector<RawRow> rows, read_slice(store_, from, {}, 1));
        SYNCLINE_CHECK(
            trust_walk(from, rows.empty() ? std::nullopt : std::optional<BytesView>(rows[0].key)));
        if (rows.empty()) return std::uint64_t{0};
        SYNCLINE_TRY(const Row row, decode_row(rows[0].key, rows[0].value));
        const std::uint64_t row_hash = row_key_hash(rows[0].key);
        if (hash != row_hash) {
            if (looked >= count) return row_hash;
            hash = row_hash;
            seen.clear();
        }
        if (seen.insert(row.name.key).second) {
            SYNCLINE_TRY(const std::optional<CellType> type, visible_type(row.name.key));
            if (type && !visit(row.name.key, *type)) return row_hash;
        }
        // On to the end of this key's rows of the same form.
        for (const RowRange& range : rows_of_key(row.name.key)) {
            if (range.first <= rows[0].key && (range.last.empty() || rows[0].key < range.last)) {
                from = range.last;
            }
        }
        if (from.empty()) return std::uint64_t{0};
    }
}

Result<std::vector<CellOp>> Group::counter_resets(const RowRange& range, const Dot& dot) {
    // A row that is missing would keep its counter everywhere.
    SYNCLINE_CHECK(trust_walk(
        range.first, range.last.empty() ? std::nullopt : std::optional<BytesView>(range.last)));
    std::vector<CellOp> ops;
    Result<void> status;
    const auto visit = [&](BytesView row_key, BytesView value) {
        const auto gather = [&]() -> Result<void> {
            SYNCLINE_TRY(const Row row, decode_row(row_key, value));
            if (row.name.type == text_row_type) return {};
            SYNCLINE_TRY(const CellType type, type_of(row.name));
            if (!traits_of(type).has_counter) return {};
            SYNCLINE_TRY(const Cell cell, read_cell(row.payload, type));
            if (!cell.counter.exists()) return {};
            ops.push_back(CellOp{row.name.key, type, row.name.field, {}});
            ops.back().delta.counter = cell.counter.reset(dot);
            return {};
        };
        status = gather();
        return status.has_value();
    };
    SYNCLINE_CHECK(store_.scan(Table::cells, range.first, range.last, visit));
    SYNCLINE_CHECK(status);
    return ops;
}

Result<void> Group::admit(const Event& event) {
    const TakingIn here(*this);
    if (event.dot.counter == vv_.counter(event.dot.actor) + 1 && vv_.covers(event.past)) {
        return edit_texts(event);
    }
    return Error{Code::causality, "event " + to_string(event.dot) + " made on " +
                                      to_string(event.past) + " came to " + to_string(vv_)};
}

Result<void> Group::apply(const Event& event, Position position) {
    const TakingIn here(*this);
    SYNCLINE_CHECK(admit(event));
    // An event that has seen everything here, as local ones have, is concurrent with nothing.
    if (!event.past.covers(vv_)) finder_.emplace(vv_, conflict_options_.capture_values);
    for (const Op& op : event.ops) SYNCLINE_CHECK(apply_op(event, op, position));
    if (finder_) SYNCLINE_CHECK(find_clashes(event));
    texts_.finish();
    vv_.add(event.dot);
    if (!mutated(Mutation::clock_alone)) clock_.observe(event.hlc);
    return record_conflicts(position);
}

namespace {

/// The event takes a list element away that was there where the event was made.
bool removes_element(const CellOp& op, const Event& event) {
    if (op.type != CellType::list || !op.delta.writes_dots || op.delta.value) return false;
    return position_dot(*op.field) != event.dot;  // else it came and went within the transaction
}

}  // namespace

Result<void> Group::apply_op(const Event& event, const Op& op, Position position) {
    if (const auto* clear = std::get_if<ClearKey>(&op)) {
        if (passes_by(clear->key)) return {};
        return absorb_damage(clear->key, clear_key(clear->key, event, position));
    }
    if (const auto* buckets = std::get_if<ClearBuckets>(&op)) {
        const RowRange range{rows_of_prefix(buckets->first, 16).first,
                             rows_of_prefix(buckets->last, 16).last};
        return clear_buckets(range, event, position);
    }
    if (const auto* edit = std::get_if<TextEdit>(&op)) {
        if (passes_by(edit->key)) return {};
        return absorb_damage(edit->key, write_text(*edit, position));
    }
    const auto& change = std::get<CellOp>(op);
    if (passes_by(change.key)) return {};
    return absorb_damage(change.key, apply_cell(event, change, position));
}

Result<void> Group::apply_cell(const Event& event, const CellOp& change, Position position) {
    const std::optional<BytesView> field = view(change.field);
    const RowKey row_key = row_key_of(change.key, change.type, field);
    SYNCLINE_TRY(const std::optional<BytesView> value, store_.view(Table::cells, row_key.bytes));
    SYNCLINE_TRY(const Cell before, decode_cell(row_key, value, change.type));
    Cell after = before;
    after.apply(change.delta, change.type, event.dot, event.hlc, event.past);
    if (finder_) {
        finder_->on_change(row_key, change, before, event);
        if (before.empty() && removes_element(change, event)) ++elements_removed_again_;
    }
    const RowName name{change.key, static_cast<std::uint8_t>(change.type), change.field};
    return replace(row_key, name, value, before, after, position);
}

Result<void> Group::replace(const RowKey& row_key, const RowName& name,
                            std::optional<BytesView> old_value, const Cell& old_cell,
                            const Cell& new_cell, Position position) {
    SYNCLINE_TRY(const CellType type, type_of(name));
    adjust_check(row_key.bytes, name, type, old_cell, new_cell);
    if (traits_of(type).has_positions) {
        const Bytes prefix = order_rows_prefix(name.key, name.type);
        const int change = (new_cell.empty() ? 0 : 1) - (old_cell.empty() ? 0 : 1);
        edges_.changed(prefix, row_key.bytes, !new_cell.empty(), position);
        ranks_.changed(prefix, row_key.bytes, change, position);
    }
    if (old_value) leaf_sums_.remove(row_key.bytes, *old_value);
    if (new_cell.empty()) {
        if (old_value) store_.erase(Table::cells, row_key.bytes, position);
    } else {
        Bytes payload;
        ByteWriter out(payload);
        write(out, new_cell, type);
        Bytes value = row_key.hashed
                          ? encode_row_value(row_key, name.key, view(name.field), payload)
                          : std::move(payload);
        leaf_sums_.add(row_key.bytes, value);
        store_.put(Table::cells, row_key.bytes, std::move(value), position);
        if (notes_collectable_ && new_cell.collectable(type)) collectable_.insert(row_key.bytes);
    }
    if (traits_of(type).has_scores) index_score(name, old_cell, new_cell, position);
    if (type == CellType::expiry) index_deadline(name, old_cell, new_cell, position);
    if (type == CellType::text && new_cell.empty()) {
        const TextName text{name.key, generation_from(*name.field).value()};
        SYNCLINE_CHECK(texts_.remove(text, position));
    }
    if (old_cell.live() == new_cell.live() || !makes_key(type)) return {};
    return count_change(name, new_cell.live(), position);
}

void Group::index_deadline(const RowName& name, const Cell& old_cell, const Cell& new_cell,
                           Position position) {
    const auto change = [&](const Cell& cell, bool put) {
        const std::optional<std::uint64_t> deadline = expiry_deadline(cell);
        if (!deadline) return;
        OrderRowKey row = encode_deadline_row(*deadline, name.key);
        edges_.changed(deadlines_begin, row.bytes, put, position);
        if (put) {
            store_.put(Table::deadlines, row.bytes, std::move(row.value), position);
        } else {
            store_.erase(Table::deadlines, row.bytes, position);
        }
    };
    change(old_cell, false);
    change(new_cell, true);
    may_expire_ = true;
}

void Group::index_score(const RowName& name, const Cell& old_cell, const Cell& new_cell,
                        Position position) {
    const std::optional<double> before = score_value(old_cell);
    const std::optional<double> after = score_value(new_cell);
    const auto row_of = [&](double score) {
        return encode_order_row(name.key, score_type, score_order(score), *name.field);
    };
    const Bytes prefix = order_rows_prefix(name.key, score_type);
    if (before && before != after) {
        const Bytes row_key = row_of(*before).bytes;
        edges_.changed(prefix, row_key, false, position);
        store_.erase(Table::counts, row_key, position);
    }
    if (after) {  // also if it is the same: who reads the order must wait for the cell's last
                  // change
        OrderRowKey row = row_of(*after);
        edges_.changed(prefix, row.bytes, true, position);
        store_.put(Table::counts, row.bytes, std::move(row.value), position);
    }
}

Result<void> Group::count_change(const RowName& name, bool lives, Position position) {
    SYNCLINE_TRY(const CellType type, type_of(name));
    SYNCLINE_TRY(Counts counts_row, counts(name.key));
    bool others = counts_row.highest().has_value();  // does the key exist without this?
    if (type != CellType::string) {
        std::uint64_t& count = counts_row.of(type);
        if (!lives && count == 0) {
            return Error{Code::corrupt, "count of key " + printable(name.key) + " is too small"};
        }
        count = lives ? count + 1 : count - 1;
        put_counts(name.key, counts_row, position);
        if (!lives) others = counts_row.highest().has_value();
        if (!others) {
            SYNCLINE_TRY(const Cell string, cell(name.key, CellType::string, std::nullopt));
            others = string.live();
        }
    }
    if (!others) count_key(name.key, lives);
    return {};
}

/// One key more, or less; for a scrub under way as well.
void Group::count_key(BytesView key, bool lives) {
    keys_count_ = lives ? keys_count_ + 1 : keys_count_ - 1;
    if (bucket_of(key) < counted_buckets_) {
        counted_keys_ = lives ? counted_keys_ + 1 : counted_keys_ - 1;
    }
}

Result<void> Group::join_row(BytesView row_key, std::optional<BytesView> value,
                             const VersionVector& peer_vv, Position position) {
    const TakingIn here(*this);
    const auto bucket = static_cast<std::uint32_t>(leaf_sums_.bucket(row_key));
    if (damaged_.contains(bucket)) return {};
    const Result<std::optional<Bytes>> old_value = store_.get(Table::cells, row_key);
    if (!old_value && old_value.error().code == Code::corrupt) {
        mark_damaged(bucket, old_value.error().message);
        return {};
    }
    if (!old_value) return old_value.error();
    if (!value && !*old_value) return {};
    SYNCLINE_TRY(const Row row, decode_row(row_key, value ? *value : BytesView(**old_value)));
    if (row.name.type == text_row_type) return {};  // join_texts
    return absorb_damage(row.name.key, join_sound_row(row, *old_value, value, peer_vv, position));
}

Result<void> Group::join_sound_row(const Row& row, const std::optional<Bytes>& old_value,
                                   std::optional<BytesView> value, const VersionVector& peer_vv,
                                   Position position) {
    SYNCLINE_TRY(const CellType type, type_of(row.name));
    const RowKey encoded = encode_row_key(row.name.key, row.name.type, view(row.name.field));
    SYNCLINE_TRY(const Cell mine, decode_cell(encoded, old_value, type));
    Cell theirs;
    if (value) {
        SYNCLINE_TRY(theirs, read_cell(row.payload, type));
    }
    if (!finder_) finder_.emplace(vv_, conflict_options_.capture_values);
    finder_->on_join(encoded, row.name, mine, theirs, peer_vv);
    const Cell joined = Cell::join(mine, vv_, theirs, peer_vv);
    if (joined == mine) return {};
    return replace(encoded, row.name, old_value, mine, joined, position);
}

Result<void> Group::adopt(const VersionVector& peer_vv, Hlc peer_hlc, Position position) {
    vv_.join(peer_vv);
    clock_.observe(peer_hlc);
    return record_conflicts(position);
}

void Group::save(RowChanges& meta) {
    base_empty_ = false;
    Bytes vv;
    ByteWriter vv_out(vv);
    write(vv_out, vv_);
    meta[Bytes(meta_vv)] = std::move(vv);
    Bytes state;
    ByteWriter out(state);
    out.u64(clock_.last().bits);
    out.varint(keys_count_);
    out.varint(leaf_sums_.bits());
    meta[Bytes(meta_state)] = std::move(state);
    conflicts_.save(meta);
    save_leaf_sums(leaf_sums_, meta);
}

void Group::save_leaf_sums(LeafSums& sums, RowChanges& meta) {
    for (auto& [page, bytes] : sums.take_dirty_pages()) {
        Bytes key(meta_leaf_prefix);
        ByteWriter(key).u32(page);
        meta[std::move(key)] = std::move(bytes);
    }
}

Result<void> Group::read_base(VersionVector& vv, Hlc& hlc) {
    SYNCLINE_TRY(const std::optional<Bytes> vv_row, store_.get_base(Table::meta, meta_vv));
    SYNCLINE_TRY(const std::optional<Bytes> state, store_.get_base(Table::meta, meta_state));
    if (!vv_row || !state) {
        return Error{Code::corrupt, "the checkpoint lacks its version vector"};
    }
    ByteReader vv_in(*vv_row);
    vv = read_version_vector(vv_in);
    ByteReader in(*state);
    hlc = Hlc{in.u64()};
    if (vv_in.done() && in.ok()) return {};
    return Error{Code::corrupt, "the checkpoint is damaged"};
}

Result<void> Group::load() {
    SYNCLINE_CHECK(conflicts_.load());
    SYNCLINE_TRY(const std::optional<Bytes> vv, store_.get(Table::meta, meta_vv));
    SYNCLINE_TRY(const std::optional<Bytes> state, store_.get(Table::meta, meta_state));
    if (!vv || !state) return Error{Code::corrupt, "the checkpoint lacks its version vector"};
    ByteReader vv_in(*vv);
    vv_ = read_version_vector(vv_in);
    ByteReader in(*state);
    clock_.observe(Hlc{in.u64()});
    keys_count_ = in.varint();
    const std::uint64_t bits = in.varint();
    if (!vv_in.done() || !in.done()) return Error{Code::corrupt, "the checkpoint is damaged"};
    if (bits != leaf_sums_.bits()) {
        return Error{Code::version, "the data have 2^" + std::to_string(bits) +
                                        " leaf sums, not 2^" + std::to_string(leaf_sums_.bits())};
    }
    SYNCLINE_CHECK(load_leaf_sums());
    const Result<void> looked = store_.scan(Table::deadlines, {}, {}, [&](BytesView, BytesView) {
        may_expire_ = true;
        return false;
    });
    if (!looked && looked.error().code != Code::corrupt) return looked;
    if (!looked) may_expire_ = true;
    return {};
}

/// A page that cannot be read, or is missing, gives its buckets sums that their rows do not have.
Result<void> Group::load_leaf_sums() {
    const std::uint32_t pages = leaf_sums_.pages_count();
    for (std::uint32_t page = 0; page < pages; ++page) {
        Bytes key(meta_leaf_prefix);
        ByteWriter(key).u32(page);
        const Result<std::optional<Bytes>> bytes = store_.get(Table::meta, key);
        Result<void> loaded;
        if (!bytes) {
            loaded = bytes.error();
        } else if (*bytes) {
            loaded = leaf_sums_.load_page(page, **bytes);
        }
        if (loaded) continue;
        if (loaded.error().code != Code::corrupt) return loaded;
        for (const std::size_t leaf : leaf_sums_.leaves_of_page(page)) {
            mark_damaged(static_cast<std::uint32_t>(leaf), loaded.error().message);
        }
    }
    return {};
}

Result<void> Group::check() {
    LeafSums sums(leaf_sums_.bits(), leaf_sums_.seed());
    std::map<Bytes, Counts> counted;  // all keys; a string alone counts nothing
    std::map<Bytes, Bytes> derived;   // what table `counts` must hold
    std::map<Bytes, Bytes> deadlines;
    std::map<TextName, std::vector<Text::Row>> texts;
    std::set<TextName> generations;
    Result<void> status;
    const auto visit = [&](BytesView row_key, BytesView value) {
        const auto add = [&]() -> Result<void> {
            SYNCLINE_TRY(const Row row, decode_row(row_key, value));
            sums.add(row_key, value);
            if (row.name.type == text_row_type) {
                SYNCLINE_TRY(const TextRowPlace place, read_text_row_place(row.name.field.value()));
                texts[TextName{row.name.key, place.generation}].emplace_back(place.name,
                                                                             Bytes(row.payload));
                return {};
            }
            SYNCLINE_TRY(const CellType type, type_of(row.name));
            SYNCLINE_TRY(const Cell cell, read_cell(row.payload, type));
            if (type == CellType::text) {
                generations.insert(
                    TextName{row.name.key, generation_from(*row.name.field).value()});
            }
            for (const DotMap::Entry& entry : cell.dots.entries()) {
                if (!vv_.covers(entry.dot)) {
                    return Error{Code::corrupt, "live dot " + to_string(entry.dot) +
                                                    " is not in the version vector"};
                }
            }
            if (type == CellType::expiry) {
                OrderRowKey deadline =
                    encode_deadline_row(expiry_deadline(cell).value(), row.name.key);
                deadlines.emplace(std::move(deadline.bytes), std::move(deadline.value));
            }
            if (!cell.live() || !makes_key(type)) return {};
            Counts& key_counts = counted[row.name.key];
            if (type != CellType::string) ++key_counts.of(type);
            if (!traits_of(type).has_scores) return {};
            OrderRowKey order = encode_order_row(row.name.key, score_type,
                                                 score_order(*score_value(cell)), *row.name.field);
            derived.emplace(std::move(order.bytes), std::move(order.value));
            return {};
        };
        status = add();
        return status.has_value();
    };
    SYNCLINE_CHECK(store_.scan(Table::cells, {}, {}, visit));
    SYNCLINE_CHECK(status);
    if (!(sums == leaf_sums_)) return Error{Code::corrupt, "leaf sums differ from the rows"};
    if (counted.size() != keys_count_) {
        return Error{Code::corrupt, "there are " + std::to_string(counted.size()) +
                                        " keys, counted " + std::to_string(keys_count_)};
    }
    for (const auto& [key, key_counts] : counted) {
        const std::optional<CellType> highest = key_counts.highest();
        if (!highest) continue;
        const RowKey row_key = encode_row_key(key, counts_type, std::nullopt);
        derived.emplace(row_key.bytes, encode_row_value(row_key, key, std::nullopt,
                                                        counts_payload(key_counts, *highest)));
    }
    SYNCLINE_CHECK(check_texts(std::move(texts), generations));
    SYNCLINE_CHECK(check_derived(Table::deadlines, deadlines));
    SYNCLINE_CHECK(check_ranks());
    return check_derived(Table::counts, derived);
}

/// Whether a table holds these rows and no others.
Result<void> Group::check_derived(Table table, const std::map<Bytes, Bytes>& expected) {
    auto next = expected.begin();
    Result<void> status;
    const auto visit = [&](BytesView row_key, BytesView value) {
        if (next != expected.end() && next->first == row_key && next->second == value) {
            ++next;
            return true;
        }
        status = Error{Code::corrupt, "derived row " + printable(row_key) + " is wrong"};
        return false;
    };
    SYNCLINE_CHECK(store_.scan(table, {}, {}, visit));
    SYNCLINE_CHECK(status);
    if (next == expected.end()) return {};
    return Error{Code::corrupt, "derived row " + printable(next->first) + " is missing"};
}

}  // namespace syncline
