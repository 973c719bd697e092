#pragma once
// Private to net/tcp*.cpp: what stands behind a TcpConnection.
#include <uv.h>

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "net/tcp.hpp"
#include "net/tls.hpp"
#include "net/uv_handle.hpp"

namespace syncline {

/// Lives until libuv has let go of the handle and the TcpConnection is gone, whichever is later.
struct TcpConnection::Impl final : TurnTail {
    explicit Impl(Loop::Impl& on_loop) : loop(on_loop) {
        uv_tcp_init(&loop.loop, &handle);
        handle.data = this;
        write.data = this;
    }

    enum class State : std::uint8_t { made, open, draining, closed };
    using Buffers = std::array<uv_buf_t, 64>;

    // Calls of the owner.
    void start(Events wanted);
    void send(Bytes bytes);
    void resume();
    void close_when_sent();
    void close();
    [[nodiscard]] std::size_t queued_bytes() const {
        return unsent_bytes - in_flight_bytes + uv_stream_get_write_queue_size(stream()) +
               early.size();
    }

    // Calls of the loop.
    void at_turn_tail() override;
    void on_read(ssize_t count);
    void on_written(int status);
    void on_closed();

    // Steps.
    Result<void> note_addresses();
    void queue(Bytes bytes);
    void on_records(BytesView bytes);
    void on_end_of_data();
    void fail(const std::optional<Error>& error);
    void fail_later(Error error);
    void write_out();
    std::size_t fill_buffers(Buffers& buffers);
    void start_write(const Buffers& buffers, std::size_t count);
    void consume(std::size_t bytes);
    void finish_draining();
    uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&handle); }
    [[nodiscard]] const uv_stream_t* stream() const {
        return reinterpret_cast<const uv_stream_t*>(&handle);
    }

    Loop::Impl& loop;
    uv_tcp_t handle{};
    uv_write_t write{};
    uv_connect_t connect{};  ///< data: the connector that waits, or null
    Events events;
    State state = State::made;
    bool paused = false;
    bool ended = false;            ///< the other side has sent all it wanted to
    bool handle_free = false;      ///< libuv has let go of the handle
    std::optional<Error> failure;  ///< to be reported at the end of the turn

    std::deque<Bytes> chunks;          ///< output in order; a deque leaves its elements in place
    std::size_t front_offset = 0;      ///< bytes of the first chunk that have left
    std::size_t unsent_bytes = 0;      ///< in chunks, less front_offset
    std::size_t in_flight_bytes = 0;   ///< handed to uv_write, which still reads them
    std::size_t in_flight_chunks = 0;  ///< chunks it reads; they must stay as they are

    std::unique_ptr<TlsSession> tls;  ///< null: plain
    Bytes early;                      ///< to be sent when its handshake is over

    std::string remote = "unknown";
    std::string local = "unknown";
    bool from_loopback = false;
    std::unique_ptr<Impl> self;  ///< set when the owner went first
};

}  // namespace syncline
