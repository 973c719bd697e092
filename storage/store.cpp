#include "storage/store.hpp"

#include <algorithm>

#include "core/base/limits.hpp"

namespace syncline {
namespace {

/// A row as it stands in the overlay. No value: erased.
struct Entry {
    std::optional<Bytes> value;
    Position position = 0;
};

using Rows = std::map<Bytes, Entry, std::less<>>;

/// What one entry costs besides its bytes: tree node, allocator's head, the two string objects.
constexpr std::size_t entry_overhead_bytes = sizeof(Rows::value_type) + 48;

std::size_t value_bytes(const Entry& entry) { return entry.value ? entry.value->size() : 0; }

/// One part of the overlay: the rows changed since some checkpoint began.
struct Part {
    std::array<Rows, tables_count> tables;
    std::size_t bytes = 0;

    [[nodiscard]] bool empty() const {
        return std::all_of(tables.begin(), tables.end(),
                           [](const Rows& rows) { return rows.empty(); });
    }

    [[nodiscard]] const Entry* find(Table table, BytesView key) const {
        const Rows& rows = tables[static_cast<std::size_t>(table)];
        const auto found = rows.find(key);
        return found == rows.end() ? nullptr : &found->second;
    }

    void set(Table table, BytesView key, std::optional<Bytes> value, Position position) {
        Rows& rows = tables[static_cast<std::size_t>(table)];
        auto place = rows.lower_bound(key);
        if (place == rows.end() || place->first != key) {
            place = rows.emplace_hint(place, Bytes(key), Entry{});
            bytes += key.size() + entry_overhead_bytes;
        }
        Entry& entry = place->second;
        bytes -= value_bytes(entry);
        entry.value = std::move(value);
        entry.position = position;
        bytes += value_bytes(entry);
    }
};

/// Rows of one table of one part with from <= key < to.
struct Cursor {
    Rows::const_iterator at;
    Rows::const_iterator end;

    Cursor() = default;
    Cursor(const Part& part, Table table, BytesView from, BytesView to) {
        const Rows& rows = part.tables[static_cast<std::size_t>(table)];
        at = rows.lower_bound(from);
        end = to.empty() ? rows.end() : rows.lower_bound(to);
    }
    [[nodiscard]] bool done() const { return at == end; }
};

bool empty_range(BytesView from, BytesView to) { return !to.empty() && from >= to; }

/// Walks both parts of the overlay in key order; the active part hides the flushing one.
class OverlayWalk {
public:
    OverlayWalk(Cursor active, Cursor flushing) : active_(active), flushing_(flushing) {}

    /// The next row in key order, or nothing.
    [[nodiscard]] const Rows::value_type* peek() const {
        if (active_.done()) return flushing_.done() ? nullptr : &*flushing_.at;
        if (flushing_.done() || active_.at->first <= flushing_.at->first) return &*active_.at;
        return &*flushing_.at;
    }

    /// Steps over the row that peek() gave, in both parts.
    void next() {
        const bool flushing_first =
            active_.done() || (!flushing_.done() && flushing_.at->first < active_.at->first);
        if (flushing_first) {
            ++flushing_.at;
            return;
        }
        if (!flushing_.done() && flushing_.at->first == active_.at->first) ++flushing_.at;
        ++active_.at;
    }

private:
    Cursor active_;
    Cursor flushing_;
};

}  // namespace

struct Store::Checkpoint::State {
    Base& base;
    Part part;  ///< read by both threads, changed by none until finish_checkpoint
    RowChanges meta;
    Position position;
};

struct Store::Impl {
    explicit Impl(Base& base_rows) : base(base_rows) {}

    Base& base;
    Part active;
    /// Shared with the Checkpoint that is under way, whose thread reads it.
    std::shared_ptr<Checkpoint::State> flushing;
    Position seen = 0;

    void see(const Entry& entry) { seen = std::max(seen, entry.position); }

    [[nodiscard]] Cursor flushing_cursor(Table table, BytesView from, BytesView to) const {
        // Two default iterators of the same kind are equal: an empty range.
        return flushing ? Cursor(flushing->part, table, from, to) : Cursor();
    }
};

Store::Store(Base& base) : impl_(std::make_unique<Impl>(base)) {}

Store::~Store() = default;

Result<std::optional<Bytes>> Store::get(Table table, BytesView key) {
    const Entry* entry = impl_->active.find(table, key);
    if (entry == nullptr && impl_->flushing) entry = impl_->flushing->part.find(table, key);
    if (entry == nullptr) return impl_->base.get(table, key);
    impl_->see(*entry);
    return entry->value;
}

Result<void> Store::scan(Table table, BytesView from, BytesView to, const RowVisitor& visit) {
    if (empty_range(from, to)) return {};
    OverlayWalk overlay(Cursor(impl_->active, table, from, to),
                        impl_->flushing_cursor(table, from, to));
    // Visits the overlay's rows in front of `bound` (nothing: all). False when the visitor stopped.
    const auto visit_overlay = [&](std::optional<BytesView> bound) {
        while (const Rows::value_type* row = overlay.peek()) {
            if (bound && row->first >= *bound) return true;
            overlay.next();
            impl_->see(row->second);
            if (row->second.value && !visit(row->first, *row->second.value)) return false;
        }
        return true;
    };
    bool stopped = false;
    SYNCLINE_CHECK(impl_->base.scan(table, from, [&](BytesView key, BytesView value) {
        if (!to.empty() && key >= to) return false;
        stopped = !visit_overlay(key);
        if (stopped) return false;
        // The overlay's version of this row takes its turn before the next base row.
        const Rows::value_type* row = overlay.peek();
        if (row != nullptr && row->first == key) return true;
        stopped = !visit(key, value);
        return !stopped;
    }));
    if (!stopped) visit_overlay(std::nullopt);
    return {};
}

Result<void> Store::scan_base(Table table, BytesView from, BytesView to, const RowVisitor& visit) {
    if (empty_range(from, to)) return {};
    return impl_->base.scan(table, from, [&](BytesView key, BytesView value) {
        return (to.empty() || key < to) && visit(key, value);
    });
}

void Store::put(Table table, BytesView key, Bytes value, Position position) {
    SYNCLINE_ASSERT(!key.empty());
    SYNCLINE_ASSERT(key.size() <= limits::row_key_bytes_max);
    impl_->active.set(table, key, std::move(value), position);
}

void Store::erase(Table table, BytesView key, Position position) {
    SYNCLINE_ASSERT(!key.empty());
    SYNCLINE_ASSERT(key.size() <= limits::row_key_bytes_max);
    impl_->active.set(table, key, std::nullopt, position);
}

Position Store::take_seen() { return std::exchange(impl_->seen, 0); }

Store::Checkpoint Store::begin_checkpoint(Position position, RowChanges meta) {
    SYNCLINE_ASSERT(!impl_->flushing);
    impl_->flushing = std::make_shared<Checkpoint::State>(Checkpoint::State{
        impl_->base, std::exchange(impl_->active, Part{}), std::move(meta), position});
    Checkpoint checkpoint;
    checkpoint.state_ = impl_->flushing;
    return checkpoint;
}

Result<void> Store::Checkpoint::commit() {
    // The rows are copied because the other thread goes on reading them; the copy lives and dies
    // on this thread.
    BaseChanges changes;
    for (std::size_t table = 0; table < tables_count; ++table) {
        RowChanges& target = changes[table];
        for (const auto& [key, entry] : state_->part.tables[table]) {
            target.emplace_hint(target.end(), key, entry.value);
        }
    }
    RowChanges& meta = changes[static_cast<std::size_t>(Table::meta)];
    for (const auto& [key, value] : state_->meta) meta.insert_or_assign(key, value);
    return state_->base.commit(changes);
}

Position Store::Checkpoint::position() const { return state_->position; }

std::shared_ptr<const void> Store::finish_checkpoint() {
    SYNCLINE_ASSERT(impl_->flushing != nullptr);
    // A read view from before the commit would lack the rows that only the overlay showed so far.
    impl_->base.end_turn();
    return std::exchange(impl_->flushing, nullptr);
}

bool Store::checkpoint_under_way() const { return impl_->flushing != nullptr; }

Result<void> Store::commit_base(const BaseChanges& changes) {
    SYNCLINE_ASSERT(overlay_empty());
    SYNCLINE_ASSERT(!impl_->flushing);
    impl_->base.end_turn();
    return impl_->base.commit(changes);
}

std::size_t Store::overlay_bytes() const {
    return impl_->active.bytes + (impl_->flushing ? impl_->flushing->part.bytes : 0);
}

bool Store::overlay_empty() const {
    return impl_->active.empty() && (!impl_->flushing || impl_->flushing->part.empty());
}

void Store::end_turn() { impl_->base.end_turn(); }

}  // namespace syncline
