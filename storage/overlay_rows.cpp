#include "storage/overlay_rows.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>

namespace syncline {
namespace {

constexpr std::size_t head_bytes = sizeof(std::uint64_t);
// A bucket costs 48 bytes. Few rows in each, so that little has to be put in order at once.
constexpr std::size_t rows_per_bucket = 4;
constexpr std::size_t buckets_min = 64;
constexpr std::size_t buckets_max = 1U << 16;
constexpr std::size_t word_bits = 64;
/// A run that has more is cut in half.
constexpr std::size_t run_slots_max = 256;
/// Up to so many rows that begin alike are compared as they are.
constexpr std::ptrdiff_t alike_min = 8;
/// So many rows are put into buckets at once, which overlaps the waits for memory.
constexpr std::size_t distributed_at_once = 4096;
/// Keys are kept in blocks of this size.
constexpr std::size_t key_block_bytes = 16 * limits::kib;

std::size_t buckets_for(std::size_t rows) {
    return std::bit_ceil(std::clamp(rows / rows_per_bucket, buckets_min, buckets_max));
}

/// Eight bytes of a key; behind its end they are zeros.
std::uint64_t head_of(BytesView key, std::size_t from = 0) {
    std::uint64_t head = 0;
    if (from < key.size()) {
        std::memcpy(&head, key.data() + from, std::min(head_bytes, key.size() - from));
    }
    return big_endian(head);
}

std::size_t common_bytes(BytesView one, BytesView other, std::size_t max) {
    const std::size_t bytes = std::min({one.size(), other.size(), max});
    return static_cast<std::size_t>(
        std::mismatch(one.begin(), one.begin() + static_cast<std::ptrdiff_t>(bytes), other.begin())
            .first -
        one.begin());
}

}  // namespace

// ---- order ----

bool OverlayRows::less(const Slot& one, const Slot& other) {
    if (one.head != other.head) return one.head < other.head;
    return one.row->key < other.row->key;
}

/// By their heads, and those whose heads are equal by what follows. Leaves the heads as they are.
void OverlayRows::sort(Slot* first, Slot* last) {
    const auto by_head = [](const Slot& one, const Slot& other) { return one.head < other.head; };
    // Rows of one collection, whose heads are all equal, stay as they stand in memory.
    if (!std::is_sorted(first, last, by_head)) std::sort(first, last, by_head);
    while (first != last) {
        const std::uint64_t head = first->head;
        Slot* const next =
            std::find_if(first, last, [head](const Slot& slot) { return slot.head != head; });
        sort_alike(first, next);
        for (; first != next; ++first) first->head = head;
    }
}

/// Rows whose heads are equal: by the eight bytes behind all that they have in common, and so on.
/// Leaves other heads.
void OverlayRows::sort_alike(Slot* first, Slot* last) {
    if (last - first <= alike_min) {
        std::sort(first, last, less);
        return;
    }
    std::size_t common = first->row->key.size();
    std::size_t shortest = common;
    for (const Slot* slot = first; slot != last; ++slot) {
        common = common_bytes(first->row->key, slot->row->key, common);
        shortest = std::min(shortest, slot->row->key.size());
    }
    // Where a key ends, its end and zeros would look alike.
    if (common == shortest) {
        std::sort(first, last, less);
        return;
    }
    for (Slot* slot = first; slot != last; ++slot) slot->head = head_of(slot->row->key, common);
    sort(first, last);
}

OverlayRows::Bucket& OverlayRows::ordered(std::size_t bucket) const {
    Bucket& found = buckets_[bucket];
    if (found.fresh.empty()) return found;
    sort(found.fresh.data(), found.fresh.data() + found.fresh.size());
    // A few go one by one to where they belong; many are merged with all that is there.
    if (found.fresh.size() < 8 * found.runs.size()) {
        for (const Slot& slot : found.fresh) insert(found, slot);
        found.fresh.clear();
    } else {
        rebuild(found);
    }
    return found;
}

void OverlayRows::insert(Bucket& bucket, const Slot& slot) {
    auto run = std::partition_point(bucket.runs.begin(), bucket.runs.end(),
                                    [&](const Run& other) { return less(other.back(), slot); });
    if (run == bucket.runs.end()) --run;
    run->insert(std::lower_bound(run->begin(), run->end(), slot, less), slot);
    if (run->size() <= run_slots_max) return;
    const auto half = run->begin() + static_cast<std::ptrdiff_t>(run->size() / 2);
    Run upper(half, run->end());
    run->erase(half, run->end());
    run->shrink_to_fit();
    bucket.runs.insert(run + 1, std::move(upper));
}

void OverlayRows::rebuild(Bucket& bucket) {
    Run all;
    for (const Run& run : bucket.runs) all.insert(all.end(), run.begin(), run.end());
    const auto middle = static_cast<std::ptrdiff_t>(all.size());
    all.insert(all.end(), bucket.fresh.begin(), bucket.fresh.end());
    std::inplace_merge(all.begin(), all.begin() + middle, all.end(), less);
    bucket.fresh = Run();
    bucket.runs.clear();
    if (all.size() <= run_slots_max) return bucket.runs.push_back(std::move(all));
    constexpr auto step = static_cast<std::ptrdiff_t>(run_slots_max / 2);
    for (auto from = all.begin(); from != all.end();) {
        const auto to = from + std::min(step, all.end() - from);
        bucket.runs.emplace_back(from, to);
        from = to;
    }
}

std::vector<const OverlayRow*> OverlayRows::sorted() const {
    Run slots;
    slots.reserve(size_);
    for (std::size_t number = 0; number < size_; ++number) {
        OverlayRow& at = row(number);
        slots.push_back(Slot{head_of(at.key), &at});
    }
    sort(slots.data(), slots.data() + slots.size());
    std::vector<const OverlayRow*> rows;
    rows.reserve(slots.size());
    for (const Slot& slot : slots) rows.push_back(slot.row);
    return rows;
}

// ---- adding ----

OverlayRow& OverlayRows::add(BytesView key) {
    if (size_ == blocks_.size() * block_rows) {
        blocks_.push_back(std::make_unique<OverlayRow[]>(block_rows));
    }
    OverlayRow& added = row(size_++);
    added.key = keep(key);
    if (size_ - distributed_ >= distributed_at_once) distribute();
    return added;
}

/// Puts all rows into buckets that are not there yet.
void OverlayRows::distribute() const {
    if (distributed_ == size_) return;
    const std::size_t wanted = buckets_for(std::max(size_, expected_));
    if (wanted >= 2 * buckets_.size()) grow(wanted);
    for (; distributed_ < size_; ++distributed_) {
        OverlayRow& next = row(distributed_);
        put(Slot{head_of(next.key), &next});
    }
}

/// More buckets; what was in order is put in order again where somebody looks.
void OverlayRows::grow(std::size_t buckets) const {
    buckets_ = std::vector<Bucket>(buckets);
    used_.assign(buckets / word_bits, 0);
    shift_ = static_cast<unsigned>(63 - std::countr_zero(buckets));
    distributed_ = 0;
}

void OverlayRows::put(const Slot& slot) const {
    const std::size_t bucket = bucket_of(slot.head);
    used_[bucket / word_bits] |= std::uint64_t{1} << bucket % word_bits;
    buckets_[bucket].fresh.push_back(slot);
}

BytesView OverlayRows::keep(BytesView key) {
    if (key.size() > key_room_bytes_) {
        key_room_bytes_ = std::max(key_block_bytes, key.size());
        key_blocks_.push_back(std::make_unique_for_overwrite<char[]>(key_room_bytes_));
        key_room_ = key_blocks_.back().get();
    }
    std::memcpy(key_room_, key.data(), key.size());
    const BytesView kept(key_room_, key.size());
    key_room_ += key.size();
    key_room_bytes_ -= key.size();
    return kept;
}

// ---- looking ----

OverlayRows::Iterator OverlayRows::begin() const {
    distribute();
    return Iterator(*this, {used_from(0), 0, 0});
}

OverlayRows::Iterator OverlayRows::end() const {
    distribute();
    return Iterator(*this, {buckets_.size(), 0, 0});
}

OverlayRows::Iterator OverlayRows::lower_bound(BytesView key) const {
    distribute();
    if (buckets_.empty()) return end();
    const std::uint64_t head = head_of(key);
    const std::size_t bucket = bucket_of(head);
    const std::vector<Run>& runs = ordered(bucket).runs;
    OverlayRow sought{key, {}};
    const Slot slot{head, &sought};
    const auto run = std::partition_point(
        runs.begin(), runs.end(), [&](const Run& other) { return less(other.back(), slot); });
    const auto at = run == runs.end()
                        ? std::ptrdiff_t{0}
                        : std::lower_bound(run->begin(), run->end(), slot, less) - run->begin();
    Iterator found(*this, {bucket, static_cast<std::size_t>(run - runs.begin()),
                           static_cast<std::size_t>(at)});
    found.settle();
    return found;
}

std::size_t OverlayRows::used_from(std::size_t bucket) const {
    if (bucket >= buckets_.size()) return buckets_.size();
    std::size_t word = bucket / word_bits;
    std::uint64_t bits = used_[word] & ~std::uint64_t{0} << bucket % word_bits;
    while (bits == 0) {
        if (++word == used_.size()) return buckets_.size();
        bits = used_[word];
    }
    return word * word_bits + static_cast<std::size_t>(std::countr_zero(bits));
}

std::size_t OverlayRows::used_before(std::size_t bucket) const {
    std::size_t word = (bucket - 1) / word_bits;
    std::uint64_t bits =
        used_[word] & ~std::uint64_t{0} >> (word_bits - 1 - (bucket - 1) % word_bits);
    while (bits == 0) bits = used_[--word];
    return word * word_bits + word_bits - 1 - static_cast<std::size_t>(std::countl_zero(bits));
}

void OverlayRows::Iterator::settle() {
    const std::vector<Run>& runs = rows_->buckets_[bucket_].runs;
    if (run_ < runs.size() && index_ < runs[run_].size()) return;
    index_ = 0;
    if (++run_ < runs.size()) return;
    run_ = 0;
    bucket_ = rows_->used_from(bucket_ + 1);
}

OverlayRows::Iterator& OverlayRows::Iterator::operator++() {
    (void)rows_->ordered(bucket_);
    ++index_;
    settle();
    return *this;
}

OverlayRows::Iterator& OverlayRows::Iterator::operator--() {
    if (index_ == 0) {
        if (run_ == 0) {
            bucket_ = rows_->used_before(bucket_);
            run_ = rows_->ordered(bucket_).runs.size();
        }
        --run_;
        index_ = rows_->buckets_[bucket_].runs[run_].size();
    }
    --index_;
    return *this;
}

}  // namespace syncline
