#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

namespace syncline {

/// The event loop of one thread. An iteration is one turn:
///
///   timers -> wait for I/O -> reads, wakes, signals -> deferred tasks -> turn end -> writes
///
/// Whatever ran in a turn, on_turn_end follows it before the loop waits again, and output queued
/// anywhere in the turn, the turn end included, is written after it in one go per connection.
///
/// Confined to one thread, but for Wake::wake. Everything made on a loop must be destroyed before
/// it. Callbacks may destroy any object of the loop, also the one that called them, but not the
/// loop itself.
class Loop {
public:
    /// Makes a loop. Ignores SIGPIPE for the whole process where nobody handles it: a peer that
    /// went away is an error of one connection, not the end of the process. Errors: io.
    static Result<std::unique_ptr<Loop>> create();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Runs turns until stop().
    void run();
    /// Runs one turn: waits until something happens, or, with wait = false, takes what is there.
    void run_once(bool wait = true);
    /// Ends run() after the turn in progress; before run(), makes it return at once.
    void stop();

    /// Called once at the end of each turn. Replaces the former callback.
    void on_turn_end(std::function<void()> callback);
    /// Runs the task once, from the loop and never inside this call: at the end of the turn in
    /// progress, before on_turn_end; a task deferred at a later moment of the turn runs in the
    /// next one, which follows at once.
    void defer(std::function<void()> task);
    /// Calls back with the signal's number. Replaces the former callback and set. Errors: io.
    Result<void> on_signals(std::initializer_list<int> signal_numbers,
                            std::function<void(int)> callback);

    /// Milliseconds since some start, as of the beginning of the turn. Free of charge.
    [[nodiscard]] std::uint64_t now_ms() const;

    /// For net/tcp only; hides libuv.
    struct Impl;
    Impl& impl() { return *impl_; }

private:
    Loop();
    std::unique_ptr<Impl> impl_;
};

/// Calls back after a time. Stopped when destroyed.
class Timer {
public:
    Timer(Loop& loop, std::function<void()> callback);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    /// Calls back once, delay_ms from now; at least 1 ms. Replaces what was started before.
    void start(std::uint64_t delay_ms);
    /// Calls back every interval_ms, at least 1 ms, the first time after one interval.
    void start_repeating(std::uint64_t interval_ms);
    void stop();
    /// A call is still to come.
    [[nodiscard]] bool active() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Lets other threads call into the loop. Several wakes before the callback ran are one call; one
/// wake is never lost.
class Wake {
public:
    Wake(Loop& loop, std::function<void()> callback);
    /// No other thread may be in wake(), or call it later.
    ~Wake();
    Wake(const Wake&) = delete;
    Wake& operator=(const Wake&) = delete;

    /// From any thread.
    void wake();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace syncline
