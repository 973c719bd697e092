#include "net/session.hpp"

#include <utility>

#include "core/base/limits.hpp"
#include "core/base/log.hpp"

namespace syncline {
namespace {

/// Replies a pipelining client may be owed before it is read no further.
constexpr std::uint64_t owed_max = 16384;
/// Unsent output at which reading pauses; a single reply may be larger.
constexpr std::uint64_t unsent_bytes_pause = 1 * limits::mib;
/// When a turn has made so many bytes of replies, who asks for much goes on in the next one: those
/// who ask for little are not to wait behind them.
constexpr std::uint64_t turn_bytes_max = 512 * limits::kib;
/// Who is owed more at one time asks for much, until that is so long ago.
constexpr std::uint64_t owed_bytes_few = 16 * limits::kib;
constexpr std::uint64_t heavy_ms = 1000;
/// How long a sliced command may hold the loop in one turn.
constexpr std::uint64_t slice_budget_ms = 20;
/// Replies of at most this size are gathered into one piece of output; larger ones are not copied.
constexpr std::size_t gathered_bytes_max = 16 * limits::kib;
constexpr unsigned keep_alive_s = 300;
/// A client that is blocked in a pop is read on, so that its end is noticed: what it is given after
/// that would be lost. Until it has sent so much.
constexpr std::size_t blocked_input_bytes_max = 64 * 1024;

/// TLS takes two round trips.
constexpr std::uint64_t handshake_ms_max = 5000;
/// From the first byte of a request to its last, before the client has logged in.
constexpr std::uint64_t request_before_login_ms_max = 10000;
/// Who has a password sends it at once; a person needs some time.
constexpr std::uint64_t login_ms_max = 60000;

}  // namespace

ClientSession::ClientSession(SessionOwner& owner, std::uint64_t id,
                             std::unique_ptr<TcpConnection> connection, std::uint64_t now_ms)
    : owner_(owner), connection_(std::move(connection)) {
    state_.order.id = id;
    state_.created_ms = now_ms;
    state_.active_ms = now_ms;
    state_.address = connection_->remote_address();
    state_.local_address = connection_->local_address();
}

ClientSession::~ClientSession() {
    owner_.dispatcher().interest().forget(state_);
}

void ClientSession::start() {
    connection_->keep_alive(keep_alive_s);
    TcpConnection::Events events;
    events.on_data = [this](BytesView bytes) {
        owner_.received(bytes.size());
        state_.active_ms = owner_.now_ms();
        parser_.feed(bytes);
        idle_ = false;
        if (!heavy()) run();
        owner_.touched(*this);
    };
    events.on_close = [this](const std::optional<Error>&) {
        over_ = true;
        owner_.dispatcher().interest().forget(state_);
        owner_.touched(*this);
    };
    // A client that sends its requests and closes its side still gets the replies.
    events.on_end = [this]() {
        ended_ = true;
        owner_.touched(*this);
    };
    events.on_sent = [this]() { owner_.touched(*this); };
    connection_->start(std::move(events));
}

bool ClientSession::may_run() const {
    return !over_ && !state_.closing && !state_.awaits_decision && !state_.parked &&
           state_.owed < owed_max && unsent_bytes() < unsent_bytes_pause && owner_.may_run();
}

bool ClientSession::heavy() const {
    return heavy_until_ms_ > 0 && heavy_until_ms_ > owner_.now_ms();
}

/// Who has not logged in gets room for AUTH, and no more.
void ClientSession::limit_requests() {
    const bool narrow = state_.must_log_in(owner_.known_users());
    if (narrow == narrow_) return;
    narrow_ = narrow;
    parser_.set_limits(narrow ? request_limits_before_auth : request_limits);
}

void ClientSession::run() {
    waits_turn_ = false;
    if (state_.awaits_decision) owner_.dispatcher().resume_decision(state_);
    if (state_.sliced && may_run()) owner_.dispatcher().resume(state_, slice_budget_ms);
    while (!idle_ && !state_.sliced && may_run()) {
        waits_turn_ = heavy() && owner_.turn_bytes() >= turn_bytes_max;
        if (waits_turn_) break;
        const std::uint64_t owed_bytes = state_.output_bytes;
        state_.input_bytes = parser_.buffered_bytes();  // the request among them
        limit_requests();
        Result<std::optional<Request>> request = parser_.next();
        if (!request) {
            owner_.dispatcher().refuse(state_, request.error().message);
            state_.closing = true;
        } else if (*request) {
            owner_.dispatcher().run(state_, std::move((*request)->arguments));
        } else {
            idle_ = true;
        }
        owner_.turn_bytes() += state_.output_bytes - owed_bytes;
        if (unsent_bytes() > owed_bytes_few) heavy_until_ms_ = owner_.now_ms() + heavy_ms;
    }
    state_.input_bytes = parser_.buffered_bytes();
    if (!idle_ || state_.input_bytes == 0) {
        partial_ms_.reset();
    } else if (!partial_ms_) {
        partial_ms_ = state_.active_ms;
    }
}

void ClientSession::deliver(Bytes bytes, std::size_t produced) {
    --state_.owed;
    state_.output_bytes -= produced;
    if (bytes.size() <= gathered_bytes_max) {
        output_ += bytes;
    } else {
        connection_->send(std::exchange(output_, Bytes()));
        connection_->send(std::move(bytes));
    }
}

void ClientSession::push(const Bytes& bytes) {
    if (over_) return;
    const std::uint64_t unsent = unsent_bytes() + bytes.size();
    if (exceeds(unsent)) return cut_for_output(unsent);
    if (state_.owed > 0) {
        owner_.dispatcher().send(state_, bytes);
    } else {
        output_ += bytes;
    }
    owner_.touched(*this);
}

bool ClientSession::exceeds(std::uint64_t unsent) {
    if (unsent > limits::client_output_bytes_max) return true;
    const OutputLimit& limit = owner_.subscriber_limit();
    const bool bounded = state_.subscriptions.count() > 0 || state_.monitors;
    if (bounded && limit.hard_bytes > 0 && unsent > limit.hard_bytes) return true;
    if (!bounded || limit.soft_bytes == 0 || unsent <= limit.soft_bytes) {
        above_soft_ms_.reset();
        return false;
    }
    if (!above_soft_ms_) above_soft_ms_ = owner_.now_ms();
    return owner_.now_ms() - *above_soft_ms_ > limit.soft_s * 1000;
}

void ClientSession::cut_for_output(std::uint64_t unsent) {
    log(LogLevel::warning, "client.output_limit",
        {{"client", std::to_string(state_.order.id)}, {"bytes", std::to_string(unsent)}});
    output_.clear();
    cut();
    owner_.cut_for_output();
}

std::uint64_t ClientSession::unsent_bytes() const {
    return state_.output_bytes + output_.size() + connection_->queued_bytes();
}

bool ClientSession::finish_turn() {
    if (over_) return false;
    if (ended_ && state_.blocked) {  // nobody is there to take what it waits for
        cut();
        return false;
    }
    if (!output_.empty()) connection_->send(std::exchange(output_, Bytes()));
    if (exceeds(unsent_bytes())) {
        cut_for_output(unsent_bytes());
        return false;
    }
    const bool done = state_.closing || (ended_ && idle_ && !state_.sliced && !state_.parked);
    if (done && state_.owed == 0) {
        connection_->close_when_sent();
        return false;
    }
    const bool can = may_run();
    const bool listens = state_.blocked && parser_.buffered_bytes() < blocked_input_bytes_max;
    const bool reads = (can && idle_ && !state_.sliced) || listens;
    if (reads && connection_->reading_paused()) connection_->resume_reading();
    if (!reads && !connection_->reading_paused()) connection_->pause_reading();
    return can && !reads;
}

void ClientSession::look_at_clock(std::uint64_t idle_s) {
    const std::uint64_t now_ms = owner_.now_ms();
    const auto is_over = [&](std::uint64_t since_ms, std::uint64_t ms_max) {
        return now_ms > since_ms && now_ms - since_ms > ms_max;
    };
    const bool waits = state_.parked || state_.awaits_decision || state_.sliced ||
                       state_.monitors || state_.subscriptions.count() > 0 || state_.owed > 0;
    const char* late = nullptr;
    if (!connection_->established()) {
        if (is_over(state_.created_ms, handshake_ms_max)) late = "handshake";
    } else if (state_.must_log_in(owner_.known_users())) {
        if (is_over(state_.created_ms, login_ms_max)) late = "login";
        if (partial_ms_ && is_over(*partial_ms_, request_before_login_ms_max)) late = "request";
    } else if (idle_s > 0 && !waits && is_over(state_.active_ms, idle_s * 1000)) {
        late = "timeout";
    }
    if (late == nullptr) return;
    log(LogLevel::debug, "client.late",
        {{"client", std::to_string(state_.order.id)}, {"reason", late}});
    cut();
}

void ClientSession::end_gently() {
    state_.closing = true;
    owner_.touched(*this);
}

void ClientSession::cut() {
    connection_->close();
    over_ = true;
    owner_.dispatcher().interest().forget(state_);
    owner_.touched(*this);
}

}  // namespace syncline
