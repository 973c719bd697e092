#pragma once
#include <functional>
#include <memory>

namespace syncline {

/// One background thread that runs jobs in the order they were given: the log thread and the
/// checkpoint thread are one of these each. Job and completion are a pair: the job runs on the
/// thread; `on_done` is told (on that thread) so that the owner can wake its loop.
/// Destruction finishes the queued jobs.
/// Thread-safety: post() from any thread.
class Worker {
public:
    explicit Worker(const char* name);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void post(std::function<void()> job);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace syncline
