// Rows that are not what they should be: how a group finds out, and what it does about it.
//
// A row carries a checksum, but a lost row has none, and a damaged page can lead to an older
// version of a row that is in order in itself. The leaf sums know better: they follow every change,
// and come back with each checkpoint. So the rows of a bucket are added up before the first of them
// is shown to anybody since the start; a bucket that differs from its sum is frozen until a peer's
// rows take the place of all in it. Events pass it by: the peer must have seen them.
#include <algorithm>
#include <bit>

#include "core/base/log.hpp"
#include "core/engine/group.hpp"
#include "crdt/expiry.hpp"
#include "crdt/position.hpp"
#include "crdt/score.hpp"

namespace syncline {
namespace {

/// A bucket with more rows is not looked at while somebody waits for one of them; a pass over all
/// rows is made soon instead.
constexpr std::uint64_t verified_at_once_max = 16384;
/// Attempts to put derived rows anew from the cells, for each bucket.
constexpr unsigned rebuilds_max = 3;
/// Damaged buckets that have a line of the log each.
constexpr std::size_t damage_lines_max = 16;
constexpr std::size_t row_hash_bytes = 8;
constexpr std::size_t hash128_bytes = 16;
constexpr auto scored = static_cast<std::uint8_t>(CellType::sorted_set);
constexpr auto string_type = static_cast<std::uint8_t>(CellType::string);
/// The first byte of a length that takes two; and the mark of a hashed key (storage/FORMAT.md).
constexpr std::uint8_t long_length_min = 0xF0;
constexpr std::uint8_t hashed_mark = 0xFF;

/// How many bytes of a row key stand in front of the type; nothing: it is too short.
std::optional<std::size_t> type_offset(BytesView row_key) {
    if (row_key.size() < row_hash_bytes + 2) return std::nullopt;
    const auto first = static_cast<std::uint8_t>(row_key[row_hash_bytes]);
    std::size_t offset = row_hash_bytes + 1;
    if (first == hashed_mark) {
        offset += hash128_bytes;
    } else if (first < long_length_min) {
        offset += first;
    } else {
        const auto second = static_cast<std::uint8_t>(row_key[row_hash_bytes + 1]);
        offset += 1 + (std::size_t{first} - long_length_min) * 256 + second;
    }
    if (offset >= row_key.size()) return std::nullopt;
    return offset;
}

bool is_damage(const Error& error) {
    return error.code == Code::corrupt;
}

}  // namespace

bool BucketCheck::has_passed(BytesView row_key) const {
    if (row_key < range.first || (!range.last.empty() && row_key >= range.last)) return false;
    return phase != Phase::cells || row_key < cursor;
}

std::uint32_t Group::bucket_of(BytesView key) const {
    return static_cast<std::uint32_t>(key_hash(key) >> (64 - leaf_sums_.bits()));
}

RowRange Group::rows_of_bucket(std::uint32_t bucket) const {
    return rows_of_prefix(bucket, leaf_sums_.bits());
}

Result<void> Group::trust(BytesView key) {
    if (taking_in_) return {};
    const Result<void> trusted = trust_bucket(bucket_of(key));
    return trusted ? trusted : trusted.error().in("key " + printable(key));
}

/// To be asked before anything of it is shown.
Result<void> Group::trust_bucket(std::uint32_t bucket) {
    if (bucket_states_[bucket] == BucketState::unverified) {
        if (base_empty_) {
            bucket_states_[bucket] = BucketState::verified;
        } else if (leaf_sums_.leaf(bucket).count <= verified_at_once_max) {
            SYNCLINE_CHECK(verify_bucket(bucket));
        } else {
            scrub_wanted_ = true;
        }
    }
    switch (bucket_states_[bucket]) {
        case BucketState::unverified:
        case BucketState::verified:
            return {};
        case BucketState::rebuilding:
        case BucketState::restoring:
            return Error{Code::unavailable, "damaged rows are being repaired"};
        case BucketState::damaged:
            break;
    }
    return Error{Code::corrupt, "rows are damaged (bucket " + std::to_string(bucket) +
                                    "): a peer's must take their place"};
}

/// A walk over rows meets only those that are there: buckets it passes are looked at as wholes.
Result<void> Group::trust_walk(BytesView from, std::optional<BytesView> to) {
    const auto bucket_at = [&](BytesView row_key) {
        return row_key.size() < row_hash_bytes ? std::size_t{0} : leaf_sums_.bucket(row_key);
    };
    const std::size_t last = to ? bucket_at(*to) : bucket_states_.size() - 1;
    for (std::size_t bucket = bucket_at(from); bucket <= last; ++bucket) {
        // One that is damaged may have no row left, and is empty only for who does not know.
        const BucketState state = bucket_states_[bucket];
        const bool empty = leaf_sums_.leaf(bucket).count == 0;
        if (state == BucketState::verified || (state == BucketState::unverified && empty)) continue;
        SYNCLINE_CHECK(trust_bucket(static_cast<std::uint32_t>(bucket)));
    }
    return {};
}

void Group::distrust() {
    forget_verified();
    scrub_wanted_ = true;
}

void Group::forget_verified() {
    for (BucketState& state : bucket_states_) {
        if (state == BucketState::verified) state = BucketState::unverified;
    }
}

void Group::trust_empty_base() {
    SYNCLINE_ASSERT(leaf_sums_.root().count == 0);
    base_empty_ = true;
}

void Group::distrust(std::uint32_t bucket) {
    BucketState& state = bucket_states_[bucket];
    if (state == BucketState::verified) state = BucketState::unverified;
}

Result<void> Group::verify_bucket(std::uint32_t bucket) {
    if (bucket_states_[bucket] > BucketState::verified) return {};
    BucketCheck check = begin_check(bucket, false);
    // Nobody waits for rows that only this has looked at.
    const Position seen = store_.take_seen();
    Result<void> looked;
    while (looked && !check.done()) looked = continue_check(check, ~std::size_t{0});
    (void)store_.take_seen();
    store_.see(seen);
    SYNCLINE_CHECK(looked);
    return finish_check(check);
}

/// With the count of its key. A bucket with a row that cannot be read is looked at as a whole.
Result<bool> Group::is_readable(BytesView row_key) {
    const auto bucket = static_cast<std::uint32_t>(leaf_sums_.bucket(row_key));
    const auto can_read = [&](Table table, BytesView key) -> Result<bool> {
        const Result<std::optional<BytesView>> row = store_.view(table, key);
        if (row) return true;
        if (!is_damage(row.error())) return row.error();
        return false;
    };
    SYNCLINE_TRY(bool readable, can_read(Table::cells, row_key));
    if (const std::optional<std::size_t> offset = type_offset(row_key); readable && offset) {
        const Bytes count = Bytes(row_key.substr(0, *offset)) + '\0';  // where a type would be
        SYNCLINE_TRY(readable, can_read(Table::counts, count));
    }
    if (readable) return true;
    distrust(bucket);
    SYNCLINE_CHECK(verify_bucket(bucket));
    return false;
}

BucketCheck Group::begin_check(std::uint32_t bucket, bool thorough) const {
    BucketCheck check;
    check.bucket = bucket;
    check.thorough = thorough;
    check.range = rows_of_bucket(bucket);
    check.cursor = check.range.first;
    check.seen.from = check.range.first;
    check.seen.to = check.range.first;
    return check;
}

/// Looks at some more rows. Errors: of storage, but damage is noted in the check.
Result<void> Group::continue_check(BucketCheck& check, std::size_t rows_max) {
    const bool cells = check.phase == BucketCheck::Phase::cells;
    const Table table = cells ? Table::cells : Table::counts;
    std::size_t looked = 0;
    Result<void> status;
    const auto visit = [&](BytesView row_key, BytesView value) {
        ++check.looked;
        ++(cells ? check.rows : check.derived);
        check.bytes += row_key.size() + value.size();
        status =
            cells ? check_cell(check, row_key, value) : check_derived_row(check, row_key, value);
        check.cursor = successor(row_key);
        if (cells) check.seen.to = check.cursor;
        return status.has_value() && ++looked < rows_max;
    };
    const Bytes from = check.cursor;  // which moves on meanwhile
    const Result<bool> all_sound = store_.scan_checked(table, from, check.range.last, visit);
    if (all_sound && !*all_sound) purge_damaged_rows(table);
    const Result<void> scanned = all_sound ? Result<void>() : all_sound.error();
    for (const Result<void>* const result : {&scanned, &std::as_const(status)}) {
        if (*result) continue;
        if (!is_damage(result->error())) return *result;
        (cells ? check.cells_fault : check.derived_fault) = result->error().message;
        if (cells) check.phase = BucketCheck::Phase::done;  // nothing more can be said
    }
    if (looked >= rows_max || check.done()) return {};
    if (!cells) {
        check.phase = BucketCheck::Phase::done;
        if (!check.disturbed && check.derived != derived_rows_of(check)) {
            check.derived_fault = "derived rows are missing where they are walked";
        }
        return {};
    }
    if (!(check.seen.sum == leaf_sums_.leaf(check.bucket))) {
        check.cells_fault = "the rows do not add up to their sum";
        check.phase = BucketCheck::Phase::done;
        return {};
    }
    check.phase = BucketCheck::Phase::derived;
    check.cursor = check.range.first;
    check.seen.to = check.seen.from;  // nothing more to be added
    return check_counts(check);
}

Result<void> Group::check_cell(BucketCheck& check, BytesView row_key, BytesView value) {
    check.seen.sum += leaf_sums_.row(row_key, value);
    const std::optional<std::size_t> offset = type_offset(row_key);
    if (!offset) return Error{Code::corrupt, "a row has an impossible key"};
    const auto type_number = static_cast<std::uint8_t>(row_key[*offset]);
    if (type_number == text_row_type) return {};
    if (type_number == string_type && !check.thorough) return {};
    SYNCLINE_TRY(const Row row, decode_row(row_key, value));
    const std::optional<CellType> type = cell_type_from(row.name.type);
    if (!type) return Error{Code::corrupt, "row of unknown type " + std::to_string(type_number)};
    SYNCLINE_TRY(const Cell cell, read_cell(row.payload, *type));
    for (const DotMap::Entry& entry : cell.dots.entries()) {
        if (!vv_.covers(entry.dot)) {
            return Error{Code::corrupt, "live dot " + to_string(entry.dot) + " was never seen"};
        }
    }
    if (*type == CellType::expiry) {
        const std::optional<std::uint64_t> deadline = expiry_deadline(cell);
        if (!deadline) return {};
        may_expire_ = true;
        const OrderRowKey expected = encode_deadline_row(*deadline, row.name.key);
        return expect_row(check, Table::deadlines, expected);
    }
    if (!cell.live() || !makes_key(*type)) return {};
    ++check.live[row.name.key][row.name.type];
    if (!traits_of(*type).has_scores) return {};
    check.order_prefixes.emplace(order_rows_prefix(row.name.key, scored), row.name.key);
    return expect_row(check, Table::counts,
                      encode_order_row(row.name.key, scored, score_order(*score_value(cell)),
                                       row.name.field.value_or(Bytes())));
}

/// Whether a derived row is there, as its cell says.
Result<void> Group::expect_row(BucketCheck& check, Table table, const OrderRowKey& expected) {
    const Result<std::optional<Bytes>> found = store_.get(table, expected.bytes);
    if (!found && !is_damage(found.error())) return found.error();
    if (found && *found == expected.value) return {};
    check.derived_fault = "derived row " + printable(expected.bytes) +
                          (found ? " is missing or wrong" : " fails its checksum");
    return {};
}

bool Group::count_is_right(const BucketCheck::Live& live, const Counts& found) {
    Counts expected;
    for (const auto& [number, count] : live) {
        if (number != string_type) expected.of(cell_type_from(number).value()) = count;
    }
    return expected == found;
}

/// When all cells of the bucket have been seen: are their counts there?
Result<void> Group::check_counts(BucketCheck& check) {
    for (const auto& [key, live] : check.live) {
        const Result<Counts> found = counts(key);
        if (!found && !is_damage(found.error())) return found.error();
        if (found && count_is_right(live, *found)) continue;
        check.derived_fault = "the count of key " + printable(key) + " is damaged";
    }
    return {};
}

/// How many rows table `counts` should have: a count for each key that is more than a string, and
/// the order of scores. A row that can be looked up may still be passed by who walks there.
std::uint64_t Group::derived_rows_of(const BucketCheck& check) {
    std::uint64_t rows = 0;
    for (const auto& [key, live] : check.live) {
        const bool counted = std::any_of(live.begin(), live.end(), [](const auto& entry) {
            return entry.first != string_type && entry.second > 0;
        });
        const auto scores = live.find(scored);
        rows += (counted ? 1 : 0) + (scores == live.end() ? 0 : scores->second);
    }
    return rows;
}

/// Damaged rows beside those of a bucket whose own are in order, as far as they can be found.
/// Should it be the key of one that is damaged, it would hide others as soon as a checkpoint puts
/// rows around it. The bucket that it is missing from is found by a scrub.
void Group::purge_damaged_rows(Table table) {
    const bool known = std::any_of(purges_.begin(), purges_.end(), [&](const Purge& purge) {
        return purge.table == table && !purge.range;
    });
    if (known) return;
    store_.distrust();
    purges_.push_back(Purge{table, std::nullopt});
    scrub_wanted_ = scrub_wanted_ || scrub_check_ == nullptr;
}

/// A row of table `counts`: does its cell say the same?
Result<void> Group::check_derived_row(BucketCheck& check, BytesView row_key, BytesView value) {
    const std::optional<std::size_t> offset = type_offset(row_key);
    const Error surplus{Code::corrupt, "derived row " + printable(row_key) + " stands for nothing"};
    if (!offset) return surplus;
    if (row_key[*offset] == 0) {
        SYNCLINE_TRY(const Row row, decode_row(row_key, value));
        const auto live = check.live.find(row.name.key);
        if (live == check.live.end()) return surplus;
        SYNCLINE_TRY(const Counts found, counts(row.name.key));
        if (count_is_right(live->second, found)) return {};
        return Error{Code::corrupt, "the count of key " + printable(row.name.key) + " is wrong"};
    }
    const auto prefix = check.order_prefixes.find(Bytes(row_key.substr(0, *offset + 1)));
    if (prefix == check.order_prefixes.end()) return surplus;
    SYNCLINE_TRY(const OrderRow order, decode_order_row(prefix->first, row_key, value));
    SYNCLINE_TRY(const Cell cell,
                 cell_unchecked(prefix->second, CellType::sorted_set, order.member));
    const std::optional<double> score = score_value(cell);
    if (score && score_order(*score) == order.order) return {};
    return surplus;
}

/// Keeps a check that is under way in step with a change of a row it has passed.
void Group::adjust_check(BytesView row_key, const RowName& name, CellType type,
                         const Cell& old_cell, const Cell& new_cell) {
    if (scrub_check_ == nullptr || !scrub_check_->has_passed(row_key)) return;
    scrub_check_->disturbed =
        scrub_check_->disturbed || scrub_check_->phase == BucketCheck::Phase::derived;
    if (traits_of(type).has_scores && new_cell.live()) {
        scrub_check_->order_prefixes.emplace(order_rows_prefix(name.key, scored), name.key);
    }
    if (!makes_key(type) || old_cell.live() == new_cell.live()) return;
    const auto live = scrub_check_->live.try_emplace(name.key).first;
    std::uint64_t& count = live->second[name.type];
    count = new_cell.live() ? count + 1 : count - 1;
    if (count == 0) live->second.erase(name.type);
    if (live->second.empty()) scrub_check_->live.erase(live);
}

/// What was found becomes the bucket's state.
Result<void> Group::finish_check(const BucketCheck& check) {
    if (bucket_states_[check.bucket] > BucketState::verified) return {};
    if (check.cells_fault) {
        mark_damaged(check.bucket, *check.cells_fault);
        return {};
    }
    if (check.derived_fault) return rebuild_derived(check.bucket, *check.derived_fault);
    bucket_states_[check.bucket] = BucketState::verified;
    return {};
}

void Group::mark_damaged(std::uint32_t bucket, const std::string& reason) {
    (void)store_.take_damage();  // it is known now
    store_.distrust();
    ++passed_by_;  // an operation may have been left half done
    if (bucket_states_[bucket] == BucketState::damaged) return;
    bucket_states_[bucket] = BucketState::damaged;
    damaged_.insert_or_assign(bucket, reason);
    ++damages_;
    finding_ = "bucket " + std::to_string(bucket) + ": " + reason;
    leaf_sums_.spoil(bucket);
    texts_.forget_if([&](const TextName& name) { return bucket_of(name.key) == bucket; });
    // A lost page of sums damages hundreds of buckets: from here on the log tells of each doubling.
    const std::size_t count = damaged_.size();
    if (count > damage_lines_max && !std::has_single_bit(count)) return;
    log(LogLevel::error, "storage.damaged",
        {{"bucket", std::to_string(bucket)},
         {"reason", reason},
         {"damaged_buckets", std::to_string(count)}});
}

/// The error of an operation on rows of this bucket: damage freezes the bucket, and is no error of
/// whoever brought the operation.
Result<void> Group::absorb_damage(std::uint32_t bucket, const Result<void>& result) {
    if (result || !is_damage(result.error())) return result;
    mark_damaged(bucket, result.error().message);
    return {};
}

/// Cells are in order, and what is derived from them is not: it is put anew. Until a checkpoint has
/// taken away what cannot be read in the base the bucket is shown to nobody.
Result<void> Group::rebuild_derived(std::uint32_t bucket, const std::string& reason) {
    // What comes back after a checkpoint did not go by it: then the whole bucket is fetched anew.
    (void)store_.take_damage();
    store_.distrust();
    if (++rebuilds_[bucket] > rebuilds_max) {
        mark_damaged(bucket, reason);
        return {};
    }
    ++damages_;
    finding_ = "bucket " + std::to_string(bucket) + ": " + reason;
    log(LogLevel::error, "storage.derived_damaged",
        {{"bucket", std::to_string(bucket)}, {"reason", reason}});
    std::map<Bytes, Bytes> rows;
    const RowRange range = rows_of_bucket(bucket);
    const auto visit = [&](BytesView key, BytesView value) {
        rows.emplace(key, value);
        return true;
    };
    Result<void> put = store_.scan(Table::cells, range.first, range.last, visit);
    if (put) put = put_derived(bucket, rows, store_.seen());
    if (!put) return absorb_damage(bucket, put);  // since they were looked at
    bucket_states_[bucket] = BucketState::rebuilding;
    purges_.push_back(Purge{Table::counts, range});
    purges_.push_back(Purge{Table::deadlines, std::nullopt});
    return {};
}

/// Erases what can be read of the derived rows of a bucket, and puts those of these cells.
Result<void> Group::put_derived(std::uint32_t bucket, const std::map<Bytes, Bytes>& rows,
                                Position position) {
    erase_readable(Table::counts, rows_of_bucket(bucket), position);
    edges_ = RangeEdges();
    ranks_ = RankIndex();
    std::map<Bytes, Counts> counted;
    for (const auto& [row_key, value] : rows) {
        SYNCLINE_TRY(const Row row, decode_row(row_key, value));
        const std::optional<CellType> type = cell_type_from(row.name.type);
        if (!type) continue;  // a text's
        SYNCLINE_TRY(const Cell cell, read_cell(row.payload, *type));
        if (notes_collectable_ && cell.collectable(*type)) collectable_.insert(row_key);
        if (*type == CellType::expiry) index_deadline(row.name, Cell(), cell, position);
        if (!cell.live() || !makes_key(*type)) continue;
        if (traits_of(*type).has_scores) index_score(row.name, Cell(), cell, position);
        if (*type != CellType::string) ++counted[row.name.key].of(*type);
    }
    for (const auto& [key, key_counts] : counted) put_counts(key, key_counts, position);
    return {};
}

/// The first damaged row ends the scan: purge() removes what stays.
void Group::erase_readable(Table table, const RowRange& range, Position position) {
    std::vector<Bytes> keys = store_.changed_keys(table, range);
    const auto visit = [&](BytesView key, BytesView /*value*/) {
        keys.emplace_back(key);
        return true;
    };
    (void)store_.scan(table, range.first, range.last, visit);  // damage is known
    for (const Bytes& key : keys) store_.erase(table, key, position);
}

Result<void> Group::restore_bucket(std::uint32_t bucket, const std::map<Bytes, Bytes>& rows,
                                   Position position) {
    const RowRange range = rows_of_bucket(bucket);
    erase_readable(Table::cells, range, position);
    LeafSum sum;
    for (const auto& [row_key, value] : rows) {
        SYNCLINE_ASSERT(leaf_sums_.bucket(row_key) == bucket);
        sum += leaf_sums_.row(row_key, value);
        store_.put(Table::cells, row_key, value, position);
    }
    leaf_sums_.set_leaf(bucket, sum);
    texts_.forget_if([&](const TextName& name) { return bucket_of(name.key) == bucket; });
    SYNCLINE_CHECK(put_derived(bucket, rows, position));
    // The peer may not have collected yet what was collected here long ago.
    collect_from_.clear();
    collected_ = false;
    damaged_.erase(bucket);
    bucket_states_[bucket] = BucketState::restoring;
    purges_.push_back(Purge{Table::cells, range});
    purges_.push_back(Purge{Table::counts, range});
    purges_.push_back(Purge{Table::deadlines, std::nullopt});
    return {};
}

Result<std::optional<Bytes>> Group::check_deadlines(BytesView from, std::size_t rows_max,
                                                    std::uint64_t& faults) {
    std::vector<Bytes> surplus;
    std::optional<Bytes> next;
    std::size_t looked = 0;
    Result<void> status;
    const auto visit = [&](BytesView row_key, BytesView value) {
        const Result<DeadlineRow> row = decode_deadline_row(row_key, value);
        const Result<Cell> cell = row ? cell_unchecked(row->key, CellType::expiry, std::nullopt)
                                      : Result<Cell>(row.error());
        const bool known = row && frozen(row->key);
        if (!known && !cell && !is_damage(cell.error())) status = cell.error();
        if (!known && cell && expiry_deadline(*cell) != row->deadline_ms) {
            surplus.emplace_back(row_key);
        }
        next = successor(row_key);
        return status.has_value() && ++looked < rows_max;
    };
    const Result<void> scanned = store_.scan(Table::deadlines, from, {}, visit);
    SYNCLINE_CHECK(status);
    if (!scanned && !is_damage(scanned.error())) return scanned.error();
    for (const Bytes& row_key : surplus) store_.erase(Table::deadlines, row_key, store_.seen());
    faults += surplus.size();
    if (scanned) return looked < rows_max ? std::nullopt : next;
    // What stood behind the damaged row comes back with the buckets of the keys.
    ++faults;
    ++damages_;
    finding_ = scanned.error().message;
    purges_.push_back(Purge{Table::deadlines, std::nullopt});
    return std::optional<Bytes>();
}

bool Group::finish_count_keys() {
    const bool right = counted_keys_ == keys_count_ || keys_uncertain_;
    keys_uncertain_ = false;
    if (!right) {
        ++damages_;
        finding_ = "there are " + std::to_string(counted_keys_) + " keys, counted " +
                   std::to_string(keys_count_);
    }
    keys_count_ = counted_keys_;
    counted_buckets_ = 0;
    counted_keys_ = 0;
    return right;
}

/// A checkpoint has written the base anew where it was damaged: what was put there is looked at
/// like everything else.
void Group::purged() {
    for (BucketState& state : bucket_states_) {
        if (state == BucketState::rebuilding || state == BucketState::restoring) {
            if (state == BucketState::restoring) {
                ++restored_;
                keys_uncertain_ = true;  // nobody knows how many were there before
                scrub_wanted_ = true;
            }
            state = BucketState::unverified;
        }
    }
}

}  // namespace syncline
