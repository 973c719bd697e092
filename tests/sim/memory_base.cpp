#include "tests/sim/memory_base.hpp"

#include <iterator>

namespace syncline::sim {
namespace {

std::size_t index_of(Table table) {
    return static_cast<std::size_t>(table);
}

}  // namespace

MemoryBase::State& MemoryBase::changeable() {
    if (state_.use_count() > 1) state_ = std::make_shared<State>(*state_);
    return *state_;
}

const MemoryBase::State& MemoryBase::in_view() {
    if (!view_) view_ = state_;
    return *view_;
}

Error MemoryBase::damaged(BytesView key) {
    return Error{Code::corrupt, "base: row " + printable(key) + " fails its checksum"};
}

Result<std::optional<Bytes>> MemoryBase::get(Table table, BytesView key) {
    SYNCLINE_TRY(const std::optional<BytesView> found, view(table, key));
    return found ? std::optional<Bytes>(*found) : std::nullopt;
}

Result<std::optional<BytesView>> MemoryBase::view(Table table, BytesView key) {
    const State& state = in_view();
    if (state.rotten[index_of(table)].contains(key)) return damaged(key);
    const Rows& rows = state.rows[index_of(table)];
    const auto found = rows.find(key);
    if (found == rows.end()) return std::optional<BytesView>();
    return std::optional<BytesView>(found->second);
}

Result<void> MemoryBase::scan(Table table, BytesView from, BytesView to, const RowVisitor& visit) {
    const Rows& rows = in_view().rows[index_of(table)];
    const auto& rotten = in_view().rotten[index_of(table)];
    for (auto row = rows.lower_bound(from); row != rows.end(); ++row) {
        if (!to.empty() && row->first >= to) break;
        if (rotten.contains(row->first)) return damaged(row->first);
        if (!visit(row->first, row->second)) break;
    }
    return {};
}

Result<void> MemoryBase::scan_reverse(Table table, BytesView from, BytesView to,
                                      const RowVisitor& visit) {
    const Rows& rows = in_view().rows[index_of(table)];
    const auto& rotten = in_view().rotten[index_of(table)];
    auto row = to.empty() ? rows.end() : rows.lower_bound(to);
    while (row != rows.begin()) {
        --row;
        if (row->first < from) break;
        if (rotten.contains(row->first)) return damaged(row->first);
        if (!visit(row->first, row->second)) break;
    }
    return {};
}

Result<void> MemoryBase::commit(const BaseChangeViews& changes,
                                const std::vector<ErasedRange>& erased) {
    State& state = changeable();
    for (const auto& [table, range] : erased) erase(table, range);
    for (std::size_t table = 0; table < tables_count; ++table) {
        Rows& rows = state.rows[table];
        if (!changes[table].empty()) old_[table].clear();
        for (const auto& [key, value] : changes[table]) {
            const Bytes owned(key);
            const auto before = rows.find(owned);
            if (before != rows.end()) old_[table].insert_or_assign(owned, before->second);
            state.rotten[table].erase(owned);
            if (value) {
                rows.insert_or_assign(owned, Bytes(*value));
            } else {
                rows.erase(owned);
            }
        }
    }
    return {};
}

Result<void> MemoryBase::purge(const std::vector<Purge>& purges) {
    State& state = changeable();
    for (const Purge& purge : purges) {
        if (purge.range) erase(purge.table, *purge.range);
        auto& rotten = state.rotten[index_of(purge.table)];
        for (const Bytes& key : rotten) state.rows[index_of(purge.table)].erase(key);
        rotten.clear();
    }
    return {};
}

void MemoryBase::erase(Table table, const RowRange& range) {
    const auto drop = [&](auto& rows) {
        const auto end = range.last.empty() ? rows.end() : rows.lower_bound(range.last);
        rows.erase(rows.lower_bound(range.first), end);
    };
    drop(state_->rows[index_of(table)]);
    drop(state_->rotten[index_of(table)]);
}

std::unique_ptr<MemoryBase> MemoryBase::clone() const {
    auto copy = std::make_unique<MemoryBase>();
    *copy->state_ = *state_;
    return copy;
}

void MemoryBase::become(const MemoryBase& other) {
    state_ = std::make_shared<State>(*other.state_);
    view_.reset();
}

std::optional<std::string> MemoryBase::rot(Random& random, Rot kind) {
    const std::size_t table = index_of(random.below(2) == 0 ? Table::cells : Table::counts);
    const Rows& candidates = kind == Rot::stale ? old_[table] : state_->rows[table];
    if (candidates.empty()) return std::nullopt;
    const auto chosen =
        std::next(candidates.begin(), static_cast<std::ptrdiff_t>(random.below(candidates.size())));
    const Bytes key = chosen->first;
    const Bytes old = chosen->second;
    State& state = changeable();
    switch (kind) {
        case Rot::checksum:
            state.rotten[table].insert(key);
            return "row " + printable(key) + " fails its checksum";
        case Rot::lost:
            state.rows[table].erase(key);
            state.rotten[table].erase(key);
            return "row " + printable(key) + " is lost";
        case Rot::stale:
            break;
    }
    const bool same = state.rows[table].contains(key) && state.rows[table][key] == old;
    if (same) return std::nullopt;
    state.rows[table].insert_or_assign(key, old);
    state.rotten[table].erase(key);
    return "row " + printable(key) + " is an old one";
}

std::size_t MemoryBase::rotten() const {
    std::size_t count = 0;
    for (const auto& rows : state_->rotten) count += rows.size();
    return count;
}

}  // namespace syncline::sim
