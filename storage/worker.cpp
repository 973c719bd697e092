#include "storage/worker.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "core/base/assert.hpp"

namespace syncline {
namespace {

/// To the scheduler a thread with this much niceness weighs a tenth of one without.
constexpr int gentle_niceness = 10;

/// Of the calling thread; one that keeps its full share works as well.
void run_gently() {
    (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), gentle_niceness);
}

}  // namespace

struct Worker::Impl {
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<std::function<void()>> jobs;  ///< guarded by mutex
    bool ending = false;                     ///< guarded by mutex
    std::thread thread;

    void run() {
        for (;;) {
            // Declared inside the loop: what a job owns dies on this thread, before the next job.
            std::function<void()> job;
            {
                std::unique_lock lock(mutex);
                wake.wait(lock, [this] { return ending || !jobs.empty(); });
                if (jobs.empty()) return;
                job = std::move(jobs.front());
                jobs.pop_front();
            }
            job();
        }
    }
};

Worker::Worker(const char* name, Share share) : impl_(std::make_unique<Impl>()) {
    impl_->thread = std::thread([impl = impl_.get(), share, thread_name = std::string(name)] {
        // The kernel keeps 15 characters. A thread without a name works as well.
        (void)::pthread_setname_np(::pthread_self(), thread_name.substr(0, 15).c_str());
        if (share == Share::gentle) run_gently();
        impl->run();
    });
}

Worker::~Worker() {
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->ending = true;
    }
    impl_->wake.notify_one();
    impl_->thread.join();
}

void Worker::post(std::function<void()> job) {
    SYNCLINE_ASSERT(job != nullptr);
    {
        const std::lock_guard lock(impl_->mutex);
        SYNCLINE_ASSERT(!impl_->ending);
        impl_->jobs.push_back(std::move(job));
    }
    impl_->wake.notify_one();
}

}  // namespace syncline
