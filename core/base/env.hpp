#pragma once
#include <cstdint>

namespace syncline {

/// The only door to time. Production reads the system's clocks, the simulator its virtual ones.
class Clock {
public:
    virtual ~Clock() = default;
    /// Milliseconds since 1970; may jump.
    virtual std::uint64_t wall_ms() = 0;
    /// Milliseconds since some start; never goes back.
    virtual std::uint64_t steady_ms() = 0;
    /// The same two in microseconds, as exactly as the clock has them.
    virtual std::uint64_t wall_us() { return wall_ms() * 1000; }
    virtual std::uint64_t steady_us() { return steady_ms() * 1000; }
};

/// The only door to chance.
class Random {
public:
    virtual ~Random() = default;
    virtual std::uint64_t next() = 0;
    /// Uniform enough in [0, bound); bound > 0.
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
};

/// What a replica takes from the world besides bytes. Owned by whoever runs it.
struct Env {
    Clock& clock;
    Random& random;
};

/// The system's clocks. Thread-safe.
class SystemClock final : public Clock {
public:
    std::uint64_t wall_ms() override;
    std::uint64_t steady_ms() override;
    std::uint64_t wall_us() override;
    std::uint64_t steady_us() override;
};

/// The kernel's generator (getrandom). Thread-safe.
class SystemRandom final : public Random {
public:
    std::uint64_t next() override;
};

}  // namespace syncline
