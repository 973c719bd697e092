#pragma once
#include <cstdint>

#include "core/base/env.hpp"

/// Virtual time and chance: everything a simulated replica takes from the world besides bytes.
namespace syncline::sim {

/// Virtual time: microseconds since the run began.
using Micros = std::uint64_t;

constexpr Micros micros_per_ms = 1000;
constexpr Micros second = 1000 * micros_per_ms;

/// xoshiro256**, seeded through splitmix64. Streams of one seed are independent, so that a draw
/// more in one place does not change another place. Source: Blackman & Vigna 2018, "Scrambled
/// linear pseudorandom number generators".
class SimRandom final : public Random {
public:
    SimRandom(std::uint64_t seed, std::uint64_t stream);

    std::uint64_t next() override;
    /// Uniform in [low, high].
    std::uint64_t between(std::uint64_t low, std::uint64_t high) {
        return low + below(high - low + 1);
    }
    bool per_mille(std::uint64_t chance) { return below(1000) < chance; }
    bool one_in(std::uint64_t count) { return below(count) == 0; }
    /// Around a mean: uniform in [mean / 2, mean * 3 / 2].
    std::uint64_t around(std::uint64_t mean) { return between(mean / 2, mean + mean / 2); }

private:
    std::uint64_t state_[4];
};

/// A replica's clock: virtual time with a drift of its own, and for the wall clock an offset that
/// faults change.
class SimClock final : public Clock {
public:
    explicit SimClock(const Micros& now) : now_(now) {}

    std::uint64_t wall_ms() override;
    std::uint64_t steady_ms() override { return elapsed_ms(); }

    /// Parts per million by which this clock is fast.
    void set_drift(std::int64_t drift_ppm);
    void set_offset(std::int64_t offset_ms) { offset_ms_ = offset_ms; }
    [[nodiscard]] std::int64_t offset_ms() const { return offset_ms_; }

private:
    [[nodiscard]] std::uint64_t elapsed_ms() const;

    const Micros& now_;
    Micros drift_since_ = 0;
    std::int64_t drift_ppm_ = 0;
    std::int64_t drifted_ = 0;  // microseconds gained until drift_since_
    std::int64_t offset_ms_ = 0;
};

}  // namespace syncline::sim
