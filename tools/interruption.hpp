#pragma once
#include <chrono>
#include <csignal>
#include <ctime>

namespace syncline {

/// SIGINT and SIGTERM, which from its making on end the process no more: whoever made it asks for
/// them. To be made before threads are. Confined to one thread.
class Interruption {
public:
    Interruption() {
        sigemptyset(&signals_);
        sigaddset(&signals_, SIGINT);
        sigaddset(&signals_, SIGTERM);
        (void)pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    }
    /// Waits, less than a second; whether the process was told to end.
    [[nodiscard]] bool within(std::chrono::milliseconds time) const {
        const timespec wait{0, std::chrono::nanoseconds(time).count()};
        return sigtimedwait(&signals_, nullptr, &wait) > 0;
    }

private:
    sigset_t signals_{};
};

}  // namespace syncline
