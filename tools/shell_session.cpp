#include "tools/shell_session.hpp"

#include <algorithm>
#include <utility>

#include "net/commands/arguments.hpp"
#include "net/endpoint.hpp"
#include "tools/console.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t connect_timeout_ms = 5000;
/// How long a wait lasts before it is asked whether to go on.
constexpr std::uint64_t slice_ms = 200;

Error refusal(const RespValue& reply) {
    return Error{Code::unauthorized, harmless(reply.text)};
}

bool is_unsubscribe(const Bytes& word) {
    return equal_nocase(word, "unsubscribe") || equal_nocase(word, "punsubscribe") ||
           equal_nocase(word, "sunsubscribe");
}

/// Of most commands one; each channel that is left has its own.
std::size_t replies_of(const std::vector<Bytes>& words) {
    return is_unsubscribe(words[0]) ? std::max<std::size_t>(1, words.size() - 1) : 1;
}

}  // namespace

bool ShellSession::is_stream(const std::vector<Bytes>& words) {
    return equal_nocase(words[0], "monitor") || equal_nocase(words[0], "subscribe") ||
           equal_nocase(words[0], "psubscribe") || equal_nocase(words[0], "ssubscribe");
}

Result<void> ShellSession::connect() {
    if (client_) return {};
    SYNCLINE_TRY(client_, connect_only(target_.endpoint, connect_timeout_ms, target_.login));
    const Result<void> greeted = greet();
    if (!greeted) {
        disconnect();
        return greeted;
    }
    client_->set_timeout(slice_ms);
    return {};
}

Result<void> ShellSession::greet() {
    if (target_.password) {
        SYNCLINE_TRY(const RespValue reply,
                     client_->command(auth_request(target_.user, *target_.password)));
        if (reply.is_error()) return refusal(reply);
    }
    if (target_.protocol != 2) {
        SYNCLINE_TRY(const RespValue reply,
                     client_->command({"HELLO", std::to_string(target_.protocol)}));
        if (reply.is_error()) return refusal(reply);
    }
    if (target_.database != 0) {
        SYNCLINE_TRY(const RespValue reply,
                     client_->command({"SELECT", std::to_string(target_.database)}));
        if (reply.is_error()) return refusal(reply);
    }
    return {};
}

void ShellSession::disconnect() {
    client_.reset();
    in_multi_ = false;
    watching_ = false;
}

/// A connection that was lost since the last command is made anew, unless something went with it.
Result<void> ShellSession::prepare() {
    if (client_ && !client_->is_open()) {
        const bool lost = in_multi_ || watching_;
        disconnect();
        if (lost) {
            return Error{Code::unavailable,
                         "the connection was lost, and the transaction or WATCH with it; this "
                         "command was not sent"};
        }
    }
    return connect();
}

Result<RespValue> ShellSession::receive() {
    while (true) {
        Result<RespValue> reply = client_->receive();
        if (reply) return reply;
        const bool waits = reply.error().code == Code::unavailable && client_->is_open();
        if (!waits) {
            disconnect();
            return reply;
        }
        if (interrupted_()) {
            gave_up_ = true;
            disconnect();
            return reply;
        }
    }
}

Result<ShellSession::Ended> ShellSession::run(const std::vector<Bytes>& words, const Print& print) {
    SYNCLINE_CHECK(prepare());
    gave_up_ = false;
    client_->queue(words);
    Result<Ended> ended = is_stream(words) ? stream(print) : wait(words, print);
    if (ended || !gave_up_) return ended;
    return Ended::interrupted;
}

Result<ShellSession::Ended> ShellSession::stream(const Print& print) {
    while (true) {
        SYNCLINE_TRY(const RespValue reply, receive());
        print(reply);
        if (reply.is_error()) return Ended::refused;
        if (in_multi_) return Ended::replied;  // it is queued, or told off
        if (!interrupted_()) continue;
        disconnect();
        return Ended::interrupted;
    }
}

Result<ShellSession::Ended> ShellSession::wait(const std::vector<Bytes>& words,
                                               const Print& print) {
    bool refused = false;
    for (std::size_t left = replies_of(words); left > 0;) {
        SYNCLINE_TRY(const RespValue reply, receive());
        print(reply);
        if (reply.type == RespValue::Type::push && !is_unsubscribe(words[0])) continue;
        refused = reply.is_error();
        if (refused) break;
        --left;
    }
    // What a refused one ends, it ends as well.
    if (equal_nocase(words[0], "exec")) in_multi_ = watching_ = false;
    if (refused) return Ended::refused;
    take_effect(words);
    return Ended::replied;
}

void ShellSession::take_effect(const std::vector<Bytes>& words) {
    const Bytes& name = words[0];
    if (equal_nocase(name, "multi")) in_multi_ = true;
    if (equal_nocase(name, "discard") || equal_nocase(name, "reset")) in_multi_ = watching_ = false;
    if (equal_nocase(name, "unwatch")) watching_ = false;
    if (equal_nocase(name, "reset")) {
        target_.database = 0;
        target_.protocol = 2;
    }
    if (in_multi_) return;  // it is queued
    if (equal_nocase(name, "watch")) watching_ = true;
    if (equal_nocase(name, "select") && words.size() == 2) {
        if (const auto number = parse_integer(words[1]); number && *number >= 0) {
            target_.database = static_cast<std::uint64_t>(*number);
        }
    }
    if (equal_nocase(name, "auth") && (words.size() == 2 || words.size() == 3)) {
        target_.user = words.size() == 3 ? words[1] : std::string();
        target_.password = words.back();
    }
    if (equal_nocase(name, "hello") && words.size() > 1) {
        target_.protocol = words[1] == "3" ? 3 : 2;
        for (std::size_t i = 2; i + 2 < words.size(); ++i) {
            if (!equal_nocase(words[i], "auth")) continue;
            target_.user = words[i + 1];
            target_.password = words[i + 2];
        }
    }
}

void ShellSession::retarget(TcpEndpoint endpoint) {
    disconnect();
    target_.endpoint = std::move(endpoint);
}

std::string ShellSession::prompt() const {
    if (!client_) return "not connected> ";
    std::string text = to_string(target_.endpoint);
    if (target_.database != 0) text += "[" + std::to_string(target_.database) + "]";
    if (in_multi_) text += "(TX)";
    return text + "> ";
}

}  // namespace syncline
