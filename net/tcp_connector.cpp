#include <algorithm>
#include <cstring>
#include <deque>
#include <set>
#include <utility>

#include "net/tcp.hpp"
#include "net/uv_address.hpp"
#include "net/uv_connection.hpp"

namespace syncline {
namespace {

/// More than the system's resolver waits for its first server.
constexpr std::uint64_t resolve_ms_max = 10'000;

}  // namespace

struct TcpConnector::Impl final : TurnTail {
    Impl(Loop& on_loop, const TcpEndpoint& endpoint, Connected on_connected)
        : loop(on_loop.impl()),
          to(endpoint),
          callback(std::move(on_connected)),
          timeout(on_loop, [this] { on_timeout(); }) {}
    ~Impl() override;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    /// Outlives a connector that gave up: libuv's thread cannot be stopped.
    struct Resolution {
        uv_getaddrinfo_t request{};
        Impl* connector = nullptr;
    };

    void start(std::uint64_t timeout_ms, std::set<std::string> not_these);
    void resolve();
    void abandon_resolution();
    void on_resolved(int status, const addrinfo* found);
    void try_next();
    void on_connected(int status);
    void on_timeout();
    void at_turn_tail() override { finish(*failure); }
    void fail_later(const std::string& sentence);
    void finish(Result<std::unique_ptr<TcpConnection>> result);

    Loop::Impl& loop;
    TcpEndpoint to;
    Connected callback;
    Timer timeout;
    std::uint64_t timeout_ms = 0;
    std::set<std::string> avoided;
    std::deque<Address> addresses;  ///< not tried yet
    Resolution* resolution = nullptr;
    std::unique_ptr<TcpConnection> attempt;
    TcpConnection::Impl* attempt_impl = nullptr;  ///< of attempt
    std::string last_problem = "no address";
    std::optional<Error> failure;
};

TcpConnector::Impl::~Impl() {
    loop.strike(*this);
    abandon_resolution();
}

void TcpConnector::Impl::abandon_resolution() {
    if (resolution == nullptr) return;
    resolution->connector = nullptr;
    uv_cancel(reinterpret_cast<uv_req_t*>(&resolution->request));
    resolution = nullptr;
}

void TcpConnector::Impl::start(std::uint64_t within_ms, std::set<std::string> not_these) {
    timeout_ms = within_ms;
    avoided = std::move(not_these);
    if (const auto numeric = numeric_address(to)) {
        addresses.push_back(*numeric);
        try_next();
    } else {
        timeout.start(resolve_ms_max);
        resolve();
    }
}

void TcpConnector::Impl::resolve() {
    auto pending = std::make_unique<Resolution>();
    pending->connector = this;
    pending->request.data = pending.get();
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    const int status = uv_getaddrinfo(
        &loop.loop, &pending->request,
        [](uv_getaddrinfo_t* request, int result, addrinfo* found) {
            const std::unique_ptr<Resolution> done(static_cast<Resolution*>(request->data));
            if (done->connector != nullptr) done->connector->on_resolved(result, found);
            uv_freeaddrinfo(found);
        },
        to.host.c_str(), nullptr, &hints);
    if (status != 0) {
        fail_later(std::string("the name cannot be resolved: ") + uv_strerror(status));
        return;
    }
    resolution = pending.release();  // the callback above owns it from here on
}

void TcpConnector::Impl::on_resolved(int status, const addrinfo* found) {
    resolution = nullptr;
    if (status != 0) {
        fail_later(std::string("the name cannot be resolved: ") + uv_strerror(status));
        return;
    }
    for (; found != nullptr; found = found->ai_next) {
        if (found->ai_family != AF_INET && found->ai_family != AF_INET6) continue;
        Address address{};
        std::memcpy(&address, found->ai_addr,
                    std::min<std::size_t>(found->ai_addrlen, sizeof(address)));
        set_port(address, to.port);
        addresses.push_back(address);
    }
    const auto others = std::stable_partition(
        addresses.begin(), addresses.end(),
        [&](const Address& address) { return !avoided.contains(to_text(address)); });
    if (others != addresses.begin()) addresses.erase(others, addresses.end());
    try_next();
}

void TcpConnector::Impl::try_next() {
    while (!addresses.empty()) {
        const Address address = addresses.front();
        addresses.pop_front();
        auto impl = std::make_unique<TcpConnection::Impl>(loop);
        attempt_impl = impl.get();
        attempt = std::make_unique<TcpConnection>(std::move(impl));
        attempt_impl->connect.data = this;
        const int status =
            uv_tcp_connect(&attempt_impl->connect, &attempt_impl->handle, as_sockaddr(address),
                           [](uv_connect_t* request, int result) {
                               auto* connector = static_cast<Impl*>(request->data);
                               if (connector != nullptr) connector->on_connected(result);
                           });
        if (status == 0) return timeout.start(timeout_ms);
        last_problem = uv_strerror(status);
    }
    fail_later(last_problem);
}

void TcpConnector::Impl::on_connected(int status) {
    attempt_impl->connect.data = nullptr;
    if (status == 0) {
        if (auto noted = attempt_impl->note_addresses(); !noted) {
            last_problem = noted.error().message;
        } else {
            finish(std::move(attempt));
            return;
        }
    } else {
        last_problem = uv_strerror(status);
    }
    try_next();
}

void TcpConnector::Impl::on_timeout() {
    if (resolution != nullptr) {
        abandon_resolution();
        return fail_later("the name cannot be resolved: no answer");
    }
    last_problem = "no answer within " + std::to_string(timeout_ms) + " ms";
    try_next();
}

/// The callback must not come from inside the constructor.
void TcpConnector::Impl::fail_later(const std::string& sentence) {
    timeout.stop();
    attempt.reset();
    failure = Error{Code::unavailable, "cannot connect to " + to_text(to) + ": " + sentence};
    loop.enlist(*this);
}

void TcpConnector::Impl::finish(Result<std::unique_ptr<TcpConnection>> result) {
    timeout.stop();
    attempt.reset();
    loop.strike(*this);
    loop.request_turn();
    addresses.clear();
    abandon_resolution();
    const auto call = std::move(callback);
    call(std::move(result));  // may destroy this
}

bool TcpEndpoint::is_name() const {
    return !numeric_address(*this);
}

TcpConnector::TcpConnector(Loop& loop, const TcpEndpoint& to, std::uint64_t timeout_ms,
                           Connected callback, std::set<std::string> avoided)
    : impl_(std::make_unique<Impl>(loop, to, std::move(callback))) {
    impl_->start(timeout_ms, std::move(avoided));
}

TcpConnector::~TcpConnector() = default;

}  // namespace syncline
