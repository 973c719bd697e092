#pragma once
#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "core/base/env.hpp"
#include "storage/base.hpp"

namespace syncline::sim {

/// A base in memory: a commit happens whole or not at all, and survives crashes. Readers of one
/// turn share a view from before later commits, as an LMDB read transaction gives them.
class MemoryBase final : public Base {
public:
    MemoryBase() : state_(std::make_shared<State>()) {}

    Result<std::optional<Bytes>> get(Table table, BytesView key) override;
    Result<std::optional<BytesView>> view(Table table, BytesView key) override;
    using Base::commit;
    using Base::scan;
    Result<void> scan(Table table, BytesView from, BytesView to, const RowVisitor& visit) override;
    Result<void> scan_reverse(Table table, BytesView from, BytesView to,
                              const RowVisitor& visit) override;
    Result<void> commit(const BaseChangeViews& changes,
                        const std::vector<ErasedRange>& erased) override;
    Result<void> purge(const std::vector<Purge>& purges) override;
    void end_turn() override { view_.reset(); }

    /// Another base with the same committed rows.
    [[nodiscard]] std::unique_ptr<MemoryBase> clone() const;
    /// Its rows are replaced by those of another one.
    void become(const MemoryBase& other);

    /// What bit rot does to a row of cells or counts. Silent: nothing but the sums of buckets shows
    /// it, as when a page is led back to one of long ago.
    enum class Rot : std::uint8_t { checksum, lost, stale };
    /// Any row; what happened to it, or nothing if there is none that it can happen to.
    std::optional<std::string> rot(Random& random, Rot kind);
    /// Rows that fail their checksums now.
    [[nodiscard]] std::size_t rotten() const;

private:
    using Rows = std::map<Bytes, Bytes, std::less<>>;
    struct State {
        std::array<Rows, tables_count> rows;
        std::array<std::set<Bytes, std::less<>>, tables_count> rotten;
    };

    State& changeable();
    const State& in_view();
    [[nodiscard]] static Error damaged(BytesView key);
    void erase(Table table, const RowRange& range);

    std::shared_ptr<State> state_;  // shared with the view of the running turn
    std::shared_ptr<const State> view_;
    std::array<Rows, tables_count> old_;  // what the last commit wrote over
};

}  // namespace syncline::sim
