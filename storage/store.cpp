#include "storage/store.hpp"

#include <algorithm>

#include "core/base/limits.hpp"
#include "storage/overlay.hpp"

namespace syncline {
namespace {

bool empty_range(BytesView from, BytesView to) {
    return !to.empty() && from >= to;
}

}  // namespace

struct Store::Checkpoint::State {
    Base& base;
    Overlay rows;  ///< read by both threads; its rows change in none until finish_checkpoint
    RowChanges meta;
    Position position;
    std::vector<Purge> purges;
};

struct Store::Impl {
    explicit Impl(Base& base_rows) : base(base_rows) {}

    Base& base;
    Overlay active;
    /// Shared with the Checkpoint that is under way, whose thread reads it.
    std::shared_ptr<Checkpoint::State> flushing;
    Position seen = 0;
    bool damage = false;
    int scans = 0;  ///< under way

    /// What is written while rows are walked could end the walk's place among them.
    void may_change() const { SYNCLINE_ASSERT(scans == 0); }

    /// Rows of these tables are what answers are made of.
    template <typename T>
    Result<T> noted(Table table, Result<T> result) {
        const bool shown = table == Table::cells || table == Table::counts;
        if (!result && result.error().code == Code::corrupt && shown) damage = true;
        return result;
    }

    void see(Position position) { seen = std::max(seen, position); }

    /// What the overlay says of a row.
    struct Found {
        const OverlayEntry* entry = nullptr;
        bool erased = false;    ///< with a whole range
        Position position = 0;  ///< to be seen
    };
    /// Of the row of each table that was looked at last: one command asks for it several times, to
    /// learn whether the key exists, to read it, and to change it.
    struct Latest {
        Bytes key;  ///< empty: none
        Found found;
    };
    std::array<Latest, tables_count> latest;

    Latest& latest_of(Table table) { return latest[static_cast<std::size_t>(table)]; }
    void forget_latest() {
        for (Latest& last : latest) last.key.clear();
    }

    [[nodiscard]] Found find(Table table, BytesView key) const;
    void set(Table table, BytesView key, std::optional<Bytes> value, Position position);
    /// The range around a row of the base that the overlay has erased; null: none.
    [[nodiscard]] const Overlay::ErasedRanges::value_type* erased_at(Table table,
                                                                     BytesView key) const;
    void see_erased(Table table, BytesView from, BytesView to);

    [[nodiscard]] OverlayCursor flushing_cursor(Table table, BytesView from, BytesView to,
                                                Direction direction) const {
        return flushing ? OverlayCursor(flushing->rows, table, from, to, direction)
                        : OverlayCursor();
    }

    class Scanning {
    public:
        explicit Scanning(Impl& store) : store_(store) { ++store_.scans; }
        ~Scanning() { --store_.scans; }
        Scanning(const Scanning&) = delete;
        Scanning& operator=(const Scanning&) = delete;

    private:
        Impl& store_;
    };
    using BaseWalk = std::function<Result<void>(BytesView from, BytesView to, const RowVisitor&)>;
    Result<void> scan_merged(Table table, BytesView from, BytesView to, Direction direction,
                             const RowVisitor& visit, const BaseWalk& walk_base);
};

Store::Store(Base& base) : impl_(std::make_unique<Impl>(base)) {}

Store::~Store() = default;

Result<std::optional<Bytes>> Store::get(Table table, BytesView key) {
    SYNCLINE_TRY(const std::optional<BytesView> value, view(table, key));
    return value ? std::optional<Bytes>(*value) : std::nullopt;
}

Result<std::optional<BytesView>> Store::view(Table table, BytesView key) {
    Impl::Latest& last = impl_->latest_of(table);
    if (last.key != key) {
        last.found = impl_->find(table, key);
        last.key = key;
    }
    const Impl::Found& found = last.found;
    impl_->see(found.position);
    if (found.erased) return std::optional<BytesView>();
    if (found.entry == nullptr) return impl_->noted(table, impl_->base.view(table, key));
    const std::optional<Bytes>& value = found.entry->value;
    return value ? std::optional<BytesView>(*value) : std::nullopt;
}

Store::Impl::Found Store::Impl::find(Table table, BytesView key) const {
    const Overlay* const older = flushing ? &flushing->rows : nullptr;
    for (const Overlay* const part : {&active, older}) {
        if (part == nullptr) break;
        const OverlayEntry* const entry = part->find(table, key);
        if (entry != nullptr) return {entry, false, entry->position};
        const Overlay::ErasedRanges::value_type* const range = part->erased_at(table, key);
        if (range != nullptr) return {nullptr, true, range->second.position};
    }
    return {};
}

void Store::Impl::set(Table table, BytesView key, std::optional<Bytes> value, Position position) {
    SYNCLINE_ASSERT(!key.empty());
    SYNCLINE_ASSERT(key.size() <= limits::row_key_bytes_max);
    may_change();
    const OverlayEntry& entry = active.set(table, key, std::move(value), position);
    Latest& last = latest_of(table);
    if (last.key == key) last.found = Found{&entry, false, position};
}

const Overlay::ErasedRanges::value_type* Store::Impl::erased_at(Table table, BytesView key) const {
    const Overlay::ErasedRanges::value_type* const range = active.erased_at(table, key);
    return range == nullptr && flushing ? flushing->rows.erased_at(table, key) : range;
}

/// A walk relies on all that was erased as a range where it goes, which leaves nothing to be met.
void Store::Impl::see_erased(Table table, BytesView from, BytesView to) {
    for (const Overlay* const part : {&active, flushing ? &flushing->rows : nullptr}) {
        if (part == nullptr) break;
        for (const auto& [first, range] : part->erased(table)) {
            if (!to.empty() && first >= to) break;
            if (range.last.empty() || range.last > from) see(range.position);
        }
    }
}

/// Base and overlay as one, in either direction: `walk_base` calls its visitor for base rows.
Result<void> Store::Impl::scan_merged(Table table, BytesView from, BytesView to,
                                      Direction direction, const RowVisitor& visit,
                                      const BaseWalk& walk_base) {
    if (empty_range(from, to)) return {};
    const Scanning scanning(*this);
    see_erased(table, from, to);
    OverlayWalk overlay(OverlayCursor(active, table, from, to, direction),
                        flushing_cursor(table, from, to, direction), direction, active, table);
    const bool ascending = direction == Direction::ascending;
    // Visits the overlay's rows in front of `bound` (nothing: all). False when the visitor stopped.
    const auto visit_overlay = [&](std::optional<BytesView> bound) {
        while (const OverlayRow* row = overlay.peek()) {
            const BytesView key = row->key;
            if (bound && (ascending ? key >= *bound : key <= *bound)) return true;
            overlay.next();
            see(row->entry.position);
            if (row->entry.value && !visit(key, *row->entry.value)) return false;
        }
        return true;
    };
    bool stopped = false;
    std::optional<Bytes> edge(ascending ? from : to);  // where the base's rows go on
    while (edge) {
        const Bytes begun = *std::exchange(edge, std::nullopt);
        const auto visit_base = [&](BytesView key, BytesView value) {
            if (const auto* const range = erased_at(table, key)) {
                // Rows put there since lie in front of what comes next, and take their turn then.
                const Bytes& next = ascending ? range->second.last : range->first;
                const bool inside = ascending ? to.empty() || next < to : next > from;
                if (inside && !next.empty()) edge = next;
                return false;
            }
            stopped = !visit_overlay(key);
            if (stopped) return false;
            // The overlay's version of this row takes its turn before the next base row.
            const OverlayRow* row = overlay.peek();
            if (row != nullptr && row->key == key) return true;
            stopped = !visit(key, value);
            return !stopped;
        };
        SYNCLINE_CHECK(walk_base(ascending ? begun : from, ascending ? to : begun, visit_base));
    }
    if (!stopped) visit_overlay(std::nullopt);
    return {};
}

Result<void> Store::scan(Table table, BytesView from, BytesView to, const RowVisitor& visit) {
    const auto walk = [&](BytesView base_from, BytesView base_to, const RowVisitor& visit_base) {
        return impl_->base.scan(table, base_from, base_to, visit_base);
    };
    return impl_->noted(table,
                        impl_->scan_merged(table, from, to, Direction::ascending, visit, walk));
}

Result<bool> Store::scan_checked(Table table, BytesView from, BytesView to,
                                 const RowVisitor& visit) {
    bool sound = true;
    const auto walk = [&](BytesView base_from, BytesView base_to,
                          const RowVisitor& visit_base) -> Result<void> {
        SYNCLINE_TRY(const bool here,
                     impl_->base.scan_checked(table, base_from, base_to, visit_base));
        sound = sound && here;
        return {};
    };
    SYNCLINE_CHECK(impl_->noted(
        table, impl_->scan_merged(table, from, to, Direction::ascending, visit, walk)));
    return sound;
}

Result<void> Store::scan_reverse(Table table, BytesView from, BytesView to,
                                 const RowVisitor& visit) {
    const auto walk = [&](BytesView base_from, BytesView base_to, const RowVisitor& visit_base) {
        return impl_->base.scan_reverse(table, base_from, base_to, visit_base);
    };
    return impl_->noted(table,
                        impl_->scan_merged(table, from, to, Direction::descending, visit, walk));
}

Result<void> Store::scan_base(Table table, BytesView from, BytesView to, const RowVisitor& visit) {
    if (empty_range(from, to)) return {};
    return impl_->base.scan(table, from, to, visit);
}

void Store::put(Table table, BytesView key, Bytes value, Position position) {
    impl_->set(table, key, std::move(value), position);
}

void Store::erase(Table table, BytesView key, Position position) {
    impl_->set(table, key, std::nullopt, position);
}

void Store::erase_range(Table table, const RowRange& range, Position position) {
    if (empty_range(range.first, range.last)) return;
    impl_->may_change();
    impl_->latest_of(table).key.clear();
    impl_->active.erase_range(table, range, position);
}

Position Store::take_seen() {
    return std::exchange(impl_->seen, 0);
}

Position Store::seen() const {
    return impl_->seen;
}

void Store::see(Position position) {
    impl_->see(position);
}

Store::Checkpoint Store::begin_checkpoint(Position position, RowChanges meta,
                                          std::vector<Purge> purges) {
    SYNCLINE_ASSERT(!impl_->flushing);
    impl_->may_change();
    impl_->flushing = std::make_shared<Checkpoint::State>(
        Checkpoint::State{impl_->base, std::exchange(impl_->active, Overlay{}), std::move(meta),
                          position, std::move(purges)});
    // The next part will be about as large: its index need not grow step by step.
    impl_->active.reserve_like(impl_->flushing->rows);
    Checkpoint checkpoint;
    checkpoint.state_ = impl_->flushing;
    return checkpoint;
}

Result<void> Store::Checkpoint::commit() {
    BaseChangeViews changes;
    std::vector<ErasedRange> erased;
    for (std::size_t index = 0; index < tables_count; ++index) {
        const Table table = static_cast<Table>(index);
        for (const auto& [first, range] : state_->rows.erased(table)) {
            erased.push_back(ErasedRange{table, RowRange{first, range.last}});
        }
        for (const OverlayRow* row : state_->rows.rows(table).sorted()) {
            changes[index].push_back(RowChangeView{row->key, row->entry.value});
        }
    }
    std::vector<RowChangeView>& meta = changes[static_cast<std::size_t>(Table::meta)];
    SYNCLINE_ASSERT(meta.empty());
    for (const auto& [key, value] : state_->meta) meta.push_back(RowChangeView{key, value});
    if (!state_->purges.empty()) SYNCLINE_CHECK(state_->base.purge(state_->purges));
    return state_->base.commit(changes, erased);
}

Position Store::Checkpoint::position() const {
    return state_->position;
}

std::shared_ptr<const void> Store::finish_checkpoint() {
    SYNCLINE_ASSERT(impl_->flushing != nullptr);
    impl_->may_change();
    // A read view from before the commit would lack the rows that only the overlay showed so far.
    impl_->forget_latest();
    impl_->base.end_turn();
    return std::exchange(impl_->flushing, nullptr);
}

Result<std::optional<Bytes>> Store::get_base(Table table, BytesView key) {
    return impl_->base.get(table, key);
}

std::vector<Bytes> Store::changed_keys(Table table, const RowRange& range) const {
    std::vector<Bytes> keys;
    OverlayCursor rows(impl_->active, table, range.first, range.last, Direction::ascending);
    for (; !rows.done(); rows.next()) keys.emplace_back(rows.row().key);
    return keys;
}

bool Store::checkpoint_under_way() const {
    return impl_->flushing != nullptr;
}

Result<void> Store::commit_base(const BaseChanges& changes) {
    SYNCLINE_ASSERT(overlay_empty());
    SYNCLINE_ASSERT(!impl_->flushing);
    impl_->base.end_turn();
    return impl_->base.commit(changes);
}

bool Store::take_damage() {
    return std::exchange(impl_->damage, false);
}

void Store::distrust() {
    impl_->base.distrust();
}

std::size_t Store::overlay_bytes() const {
    return impl_->active.bytes() + (impl_->flushing ? impl_->flushing->rows.bytes() : 0);
}

Store::Amount Store::active_amount() const {
    return Amount{impl_->active.bytes(), impl_->active.rows_count()};
}

Store::Amount Store::flushing_amount() const {
    if (!impl_->flushing) return {};
    return Amount{impl_->flushing->rows.bytes(), impl_->flushing->rows.rows_count()};
}

void Store::hurry(bool waited_for) {
    impl_->base.hurry(waited_for);
}

bool Store::overlay_empty() const {
    return impl_->active.empty() && (!impl_->flushing || impl_->flushing->rows.empty());
}

void Store::end_turn() {
    impl_->base.end_turn();
}

BaseSpace Store::space() const {
    return impl_->base.space();
}

Result<bool> Store::grow(std::uint64_t map_bytes) {
    return impl_->base.grow(map_bytes);
}

Result<unsigned> Store::check_readers() {
    return impl_->base.check_readers();
}

}  // namespace syncline
