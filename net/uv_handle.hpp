#pragma once
// Private to net/loop.cpp and net/tcp.cpp: what they share of libuv.
#include <uv.h>

#include <array>
#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/limits.hpp"
#include "net/loop.hpp"

namespace syncline {

/// Something to be done once at the end of a turn, after on_turn_end. Enlisting twice is once.
class TurnTail {
public:
    TurnTail() = default;
    virtual ~TurnTail() = default;
    TurnTail(const TurnTail&) = delete;
    TurnTail& operator=(const TurnTail&) = delete;

    virtual void at_turn_tail() = 0;

private:
    friend struct Loop::Impl;
    static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);
    std::size_t place_ = nowhere;  ///< in Loop::Impl::tails
};

struct Loop::Impl {
    uv_loop_t loop{};
    uv_check_t check{};   ///< runs after the I/O callbacks: the end of a turn
    uv_idle_t idle{};     ///< while active, the loop does not wait
    uv_async_t anchor{};  ///< keeps run() going while nothing else is open
    std::function<void()> turn_end;
    bool turn_end_replaced = false;
    std::vector<std::function<void()>> tasks;
    std::vector<TurnTail*> tails;
    std::vector<std::unique_ptr<struct SignalHandle>> signals;
    std::function<void(int)> signal_callback;
    /// One for all connections: libuv calls back with the bytes before it asks for room again.
    std::array<char, 64 * limits::kib> read_buffer{};

    Result<void> open();
    void end_turn();
    /// Lets a turn end follow before the loop waits. For whatever runs outside of I/O callbacks.
    void request_turn() {
        uv_idle_start(&idle, [](uv_idle_t* /*handle*/) {});
    }
    void enlist(TurnTail& tail);
    /// Must be called before a tail dies.
    void strike(TurnTail& tail);
};

/// "while doing this: what libuv says".
inline Error uv_failure(Code code, const std::string& doing, int status) {
    return Error{code, doing + ": " + uv_strerror(status)};
}

/// Closes a handle that lives in owner, and frees the owner when libuv has let go of it.
template <std::destructible Owner, typename Handle>
void close_and_free(std::unique_ptr<Owner> owner, Handle& handle) {
    // libuv's own idiom: every handle type begins with the fields of uv_handle_t.
    auto* base = reinterpret_cast<uv_handle_t*>(&handle);
    base->data = owner.release();
    uv_close(base, [](uv_handle_t* closed) {
        const std::unique_ptr<Owner> last(static_cast<Owner*>(closed->data));
    });
}

}  // namespace syncline
