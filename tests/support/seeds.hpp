#pragma once
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/env.hpp"

namespace syncline::test {

/// Splitmix64: the same numbers for the same seed everywhere.
class SeededRandom final : public Random {
public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() override {
        state_ += 0x9e3779b97f4a7c15;
        std::uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
        return mixed ^ (mixed >> 31);
    }

private:
    std::uint64_t state_;
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool sanitized = false;
#endif

/// So many runs, or a fifth of them where each takes ten times as long.
constexpr std::size_t fewer_if_sanitized(std::size_t runs) {
    return sanitized ? (runs + 4) / 5 : runs;
}

/// The seeds 1 to count, or only the one in SYNCLINE_SEED, to replay a failure.
inline std::vector<std::uint64_t> seeds(std::size_t count) {
    if (const char* one = std::getenv("SYNCLINE_SEED"); one != nullptr) {
        return {std::strtoull(one, nullptr, 0)};
    }
    std::vector<std::uint64_t> all(count);
    std::iota(all.begin(), all.end(), std::uint64_t{1});
    return all;
}

/// Any bytes, zero included.
inline Bytes random_bytes(Random& random, std::size_t count) {
    Bytes bytes(count, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.below(256));
    return bytes;
}

/// A number of any length: a random value cut to a random count of bits.
inline std::uint64_t random_number(Random& random) {
    return random.next() >> random.below(64);
}

}  // namespace syncline::test
