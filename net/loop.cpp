#include "net/loop.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

#include "core/base/assert.hpp"
#include "net/uv_handle.hpp"

namespace syncline {

struct SignalHandle {
    uv_signal_t handle{};
};

namespace {

void ignore_broken_pipes() {
    struct sigaction current {};
    if (sigaction(SIGPIPE, nullptr, &current) != 0 || current.sa_handler != SIG_DFL) return;
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, nullptr);
}

void close_embedded(uv_handle_t* handle) {
    if (uv_is_closing(handle) == 0) uv_close(handle, nullptr);
}

}  // namespace

// Turns

Result<void> Loop::Impl::open() {
    int status = uv_loop_init(&loop);
    if (status != 0) return uv_failure(Code::io, "cannot make an event loop", status);
    loop.data = this;
    uv_check_init(&loop, &check);
    uv_idle_init(&loop, &idle);
    check.data = this;
    uv_check_start(&check,
                   [](uv_check_t* handle) { static_cast<Impl*>(handle->data)->end_turn(); });
    // The first async handle of a loop opens its descriptor; from here on a Wake cannot fail.
    status = uv_async_init(&loop, &anchor, nullptr);
    if (status != 0) return uv_failure(Code::io, "cannot make an event loop", status);
    return {};
}

void Loop::Impl::end_turn() {
    // Whatever is asked for from here on that has missed its place starts the idle handle again.
    uv_idle_stop(&idle);
    const auto due = std::exchange(tasks, {});
    for (const auto& task : due) task();

    if (turn_end) {
        // Held here, so that the callback may replace itself.
        turn_end_replaced = false;
        auto callback = std::exchange(turn_end, nullptr);
        callback();
        if (!turn_end_replaced) turn_end = std::move(callback);
    }

    // By index and with places: tails that are struck meanwhile leave a gap.
    const std::size_t count = tails.size();
    for (std::size_t i = 0; i < count; ++i) {
        TurnTail* tail = tails[i];
        if (tail == nullptr) continue;
        tails[i] = nullptr;
        tail->place_ = TurnTail::nowhere;
        tail->at_turn_tail();
    }
    tails.erase(tails.begin(), tails.begin() + static_cast<std::ptrdiff_t>(count));
    for (std::size_t i = 0; i < tails.size(); ++i) {
        if (tails[i] != nullptr) tails[i]->place_ = i;
    }
}

void Loop::Impl::enlist(TurnTail& tail) {
    request_turn();
    if (tail.place_ != TurnTail::nowhere) return;
    tail.place_ = tails.size();
    tails.push_back(&tail);
}

void Loop::Impl::strike(TurnTail& tail) {
    if (tail.place_ == TurnTail::nowhere) return;
    tails[tail.place_] = nullptr;
    tail.place_ = TurnTail::nowhere;
}

// Loop

Loop::Loop() : impl_(std::make_unique<Impl>()) {}

Result<std::unique_ptr<Loop>> Loop::create() {
    ignore_broken_pipes();
    std::unique_ptr<Loop> loop(new Loop);
    SYNCLINE_CHECK(loop->impl_->open());
    return loop;
}

Loop::~Loop() {
    if (impl_->loop.data == nullptr) return;  // open() failed at once
    impl_->turn_end = nullptr;
    impl_->tasks.clear();
    for (auto& signal : impl_->signals) {
        uv_signal_t& handle = signal->handle;
        close_and_free(std::move(signal), handle);
    }
    close_embedded(reinterpret_cast<uv_handle_t*>(&impl_->check));
    close_embedded(reinterpret_cast<uv_handle_t*>(&impl_->idle));
    if (impl_->anchor.type == UV_ASYNC) {
        close_embedded(reinterpret_cast<uv_handle_t*>(&impl_->anchor));
    }
    // What is still open here belongs to an object that outlives its loop.
    uv_walk(
        &impl_->loop,
        [](uv_handle_t* handle, void* /*unused*/) { SYNCLINE_ASSERT(uv_is_closing(handle) != 0); },
        nullptr);
    // Close callbacks, and name resolutions that nobody waits for any more.
    uv_run(&impl_->loop, UV_RUN_DEFAULT);
    SYNCLINE_ASSERT(uv_loop_close(&impl_->loop) == 0);
}

void Loop::run() {
    uv_run(&impl_->loop, UV_RUN_DEFAULT);
}

void Loop::run_once(bool wait) {
    uv_run(&impl_->loop, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

void Loop::stop() {
    uv_stop(&impl_->loop);
}

void Loop::on_turn_end(std::function<void()> callback) {
    impl_->turn_end = std::move(callback);
    impl_->turn_end_replaced = true;
}

void Loop::defer(std::function<void()> task) {
    impl_->request_turn();
    impl_->tasks.push_back(std::move(task));
}

Result<void> Loop::on_signals(std::initializer_list<int> signal_numbers,
                              std::function<void(int)> callback) {
    for (auto& signal : std::exchange(impl_->signals, {})) {
        uv_signal_t& handle = signal->handle;
        close_and_free(std::move(signal), handle);
    }
    impl_->signal_callback = std::move(callback);
    for (const int number : signal_numbers) {
        auto signal = std::make_unique<SignalHandle>();
        uv_signal_t& handle = signal->handle;
        int status = uv_signal_init(&impl_->loop, &handle);
        if (status != 0) return uv_failure(Code::io, "cannot watch for signals", status);
        impl_->signals.push_back(std::move(signal));  // from here on it is closed with the loop
        handle.data = impl_.get();
        status = uv_signal_start(
            &handle,
            [](uv_signal_t* raised, int raised_number) {
                const auto call = static_cast<Impl*>(raised->data)->signal_callback;
                call(raised_number);
            },
            number);
        if (status != 0) {
            return uv_failure(Code::io, "cannot watch for signal " + std::to_string(number),
                              status);
        }
    }
    return {};
}

std::uint64_t Loop::now_ms() const {
    return uv_now(&impl_->loop);
}

// Timer

struct Timer::Impl {
    Impl(Loop::Impl& on_loop, std::function<void()> on_due)
        : loop(on_loop), callback(std::move(on_due)) {}

    Loop::Impl& loop;
    std::function<void()> callback;
    uv_timer_t handle{};

    void start(std::uint64_t delay_ms, std::uint64_t repeat_ms) {
        // The loop's time is that of the turn's beginning, which may be long ago.
        uv_update_time(&loop.loop);
        uv_timer_start(
            &handle,
            [](uv_timer_t* due) {
                auto& self = *static_cast<Impl*>(due->data);
                self.loop.request_turn();  // timers run before the loop waits
                self.callback();
            },
            delay_ms, repeat_ms);
    }
};

Timer::Timer(Loop& loop, std::function<void()> callback)
    : impl_(std::make_unique<Impl>(loop.impl(), std::move(callback))) {
    uv_timer_init(&impl_->loop.loop, &impl_->handle);
    impl_->handle.data = impl_.get();
}

Timer::~Timer() {
    uv_timer_t& handle = impl_->handle;
    close_and_free(std::move(impl_), handle);
}

// With 0 ms, a timer that starts itself would run for ever within one turn.
void Timer::start(std::uint64_t delay_ms) {
    impl_->start(std::max<std::uint64_t>(delay_ms, 1), 0);
}

void Timer::start_repeating(std::uint64_t interval_ms) {
    const std::uint64_t interval = std::max<std::uint64_t>(interval_ms, 1);
    impl_->start(interval, interval);
}

void Timer::stop() {
    uv_timer_stop(&impl_->handle);
}

bool Timer::active() const {
    return uv_is_active(reinterpret_cast<const uv_handle_t*>(&impl_->handle)) != 0;
}

// Wake

struct Wake::Impl {
    explicit Impl(std::function<void()> on_wake) : callback(std::move(on_wake)) {}

    std::function<void()> callback;
    uv_async_t handle{};
};

Wake::Wake(Loop& loop, std::function<void()> callback)
    : impl_(std::make_unique<Impl>(std::move(callback))) {
    const int status = uv_async_init(&loop.impl().loop, &impl_->handle, [](uv_async_t* woken) {
        static_cast<Impl*>(woken->data)->callback();
    });
    SYNCLINE_ASSERT(status == 0);  // the loop's anchor has opened what could fail
    impl_->handle.data = impl_.get();
}

Wake::~Wake() {
    uv_async_t& handle = impl_->handle;
    close_and_free(std::move(impl_), handle);
}

void Wake::wake() {
    uv_async_send(&impl_->handle);
}

}  // namespace syncline
