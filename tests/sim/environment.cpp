#include "tests/sim/environment.hpp"

namespace syncline::sim {
namespace {

/// Wall time when a run begins; any will do.
constexpr std::int64_t epoch_ms = 1'700'000'000'000;
constexpr std::int64_t million = 1'000'000;

std::uint64_t split_mix(std::uint64_t& state) {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

std::uint64_t rotate(std::uint64_t value, unsigned bits) {
    return value << bits | value >> (64 - bits);
}

}  // namespace

SimRandom::SimRandom(std::uint64_t seed, std::uint64_t stream) : state_{} {
    std::uint64_t mixed = split_mix(seed) ^ stream;
    for (std::uint64_t& word : state_) word = split_mix(mixed);
}

std::uint64_t SimRandom::next() {
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
}

std::uint64_t SimClock::elapsed_ms() const {
    const auto since = static_cast<std::int64_t>(now_ - drift_since_);
    const std::int64_t gained = drifted_ + since * drift_ppm_ / million;
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(now_) + gained) / micros_per_ms;
}

std::uint64_t SimClock::wall_ms() {
    return static_cast<std::uint64_t>(epoch_ms + static_cast<std::int64_t>(elapsed_ms()) +
                                      offset_ms_);
}

void SimClock::set_drift(std::int64_t drift_ppm) {
    drifted_ += static_cast<std::int64_t>(now_ - drift_since_) * drift_ppm_ / million;
    drift_since_ = now_;
    drift_ppm_ = drift_ppm;
}

}  // namespace syncline::sim
