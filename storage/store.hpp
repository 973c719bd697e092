#pragma once
#include <memory>
#include <vector>

#include "storage/base.hpp"
#include "storage/log.hpp"

namespace syncline {

/// Rows as they are now: an ordered overlay of what changed since the last checkpoint, over the
/// base. Each overlay entry carries the log position after its last change, so that a reader can
/// wait until what it saw is durable.
/// Thread-safety: confined to one thread, except Checkpoint::commit.
class Store {
public:
    /// The overlay that is being written into the base, and the meta rows that go with it.
    class Checkpoint {
    public:
        /// One durable base transaction. Runs on the checkpoint thread. Error no_space: it may be
        /// called again later; any other is final.
        Result<void> commit();
        [[nodiscard]] Position position() const;

    private:
        friend class Store;
        struct State;
        std::shared_ptr<State> state_;
    };

    explicit Store(Base& base);
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    /// Overlay first, then base. Errors: those of Base::get.
    Result<std::optional<Bytes>> get(Table table, BytesView key);
    /// The same without a copy. The view lives until the row changes, or the turn ends.
    Result<std::optional<BytesView>> view(Table table, BytesView key);
    /// Rows with from <= key < to (to empty: no bound) in key order, overlay merged over base.
    /// The visitor must not change the store.
    Result<void> scan(Table table, BytesView from, BytesView to, const RowVisitor& visit);
    /// The same, with the checks of Base::scan_checked.
    Result<bool> scan_checked(Table table, BytesView from, BytesView to, const RowVisitor& visit);
    /// The same in descending order.
    Result<void> scan_reverse(Table table, BytesView from, BytesView to, const RowVisitor& visit);
    /// As scan() over the base alone: rows of the last finished checkpoint.
    Result<void> scan_base(Table table, BytesView from, BytesView to, const RowVisitor& visit);

    /// The row as of the last finished checkpoint.
    Result<std::optional<Bytes>> get_base(Table table, BytesView key);
    /// Keys of a range that were put or erased since the last checkpoint was begun, in order.
    [[nodiscard]] std::vector<Bytes> changed_keys(Table table, const RowRange& range) const;

    void put(Table table, BytesView key, Bytes value, Position position);
    void erase(Table table, BytesView key, Position position);
    /// Erases all rows of a range. Takes no memory for rows that only the base has.
    /// O(changed rows there).
    void erase_range(Table table, const RowRange& range, Position position);

    /// The largest position among entries seen by get and scan since the last call; 0 if all came
    /// from the base. Erased entries count.
    Position take_seen();
    /// The same without forgetting it.
    [[nodiscard]] Position seen() const;
    /// A reader relied on something else that was made at this position.
    void see(Position position);

    /// Moves the overlay aside and couples it with `meta` rows and the log position they describe.
    /// Precondition: no checkpoint is under way.
    /// What `purges` say is removed from the base before.
    Checkpoint begin_checkpoint(Position position, RowChanges meta, std::vector<Purge> purges = {});
    /// After Checkpoint::commit succeeded: the base now holds it, the overlay part is dropped.
    /// Returns what is left of it: freeing takes time in proportion to its rows, so hand it to
    /// another thread, or ignore it.
    std::shared_ptr<const void> finish_checkpoint();
    [[nodiscard]] bool checkpoint_under_way() const;

    /// Writes rows that were not born in the log straight to the base, in one durable transaction.
    /// Precondition: overlay empty, no checkpoint under way.
    Result<void> commit_base(const BaseChanges& changes);

    /// A row of tables `cells` or `counts` failed its checksum since the last call.
    bool take_damage();

    /// Rows of the base disagree with what is known of them; see Base::distrust.
    void distrust();

    /// Memory held by the overlay, both parts, in bytes (estimate).
    [[nodiscard]] std::size_t overlay_bytes() const;
    struct Amount {
        std::size_t bytes = 0;
        std::size_t rows = 0;
    };
    /// The part that collects changes, and the one that a checkpoint writes.
    [[nodiscard]] Amount active_amount() const;
    [[nodiscard]] Amount flushing_amount() const;
    /// Somebody waits for the checkpoint that is under way, or for the next; see Base::hurry.
    void hurry(bool waited_for);
    /// No row waits for a checkpoint.
    [[nodiscard]] bool overlay_empty() const;

    void end_turn();

    /// Of the base.
    [[nodiscard]] BaseSpace space() const;
    Result<bool> grow(std::uint64_t map_bytes);
    Result<unsigned> check_readers();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace syncline
