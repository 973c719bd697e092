#include "storage/worker.hpp"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "core/base/assert.hpp"

namespace syncline {

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

Worker::Worker(const char* name) : impl_(std::make_unique<Impl>()) {
    impl_->thread = std::thread([impl = impl_.get(), short_name = std::string(name).substr(0, 15)] {
        // The kernel keeps 15 characters. A thread without a name works as well.
        (void)::pthread_setname_np(::pthread_self(), short_name.c_str());
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
