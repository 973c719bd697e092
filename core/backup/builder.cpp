#include "core/backup/builder.hpp"

#include <algorithm>

#include "core/base/hash.hpp"
#include "core/engine/replica.hpp"
#include "crdt/bounded_counter.hpp"

namespace syncline {
namespace {

/// Committed to the base at a time.
constexpr std::size_t overlay_bytes_target = 32 * limits::mib;
constexpr std::size_t collected_rows_at_a_time = 10000;
/// Of the base's map, before a commit.
constexpr std::uint64_t map_room_min = 4096 * std::uint64_t{limits::mib};

Bytes row_key_of(const CellOp& change) {
    const std::optional<BytesView> field =
        change.field ? std::optional<BytesView>(*change.field) : std::nullopt;
    return encode_row_key(change.key, static_cast<std::uint8_t>(change.type), field).bytes;
}

}  // namespace

/// Conflicts between transactions of the backup were recorded where they met, not here.
StateBuilder::StateBuilder(Base& base, const BackupManifest& manifest)
    : manifest_(manifest),
      base_(base),
      store_(base),
      group_(store_, manifest.leaf_bits, hash64(to_bytes(manifest.cluster)),
             ConflictOptions{0, false}) {
    store_.hurry(true);
}

Result<void> StateBuilder::on_rows(const RowsBlock& block, const MarkBlock& mark) {
    for (const auto& [key, value] : block.rows) {
        SYNCLINE_TRY(const Row row, decode_row(key, value));
        if (row.name.type == text_row_type) {
            text_rows_.emplace(key, Bytes(value));
            continue;
        }
        if (row.name.type == static_cast<std::uint8_t>(CellType::bounded_counter)) {
            bounded_counters_.insert(row.name.key);
        }
        SYNCLINE_CHECK(group_.join_row(key, value, mark.vv, 0));
    }
    if (!block.ends_slice) return {};
    SYNCLINE_CHECK(join_texts());
    // Neighbours of one checkpoint are one range.
    if (!copied_.empty() && last_copied_ == mark.position) copied_.erase(std::prev(copied_.end()));
    last_copied_ = mark.position;
    if (!block.to.empty()) copied_.emplace(block.to, mark.position);
    return commit_if_large();
}

/// A slice holds texts whole.
Result<void> StateBuilder::join_texts() {
    if (text_rows_.empty()) return {};
    SYNCLINE_TRY(const Group::PeerTexts texts, group_.peer_texts(text_rows_));
    text_rows_.clear();
    return group_.join_texts(texts, 0);
}

Result<void> StateBuilder::on_rows_end() {
    return group_.adopt(manifest_.vv_from, Hlc{}, 0);
}

/// The position of the checkpoint that has the row's range.
Position StateBuilder::copied_at(BytesView row_key) const {
    const auto range = copied_.upper_bound(Bytes(row_key));
    return range == copied_.end() ? last_copied_ : range->second;
}

/// Whether the change is still to be made.
bool StateBuilder::stands(const Op& op, Position next) const {
    if (const auto* const change = std::get_if<CellOp>(&op)) {
        return next > copied_at(row_key_of(*change));
    }
    if (const auto* const edit = std::get_if<TextEdit>(&op)) {
        // The cell of the generation and all rows of the text are of one slice.
        const Bytes field = generation_field(edit->generation);
        const auto type = static_cast<std::uint8_t>(CellType::text);
        return next > copied_at(encode_row_key(edit->key, type, BytesView(field)).bytes);
    }
    return true;
}

Result<void> StateBuilder::on_event(const Event& event, Position next) {
    Event left = event;
    std::erase_if(left.ops, [&](const Op& op) { return !stands(op, next); });
    for (const Op& op : left.ops) {
        const auto* const change = std::get_if<CellOp>(&op);
        if (change != nullptr && change->type == CellType::bounded_counter) {
            bounded_counters_.insert(change->key);
        }
    }
    SYNCLINE_CHECK(group_.apply(left, 0));
    return commit_if_large();
}

Result<void> StateBuilder::commit_if_large() {
    store_.end_turn();
    return store_.overlay_bytes() < overlay_bytes_target ? Result<void>() : commit({});
}

Result<void> StateBuilder::commit(RowChanges meta) {
    const BaseSpace space = base_.space();  // nobody else lets it grow
    if (space.map_bytes > 0 && space.map_bytes - space.file_bytes < map_room_min) {
        SYNCLINE_CHECK(base_.grow(2 * space.map_bytes));
    }
    Store::Checkpoint checkpoint = store_.begin_checkpoint(0, std::move(meta));
    SYNCLINE_CHECK(checkpoint.commit());
    (void)store_.finish_checkpoint();  // nobody waits: freed here
    return {};
}

/// The ring keeps nothing, but counted; a new replica has recorded nothing.
Result<void> StateBuilder::forget_conflicts() {
    std::vector<Bytes> keys;
    SYNCLINE_CHECK(store_.scan(Table::conflicts, {}, {}, [&](BytesView key, BytesView) {
        keys.emplace_back(key);
        return true;
    }));
    for (const Bytes& key : keys) store_.erase(Table::conflicts, key, 0);
    return {};
}

Result<void> StateBuilder::check() {
    group_.clock().observe(manifest_.hlc);
    if (group_.vv() != manifest_.vv) {
        return Error{Code::corrupt, "the restored state holds " + to_string(group_.vv()) +
                                        ", the backup's is " + to_string(manifest_.vv)};
    }
    if (manifest_.collects) {
        group_.begin_noting_collectable();
        group_.begin_collection(manifest_.cut);
        for (bool done = false; !done;) {
            SYNCLINE_TRY(done, group_.collect(collected_rows_at_a_time, 0));
            SYNCLINE_CHECK(commit_if_large());
        }
    }
    if (!group_.damaged().empty()) {
        return Error{Code::corrupt, "rows of the backup do not fit each other"};
    }
    const LeafSum root = group_.leaf_sums().root();
    if (manifest_.root_is_exact() && root != manifest_.root) {
        return Error{Code::corrupt, "the restored rows (" + std::to_string(root.count) + ", " +
                                        to_hex(root.sum) + ") are not those of the replica (" +
                                        std::to_string(manifest_.root.count) + ", " +
                                        to_hex(manifest_.root.sum) + ")"};
    }
    return {};
}

Result<std::map<Bytes, std::int64_t>> StateBuilder::take_bounded_counters() {
    constexpr auto type = CellType::bounded_counter;
    std::map<Bytes, std::int64_t> values;
    for (const Bytes& key : bounded_counters_) {
        BoundedCounter counter;
        std::vector<Bytes> rows;
        SYNCLINE_CHECK(group_.scan_cells(key, type, [&](BytesView field, const Cell& cell) {
            const DotMap::Entry* const entry = cell.dots.winner();
            if (entry != nullptr) {  // neither name nor number is read in another form
                counter.add(rights_row(field).value(),
                            rights_from_bytes(entry->payload.value).value());
            }
            rows.push_back(encode_row_key(key, static_cast<std::uint8_t>(type), field).bytes);
            return true;
        }));
        if (counter.exists()) values.emplace(key, counter.value());
        for (const Bytes& row : rows) {
            SYNCLINE_CHECK(group_.join_row(row, std::nullopt, manifest_.vv, 0));
        }
        SYNCLINE_CHECK(commit_if_large());
    }
    SYNCLINE_CHECK(group_.adopt(manifest_.vv, manifest_.hlc, 0));
    return values;
}

Result<void> StateBuilder::finish(std::uint64_t hash_seed, std::uint64_t log_id) {
    SYNCLINE_CHECK(forget_conflicts());
    RowChanges meta;
    group_.save(meta);
    ConflictRing(store_, 0).save(meta);
    SYNCLINE_CHECK(hash_anew(hash_seed, meta));
    Replica::describe_restored(meta, log_id, manifest_.vv, manifest_.cut);
    return commit(std::move(meta));
}

/// Another cluster hashes its rows with another seed.
Result<void> StateBuilder::hash_anew(std::uint64_t hash_seed, RowChanges& meta) {
    if (hash_seed == group_.leaf_sums().seed()) return {};
    LeafSums sums(manifest_.leaf_bits, hash_seed);
    SYNCLINE_CHECK(store_.scan(Table::cells, {}, {}, [&](BytesView key, BytesView value) {
        sums.add(key, value);
        return true;
    }));
    Group::save_leaf_sums(sums, meta);
    return {};
}

}  // namespace syncline
