#pragma once
#include <compare>
#include <cstdint>
#include <memory>

#include "core/base/bytes.hpp"

namespace syncline {

/// XXH3 with 64 bits. Fast, not cryptographic: guards against accidents, never against an attacker.
std::uint64_t hash64(BytesView bytes, std::uint64_t seed = 0);

/// A number mod 2^128: the hash of one row, or the sum of the hashes of many.
struct Hash128 {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    auto operator<=>(const Hash128&) const = default;
    Hash128& operator+=(const Hash128& other);
    Hash128& operator-=(const Hash128& other);
    friend Hash128 operator+(Hash128 a, const Hash128& b) { return a += b; }
    friend Hash128 operator-(Hash128 a, const Hash128& b) { return a -= b; }
};

/// XXH3 with 128 bits over the concatenation of a and b, without copying them together.
Hash128 hash128(BytesView a, BytesView b, std::uint64_t seed);

/// XXH3 with 128 bits and seed 0 over bytes that come in pieces.
class Hasher128 {
public:
    Hasher128();
    ~Hasher128();
    Hasher128(Hasher128&& other) noexcept;
    Hasher128& operator=(Hasher128&& other) noexcept;

    void add(BytesView bytes);
    /// Of all bytes so far.
    [[nodiscard]] Hash128 hash() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

std::string to_hex(const Hash128& hash);

}  // namespace syncline
