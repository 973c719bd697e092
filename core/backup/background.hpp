#pragma once
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "core/base/result.hpp"
#include "storage/worker.hpp"

namespace syncline {

/// One piece of work at a time on a thread of its own, whose result its owner fetches. The end of
/// this waits for the work under way: what that uses must be declared in front of it.
/// Thread-safety: confined to the owner's thread, but `on_done`, which its own thread calls.
class Background {
public:
    explicit Background(const char* name) : worker_(name) {}

    /// Precondition: not busy().
    void post(std::function<Result<void>()> work, std::function<void()> on_done) {
        busy_ = true;
        worker_.post([this, work = std::move(work), on_done = std::move(on_done)]() {
            Result<void> done = work();
            {
                const std::lock_guard lock(mutex_);
                result_ = std::move(done);
            }
            on_done();
        });
    }
    /// Until its result was taken.
    [[nodiscard]] bool busy() const { return busy_; }
    /// Nothing: there was nothing to do, or it is not done.
    std::optional<Result<void>> take_result() {
        const std::lock_guard lock(mutex_);
        if (result_) busy_ = false;
        return std::exchange(result_, std::nullopt);
    }

private:
    bool busy_ = false;
    std::mutex mutex_;  // guards the result
    std::optional<Result<void>> result_;
    Worker worker_;  // last: its end waits for what uses the others
};

}  // namespace syncline
