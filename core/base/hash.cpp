#include "core/base/hash.hpp"

#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace syncline {

namespace {

/// Up to here two parts are copied together: cheaper than setting up a streaming state.
constexpr std::size_t copied_bytes_max = 512;

Hash128 from_xxhash(XXH128_hash_t hash) {
    return Hash128{hash.high64, hash.low64};
}

}  // namespace

std::uint64_t hash64(BytesView bytes, std::uint64_t seed) {
    return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Hash128& Hash128::operator+=(const Hash128& other) {
    low += other.low;
    const std::uint64_t carry = low < other.low ? 1 : 0;
    high += other.high + carry;
    return *this;
}

Hash128& Hash128::operator-=(const Hash128& other) {
    const std::uint64_t borrow = low < other.low ? 1 : 0;
    low -= other.low;
    high -= other.high + borrow;
    return *this;
}

Hash128 hash128(BytesView a, BytesView b, std::uint64_t seed) {
    const std::size_t total = a.size() + b.size();
    if (total <= copied_bytes_max) {
        char together[copied_bytes_max];
        if (!a.empty()) std::memcpy(together, a.data(), a.size());
        if (!b.empty()) std::memcpy(together + a.size(), b.data(), b.size());
        return from_xxhash(XXH3_128bits_withSeed(together, total, seed));
    }
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    XXH3_128bits_reset_withSeed(&state, seed);
    XXH3_128bits_update(&state, a.data(), a.size());
    XXH3_128bits_update(&state, b.data(), b.size());
    return from_xxhash(XXH3_128bits_digest(&state));
}

struct Hasher128::State {
    XXH3_state_t state;
};

Hasher128::Hasher128() : state_(std::make_unique<State>()) {
    XXH3_128bits_reset_withSeed(&state_->state, 0);
}

Hasher128::~Hasher128() = default;
Hasher128::Hasher128(Hasher128&& other) noexcept = default;
Hasher128& Hasher128::operator=(Hasher128&& other) noexcept = default;

void Hasher128::add(BytesView bytes) {
    XXH3_128bits_update(&state_->state, bytes.data(), bytes.size());
}

Hash128 Hasher128::hash() const {
    return from_xxhash(XXH3_128bits_digest(&state_->state));
}

std::string to_hex(const Hash128& hash) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.u64(hash.high);
    out.u64(hash.low);
    return to_hex(bytes);
}

}  // namespace syncline
