#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "net/resp_client.hpp"
#include "net/tcp.hpp"
#include "tools/login.hpp"

namespace syncline {

/// Where a shell is connected, and as whom.
struct ShellTarget {
    TcpEndpoint endpoint;
    std::string user;
    Login login;  ///< how to connect; who logs in is told by `user` and `password`
    std::optional<std::string> password;
    std::uint64_t database = 0;
    int protocol = 2;
};

/// The connection of a shell: dialed when it is needed, and again when it was lost; says who it is
/// and selects the database each time, as commands have changed them. A command is sent once.
/// Confined to one thread.
class ShellSession {
public:
    /// Whoever prints: each reply, pushes included, as it comes.
    using Print = std::function<void(const RespValue&)>;
    /// Asked five times a second while a reply is awaited: whether to give up.
    using Interrupted = std::function<bool()>;

    enum class Ended : std::uint8_t {
        replied,
        refused,      ///< the (last) reply was an error
        interrupted,  ///< given up; the connection is closed, what became of the command is unknown
    };

    ShellSession(ShellTarget target, Interrupted interrupted)
        : target_(std::move(target)), interrupted_(std::move(interrupted)) {}

    /// Dials, if there is no connection. Errors: unavailable; unauthorized: the server refuses the
    /// password, the database or the protocol.
    Result<void> connect();
    /// Sends a command and prints its replies: one, or all that come until interrupted of MONITOR
    /// and SUBSCRIBE. Errors: as connect(); unavailable: lost, and what became of it is unknown, or
    /// lost before, and with it a transaction or WATCH, so that it was not sent.
    Result<Ended> run(const std::vector<Bytes>& words, const Print& print);

    /// "127.0.0.1:7379[2](TX)> ", or "not connected> ".
    [[nodiscard]] std::string prompt() const;
    /// Another server from now on.
    void retarget(TcpEndpoint endpoint);
    /// Whether replies of this command come until it is interrupted.
    static bool is_stream(const std::vector<Bytes>& words);

private:
    Result<RespValue> receive();
    Result<void> greet();
    Result<void> prepare();
    Result<Ended> stream(const Print& print);
    Result<Ended> wait(const std::vector<Bytes>& words, const Print& print);
    void take_effect(const std::vector<Bytes>& words);
    void disconnect();

    ShellTarget target_;
    Interrupted interrupted_;
    std::optional<RespClient> client_;
    bool in_multi_ = false;
    bool watching_ = false;
    bool gave_up_ = false;  ///< receive() was interrupted
};

}  // namespace syncline
