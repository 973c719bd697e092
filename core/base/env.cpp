#include "core/base/env.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "core/base/assert.hpp"

namespace syncline {

namespace {

template <typename SomeClock, typename Unit>
std::uint64_t now() {
    const auto since_start = SomeClock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<Unit>(since_start).count());
}

/// A few numbers from the kernel at a time. One per thread, so that no lock is needed.
struct RandomBuffer {
    static constexpr std::size_t words_count = 32;  // 256 bytes: the kernel never cuts those short.

    std::uint64_t words[words_count] = {};
    std::size_t used = words_count;
    pid_t process = 0;

    void fill() {
        ssize_t got = 0;
        do {
            got = getrandom(words, sizeof words, 0);
        } while (got < 0 && errno == EINTR);
        SYNCLINE_ASSERT(got == static_cast<ssize_t>(sizeof words));
        used = 0;
        process = getpid();
    }
};

}  // namespace

std::uint64_t SystemClock::wall_ms() {
    return now<std::chrono::system_clock, std::chrono::milliseconds>();
}
std::uint64_t SystemClock::steady_ms() {
    return now<std::chrono::steady_clock, std::chrono::milliseconds>();
}
std::uint64_t SystemClock::wall_us() {
    return now<std::chrono::system_clock, std::chrono::microseconds>();
}
std::uint64_t SystemClock::steady_us() {
    return now<std::chrono::steady_clock, std::chrono::microseconds>();
}

std::uint64_t SystemRandom::next() {
    thread_local RandomBuffer buffer;
    // A forked child has its parent's buffer; without this check both would hand out the same
    // numbers, and two replicas could take the same identity.
    if (buffer.used == RandomBuffer::words_count || buffer.process != getpid()) buffer.fill();
    return buffer.words[buffer.used++];
}

}  // namespace syncline
