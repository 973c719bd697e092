#include "storage/overlay.hpp"

#include <algorithm>
#include <bit>

#include "core/base/hash.hpp"

namespace syncline {
namespace {

/// What one entry costs besides its bytes: its row, its slot in the order and that one's room to
/// grow, the value's head in the allocator, two to four slots of the index.
constexpr std::size_t entry_overhead_bytes = sizeof(OverlayRow) + 24 + 16 + 24;
constexpr std::size_t slots_min = 64;
/// By half of their hash, which is not enough for a larger index. Memory allows far fewer.
constexpr std::size_t rows_max = 1U << 31;

std::size_t value_bytes(const OverlayEntry& entry) {
    return entry.value ? entry.value->size() : 0;
}

}  // namespace

OverlayRow* OverlayIndex::find(std::uint64_t hash, BytesView key, const OverlayRows& rows) const {
    if (slots_.empty()) return nullptr;
    const std::size_t mask = slots_.size() - 1;
    const auto low = static_cast<std::uint32_t>(hash);
    for (std::size_t at = low & mask; slots_[at].number != 0; at = (at + 1) & mask) {
        if (slots_[at].hash != low) continue;
        OverlayRow& row = rows.row(slots_[at].number - 1);
        if (row.key == key) return &row;
    }
    return nullptr;
}

void OverlayIndex::insert(std::uint64_t hash, std::size_t number) {
    SYNCLINE_ASSERT(number < rows_max);
    reserve(number + 1);
    place(Slot{static_cast<std::uint32_t>(hash), static_cast<std::uint32_t>(number + 1)});
}

void OverlayIndex::reserve(std::size_t rows) {
    if (rows == 0 || rows * 2 <= slots_.size()) return;
    std::vector<Slot> old(std::max(slots_min, std::bit_ceil(rows * 2)));
    old.swap(slots_);
    for (const Slot& slot : old) {
        if (slot.number != 0) place(slot);
    }
}

void OverlayIndex::place(Slot slot) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = slot.hash & mask;
    while (slots_[at].number != 0) at = (at + 1) & mask;
    slots_[at] = slot;
}

const OverlayEntry* Overlay::find(Table table, BytesView key) const {
    const auto& [rows, index, erased] = tables_[static_cast<std::size_t>(table)];
    if (rows.size() == 0) return nullptr;
    const OverlayRow* const row = index.find(hash64(key), key, rows);
    return row == nullptr ? nullptr : &row->entry;
}

const OverlayEntry& Overlay::set(Table table, BytesView key, std::optional<Bytes> value,
                                 Position position) {
    auto& [rows, index, erased] = tables_[static_cast<std::size_t>(table)];
    const std::uint64_t hash = hash64(key);
    OverlayRow* row = index.find(hash, key, rows);
    if (row == nullptr) {
        index.insert(hash, rows.size());
        row = &rows.add(key);
        bytes_ += key.size() + entry_overhead_bytes;
    }
    OverlayEntry& entry = row->entry;
    bytes_ -= value_bytes(entry);
    entry.value = std::move(value);
    entry.position = position;
    bytes_ += value_bytes(entry);
    return entry;
}

void Overlay::erase_range(Table table, const RowRange& range, Position position) {
    auto& [rows, index, erased] = tables_[static_cast<std::size_t>(table)];
    const auto end = range.last.empty() ? rows.end() : rows.lower_bound(range.last);
    for (auto row = rows.lower_bound(range.first); row != end; ++row) {
        bytes_ -= value_bytes(row->entry);
        row->entry = OverlayEntry{std::nullopt, position};
    }
    // Ranges that this one meets become one with it: a reader of any of it waits for the last.
    Bytes first = range.first;
    Bytes last = range.last;
    auto met = erased.upper_bound(first);
    if (met != erased.begin()) {
        const auto before = std::prev(met);
        if (before->second.last.empty() || before->second.last >= first) met = before;
    }
    while (met != erased.end() && (last.empty() || met->first <= last)) {
        first = std::min(first, met->first);
        if (met->second.last.empty()) last.clear();
        if (!last.empty()) last = std::max(last, met->second.last);
        bytes_ -= met->first.size() + met->second.last.size() + entry_overhead_bytes;
        met = erased.erase(met);
    }
    bytes_ += first.size() + last.size() + entry_overhead_bytes;
    erased.emplace(std::move(first), Erased{std::move(last), position});
}

const Overlay::ErasedRanges::value_type* Overlay::erased_at(Table table, BytesView key) const {
    const ErasedRanges& ranges = erased(table);
    if (ranges.empty()) return nullptr;
    const auto after = ranges.upper_bound(key);
    if (after == ranges.begin()) return nullptr;
    const auto& range = *std::prev(after);
    return range.second.last.empty() || key < range.second.last ? &range : nullptr;
}

void Overlay::reserve_like(const Overlay& other) {
    for (std::size_t table = 0; table < tables_count; ++table) {
        const std::size_t rows = other.tables_[table].rows.size();
        tables_[table].rows = OverlayRows(rows);
        tables_[table].index.reserve(rows);
    }
}

bool Overlay::empty() const {
    return std::all_of(tables_.begin(), tables_.end(), [](const Rows& table) {
        return table.rows.size() == 0 && table.erased.empty();
    });
}

std::size_t Overlay::rows_count() const {
    std::size_t count = 0;
    for (const Rows& table : tables_) count += table.rows.size() + table.erased.size();
    return count;
}

OverlayCursor::OverlayCursor(const Overlay& overlay, Table table, BytesView from, BytesView to,
                             Direction direction)
    : ascending_(direction == Direction::ascending) {
    const OverlayRows& rows = overlay.rows(table);
    first_ = rows.lower_bound(from);
    last_ = to.empty() ? rows.end() : rows.lower_bound(to);
}

bool OverlayWalk::comes_first(const OverlayCursor& one, const OverlayCursor& other) const {
    return direction_ == Direction::ascending ? one.row().key < other.row().key
                                              : other.row().key < one.row().key;
}

const OverlayRow* OverlayWalk::peek() const {
    if (active_.done()) return flushing_.done() ? nullptr : &flushing_.row();
    if (flushing_.done()) return &active_.row();
    return comes_first(flushing_, active_) ? &flushing_.row() : &active_.row();
}

void OverlayWalk::next() {
    if (active_.done() || (!flushing_.done() && comes_first(flushing_, active_))) {
        flushing_.next();
    } else {
        if (!flushing_.done() && !comes_first(active_, flushing_)) flushing_.next();
        active_.next();
    }
    skip_erased();
}

void OverlayWalk::skip_erased() {
    while (!flushing_.done() && overlay_.erased_at(table_, flushing_.row().key) != nullptr) {
        flushing_.next();
    }
}

}  // namespace syncline
