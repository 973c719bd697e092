#include "net/tcp.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "core/base/assert.hpp"
#include "net/uv_address.hpp"
#include "net/uv_connection.hpp"

namespace syncline {

namespace {

/// Pieces of output below this size share a buffer: one system call, few allocations.
constexpr std::size_t chunk_bytes = 16 * limits::kib;
/// What one write takes along. Bounds how rarely on_sent comes, and how much memory is held that
/// the kernel has taken already: an asynchronous write gives back all of it at its end.
constexpr std::size_t write_bytes_max = 256 * limits::kib;

}  // namespace

Result<void> TcpConnection::Impl::note_addresses() {
    Address address{};
    int length = sizeof(address);
    int status = uv_tcp_getpeername(&handle, reinterpret_cast<sockaddr*>(&address), &length);
    if (status != 0) return uv_failure(Code::io, "connection lost", status);
    remote = to_text(address);
    from_loopback = is_loopback(address);
    length = sizeof(address);
    status = uv_tcp_getsockname(&handle, reinterpret_cast<sockaddr*>(&address), &length);
    if (status != 0) return uv_failure(Code::io, "connection lost", status);
    local = to_text(address);
    uv_tcp_nodelay(&handle, 1);
    return {};
}

void TcpConnection::Impl::start(Events wanted) {
    SYNCLINE_ASSERT(state == State::made || state == State::closed);
    if (state == State::closed) return;
    events = std::move(wanted);
    state = State::open;
    if (unsent_bytes > 0) loop.enlist(*this);
    if (!paused) resume();
}

void TcpConnection::Impl::resume() {
    paused = false;
    if (state != State::open || ended) return;
    const int status = uv_read_start(
        stream(),
        [](uv_handle_t* reader, std::size_t /*suggested*/, uv_buf_t* room) {
            auto& shared = static_cast<Impl*>(reader->data)->loop.read_buffer;
            *room = uv_buf_init(shared.data(), static_cast<unsigned>(shared.size()));
        },
        [](uv_stream_t* reader, ssize_t count, const uv_buf_t* /*room*/) {
            static_cast<Impl*>(reader->data)->on_read(count);
        });
    if (status != 0 && status != UV_EALREADY) {
        fail_later(uv_failure(Code::io, "cannot read from " + remote, status));
    }
}

void TcpConnection::Impl::on_read(ssize_t count) {
    if (count == 0) return;  // nothing there after all
    if (count > 0) {
        const BytesView bytes(loop.read_buffer.data(), static_cast<std::size_t>(count));
        return tls ? on_records(bytes) : events.on_data(bytes);
    }
    if (count != UV_EOF) {
        fail(uv_failure(Code::io, "connection to " + remote + " lost", static_cast<int>(count)));
        return;
    }
    on_end_of_data();
}

void TcpConnection::Impl::on_end_of_data() {
    ended = true;
    uv_read_stop(stream());
    if (events.on_end) {
        events.on_end();
    } else {
        fail(std::nullopt);
    }
}

/// The owner may close or destroy the connection in each of its callbacks; this lives on until
/// libuv has let go of the handle.
void TcpConnection::Impl::on_records(BytesView bytes) {
    const Result<Bytes> plain = tls->receive(bytes);
    queue(tls->take_output());
    if (!plain && !tls->other_ended()) {
        // An alert that tells why leaves first, if the kernel takes it at once.
        if (in_flight_bytes == 0) write_out();
        if (state != State::closed) fail(plain.error());
        return;
    }
    if (tls->established() && !early.empty()) send(std::exchange(early, Bytes()));
    if (plain && !plain->empty()) events.on_data(*plain);
    if (state == State::open && tls->other_ended()) on_end_of_data();
}

void TcpConnection::Impl::fail_later(Error error) {
    failure = std::move(error);
    loop.enlist(*this);
}

/// Closes, and tells the owner. For the loop's calls only.
void TcpConnection::Impl::fail(const std::optional<Error>& error) {
    close();
    loop.request_turn();  // the owner may want a turn, and this one's end may be over
    if (events.on_close) events.on_close(error);
}

void TcpConnection::Impl::close() {
    if (state == State::closed) return;
    state = State::closed;
    loop.strike(*this);
    connect.data = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&handle),
             [](uv_handle_t* closed) { static_cast<Impl*>(closed->data)->on_closed(); });
}

void TcpConnection::Impl::on_closed() {
    handle_free = true;
    chunks.clear();
    // What the callbacks captured may own this connection: once they go, nothing here is sure.
    const auto last_events = std::exchange(events, {});
    const auto last_self = std::move(self);
}

// Output

void TcpConnection::Impl::send(Bytes bytes) {
    if (state == State::closed || state == State::draining || bytes.empty()) return;
    if (!tls) return queue(std::move(bytes));
    if (!tls->established()) {
        early += bytes;
        return;
    }
    tls->send(bytes);
    queue(tls->take_output());
}

/// Bytes as the other side gets them.
void TcpConnection::Impl::queue(Bytes bytes) {
    if (state == State::closed || bytes.empty()) return;
    unsent_bytes += bytes.size();
    if (chunks.size() > in_flight_chunks && chunks.back().size() + bytes.size() <= chunk_bytes) {
        chunks.back().append(bytes);
    } else {
        chunks.push_back(std::move(bytes));
    }
    // A write in progress takes along what came meanwhile when it is done.
    if (state == State::open && in_flight_bytes == 0) loop.enlist(*this);
}

void TcpConnection::Impl::at_turn_tail() {
    if (state == State::closed) return;
    if (failure) {
        fail(std::exchange(failure, std::nullopt));
        return;
    }
    if (in_flight_bytes == 0) write_out();
}

/// Gives the kernel what it takes at once, and the rest to libuv.
void TcpConnection::Impl::write_out() {
    const std::size_t before = unsent_bytes;
    Buffers buffers{};
    while (unsent_bytes > 0) {
        const std::size_t count = fill_buffers(buffers);
        const int sent = uv_try_write(stream(), buffers.data(), static_cast<unsigned>(count));
        if (sent == UV_EAGAIN) {
            start_write(buffers, count);
            break;
        }
        if (sent < 0) {
            fail(uv_failure(Code::io, "cannot write to " + remote, sent));
            return;
        }
        consume(static_cast<std::size_t>(sent));
    }
    if (state == State::draining && unsent_bytes == 0) {
        finish_draining();
    } else if (unsent_bytes < before && events.on_sent && state == State::open) {
        loop.request_turn();
        events.on_sent();
    }
}

/// Points buffers at the beginning of the output.
std::size_t TcpConnection::Impl::fill_buffers(Buffers& buffers) {
    std::size_t count = 0;
    std::size_t bytes = 0;
    for (auto chunk = chunks.begin(); chunk != chunks.end() && count < buffers.size(); ++chunk) {
        const std::size_t offset = count == 0 ? front_offset : 0;
        const std::size_t size = std::min(chunk->size() - offset, write_bytes_max - bytes);
        if (size == 0) break;
        buffers.at(count++) = uv_buf_init(chunk->data() + offset, static_cast<unsigned>(size));
        bytes += size;
    }
    return count;
}

void TcpConnection::Impl::start_write(const Buffers& buffers, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) in_flight_bytes += buffers.at(i).len;
    in_flight_chunks = count;
    const int status = uv_write(
        &write, stream(), buffers.data(), static_cast<unsigned>(count),
        [](uv_write_t* done, int result) { static_cast<Impl*>(done->data)->on_written(result); });
    if (status != 0) {
        in_flight_bytes = 0;
        in_flight_chunks = 0;
        fail_later(uv_failure(Code::io, "cannot write to " + remote, status));
    }
}

void TcpConnection::Impl::on_written(int status) {
    const std::size_t sent = std::exchange(in_flight_bytes, 0);
    in_flight_chunks = 0;
    if (state == State::closed) return;
    if (status != 0) {
        fail(uv_failure(Code::io, "cannot write to " + remote, status));
        return;
    }
    consume(sent);
    if (unsent_bytes == 0 && state == State::draining) {
        finish_draining();
        return;
    }
    if (unsent_bytes > 0) loop.enlist(*this);
    if (events.on_sent && state == State::open) events.on_sent();
}

void TcpConnection::Impl::consume(std::size_t bytes) {
    unsent_bytes -= bytes;
    front_offset += bytes;
    while (!chunks.empty() && front_offset >= chunks.front().size()) {
        front_offset -= chunks.front().size();
        chunks.pop_front();
    }
}

void TcpConnection::Impl::close_when_sent() {
    if (state == State::closed || state == State::draining) return;
    SYNCLINE_ASSERT(state == State::open);
    if (tls) {
        if (tls->established()) tls->end();
        queue(tls->take_output());
        early.clear();  // before the handshake nobody can read it
    }
    state = State::draining;
    uv_read_stop(stream());
    loop.enlist(*this);
}

/// A socket closed with unread input resets the connection, and the kernel then drops output it
/// has not sent yet. So the end goes out first, and input that is there is read away.
void TcpConnection::Impl::finish_draining() {
    uv_os_fd_t descriptor = -1;
    if (uv_fileno(reinterpret_cast<uv_handle_t*>(&handle), &descriptor) == 0) {
        ::shutdown(descriptor, SHUT_WR);
        auto& rubbish = loop.read_buffer;
        for (int i = 0; i < 16; ++i) {
            if (::recv(descriptor, rubbish.data(), rubbish.size(), MSG_DONTWAIT) <= 0) break;
        }
    }
    fail(std::nullopt);
}

TcpConnection::TcpConnection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

void TcpConnection::secure(std::unique_ptr<TlsSession> session) {
    SYNCLINE_ASSERT(impl_->state == Impl::State::made || impl_->state == Impl::State::closed);
    impl_->tls = std::move(session);
}

bool TcpConnection::established() const {
    return !impl_->tls || impl_->tls->established();
}

TcpConnection::~TcpConnection() {
    impl_->close();
    if (impl_->handle_free) return;
    Impl& impl = *impl_;
    impl.self = std::move(impl_);
}

void TcpConnection::start(Events events) {
    impl_->start(std::move(events));
}
void TcpConnection::send(Bytes bytes) {
    impl_->send(std::move(bytes));
}
std::size_t TcpConnection::queued_bytes() const {
    return impl_->queued_bytes();
}

void TcpConnection::pause_reading() {
    impl_->paused = true;
    if (impl_->state == Impl::State::open) uv_read_stop(impl_->stream());
}

void TcpConnection::resume_reading() {
    if (impl_->paused) impl_->resume();
}

bool TcpConnection::reading_paused() const {
    return impl_->paused;
}
void TcpConnection::close() {
    impl_->close();
}
void TcpConnection::close_when_sent() {
    impl_->close_when_sent();
}

bool TcpConnection::open() const {
    return impl_->state == Impl::State::made || impl_->state == Impl::State::open;
}

void TcpConnection::keep_alive(unsigned seconds) {
    if (open()) uv_tcp_keepalive(&impl_->handle, seconds > 0 ? 1 : 0, seconds);
}

const std::string& TcpConnection::remote_address() const {
    return impl_->remote;
}
const std::string& TcpConnection::local_address() const {
    return impl_->local;
}
bool TcpConnection::remote_is_loopback() const {
    return impl_->from_loopback;
}

}  // namespace syncline
