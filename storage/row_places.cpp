#include "storage/row_places.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace syncline::lmdb {
namespace {

constexpr std::size_t places_min = std::size_t{1} << 12U;
constexpr std::size_t places_max = std::size_t{1} << 20U;
constexpr std::uint64_t offset_end = 1ULL << 38U;  ///< rows behind are not remembered
constexpr std::size_t bytes_end = 1U << 12U;
constexpr unsigned views_max = 63;
constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;  ///< 2^64 by the golden ratio

/// Keys of rows begin with a hash; those of one collection differ at their end.
std::uint64_t mix(Table table, BytesView key) {
    std::uint64_t head = 0;
    std::uint64_t tail = 0;
    std::memcpy(&head, key.data(), sizeof(head));
    std::memcpy(&tail, key.data() + key.size() - sizeof(tail), sizeof(tail));
    std::uint64_t mixed = (head ^ (tail + static_cast<std::uint64_t>(table))) * golden;
    mixed ^= mixed >> 32U;
    return mixed * golden;
}

std::uint64_t tag_of(std::uint64_t mixed) {
    return mixed >> 56U;
}

}  // namespace

void RowPlaces::Unmapper::operator()(Place* places) const {
    (void)::munmap(places, bytes);
}

/// Each look goes elsewhere: with small pages it would cost a walk through the table of pages, too.
void RowPlaces::make_places(std::size_t count) {
    const std::size_t bytes = count * sizeof(Place);
    places_.reset();
    count_ = 0;
    void* const made =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) return;  // without it reads take longer
    (void)::madvise(made, bytes, MADV_HUGEPAGE);
    places_ = {static_cast<Place*>(made), Unmapper{bytes}};
    count_ = count;
}

void RowPlaces::begin_view(std::uint64_t transaction, const char* map, std::uint64_t rows) {
    map_ = map;
    if (transaction == transaction_ && view_ != 0) return;
    transaction_ = transaction;
    const std::size_t wanted = std::bit_ceil(std::clamp<std::size_t>(rows, places_min, places_max));
    if (wanted > count_) make_places(wanted);
    if (++view_ <= views_max) return;
    // All numbers have been used: what is left of the first views must not look like the next ones.
    std::fill_n(places_.get(), count_, Place{});
    view_ = 1;
}

std::optional<BytesView> RowPlaces::find(Table table, BytesView key) const {
    if (key.size() < sizeof(std::uint64_t) || count_ == 0) return std::nullopt;
    const std::uint64_t mixed = mix(table, key);
    const Place place = places_.get()[mixed & (count_ - 1)];
    if (place.view != view_ || place.tag != tag_of(mixed)) return std::nullopt;
    const char* const value = map_ + place.offset;
    if (std::memcmp(value - key.size(), key.data(), key.size()) != 0) return std::nullopt;
    return BytesView(value, place.bytes);
}

void RowPlaces::remember(Table table, BytesView key, BytesView stored) {
    if (key.size() < sizeof(std::uint64_t) || count_ == 0 || stored.size() >= bytes_end) return;
    const auto offset = static_cast<std::uint64_t>(stored.data() - map_);
    if (offset < key.size() || offset >= offset_end) return;
    if (std::memcmp(stored.data() - key.size(), key.data(), key.size()) != 0) return;
    const std::uint64_t mixed = mix(table, key);
    Place& place = places_.get()[mixed & (count_ - 1)];
    place.offset = offset & (offset_end - 1);
    place.bytes = stored.size() & (bytes_end - 1);
    place.tag = tag_of(mixed) & 0xffU;
    place.view = view_ & 0x3fU;
}

}  // namespace syncline::lmdb
