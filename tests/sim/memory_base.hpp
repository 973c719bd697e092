#pragma once
#include <array>
#include <map>
#include <memory>

#include "storage/base.hpp"

namespace syncline::sim {

/// A base in memory: a commit happens whole or not at all, and survives crashes. Readers of one
/// turn share a view from before later commits, as an LMDB read transaction gives them.
class MemoryBase final : public Base {
public:
    MemoryBase() : rows_(std::make_shared<Tables>()) {}

    Result<std::optional<Bytes>> get(Table table, BytesView key) override;
    Result<std::optional<BytesView>> view(Table table, BytesView key) override;
    using Base::commit;
    using Base::scan;
    Result<void> scan(Table table, BytesView from, BytesView to, const RowVisitor& visit) override;
    Result<void> scan_reverse(Table table, BytesView from, BytesView to,
                              const RowVisitor& visit) override;
    Result<void> commit(const BaseChanges& changes,
                        const std::vector<ErasedRange>& erased) override;
    Result<void> purge(const std::vector<Purge>& purges) override;
    void end_turn() override { view_.reset(); }

    /// Another base with the same committed rows.
    [[nodiscard]] std::unique_ptr<MemoryBase> clone() const;

private:
    using Rows = std::map<Bytes, Bytes, std::less<>>;
    using Tables = std::array<Rows, tables_count>;

    const Rows& rows_in_view(Table table);
    void erase(Table table, const RowRange& range);

    std::shared_ptr<Tables> rows_;  // shared with the view of the running turn
    std::shared_ptr<const Tables> view_;
};

}  // namespace syncline::sim
