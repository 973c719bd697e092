#pragma once
#include <map>
#include <set>

#include "core/backup/reader.hpp"
#include "core/engine/group.hpp"
#include "storage/base.hpp"

namespace syncline {

/// Makes the state of a backup in an empty base. Rows are joined into an empty group, as those of a
/// peer's snapshot are, so that everything derived is made anew; then events are applied, but for
/// their changes of rows that came from a checkpoint behind them, which have them already. What is
/// left are exactly the applications that the replica did after each row's checkpoint.
/// Removals of ranges are not filtered: what they would remove is gone from such rows.
/// Thread-safety: confined to one thread; the base must outlive it.
class StateBuilder final : public BackupVisitor {
public:
    StateBuilder(Base& base, const BackupManifest& manifest);

    Result<void> on_rows(const RowsBlock& block, const MarkBlock& mark) override;
    Result<void> on_rows_end() override;
    Result<void> on_event(const Event& event, Position next) override;

    /// Everything has come: collects what the replica had, and checks the fingerprint.
    /// Error corrupt: the rows are not those of the replica.
    Result<void> check();
    /// Removes all bounded counters, and answers with their values: rights that nobody holds any
    /// more are to be made anew. To be called after check().
    Result<std::map<Bytes, std::int64_t>> take_bounded_counters();
    /// Commits all with its checkpoint. `hash_seed`: of the cluster that the state goes on in;
    /// `log_id`: of the log beside the base. At last.
    Result<void> finish(std::uint64_t hash_seed, std::uint64_t log_id);

    [[nodiscard]] Group& group() { return group_; }

private:
    [[nodiscard]] Position copied_at(BytesView row_key) const;
    [[nodiscard]] bool stands(const Op& op, Position next) const;
    Result<void> join_texts();
    Result<void> commit(RowChanges meta);
    Result<void> commit_if_large();
    Result<void> forget_conflicts();
    Result<void> hash_anew(std::uint64_t hash_seed, RowChanges& meta);

    const BackupManifest& manifest_;
    Base& base_;
    Store store_;
    Group group_;
    /// End of a range of row keys -> position of the checkpoint that it was read from. Empty: none.
    std::map<Bytes, Position> copied_;
    Position last_copied_ = 0;
    std::map<Bytes, std::optional<Bytes>> text_rows_;  // of the slice under way
    std::set<Bytes> bounded_counters_;
};

}  // namespace syncline
