#pragma once
#include <cstdint>
#include <functional>
#include <memory>

namespace syncline {

/// How a thread shares a processor with others. Who waits for nobody else runs gently: on what
/// others leave, and on a tenth of a busy core.
enum class Share : std::uint8_t { full, gentle };

/// One background thread that runs jobs in the order they were given: the log thread, the
/// segment thread and the checkpoint thread are one of these each. Job and completion are a pair:
/// the job runs on the thread; `on_done` is told (on that thread) so that the owner can wake its
/// loop. Destruction finishes the queued jobs. Thread-safety: post() from any thread.
class Worker {
public:
    explicit Worker(const char* name, Share share = Share::full);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void post(std::function<void()> job);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace syncline
