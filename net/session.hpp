#pragma once
#include <cstdint>
#include <memory>

#include "net/commands/dispatcher.hpp"
#include "net/output_limit.hpp"
#include "net/resp.hpp"
#include "net/tcp.hpp"

namespace syncline {

class ClientSession;

/// What sessions need of the server they belong to.
class SessionOwner {
public:
    virtual ~SessionOwner() = default;
    virtual Dispatcher& dispatcher() = 0;
    /// Whom clients may be.
    [[nodiscard]] virtual const AclUsers& known_users() const = 0;
    /// False: no request is run now, because too much waits for a checkpoint, or the server stops.
    virtual bool may_run() = 0;
    /// Bytes of replies that the sessions have made in this turn; each adds its own.
    virtual std::uint64_t& turn_bytes() = 0;
    /// The session wants finish_turn() at the end of this turn.
    virtual void touched(ClientSession& session) = 0;
    virtual void received(std::size_t bytes) = 0;
    /// How much subscribers may leave unread.
    [[nodiscard]] virtual const OutputLimit& subscriber_limit() const = 0;
    [[nodiscard]] virtual std::uint64_t now_ms() const = 0;
    /// A client was cut because it left too much unread.
    virtual void cut_for_output() = 0;
};

/// One connection of a client: bytes to requests, replies to bytes, and the bounds on both.
///
/// Happy path: bytes arrive and become requests, which run at once; the turn ends; their replies
/// come out of the replica, in this turn or a later one, and leave together.
/// Back-pressure: when the client owes the server too much reading, or the server too much writing,
/// the session reads no more until that is over. A client that lets too much output gather is cut.
/// Fairness: clients that ask for much share a bounded part of each turn, one after the other; the
/// others run as their requests arrive, so none of them waits behind a crowd of greedy ones.
/// A protocol error is replied to in its place, then the connection ends.
/// Confined to the loop's thread.
class ClientSession {
public:
    ClientSession(SessionOwner& owner, std::uint64_t id, std::unique_ptr<TcpConnection> connection,
                  std::uint64_t now_ms);
    ~ClientSession();
    ClientSession(const ClientSession&) = delete;
    ClientSession& operator=(const ClientSession&) = delete;

    void start();
    /// Runs what has arrived, and goes on with a sliced command. Call it again when may_run()
    /// becomes true, or replies have left.
    void run();
    /// A reply from the replica.
    /// `produced`: bytes of the reply as the command wrote it, when another takes its place.
    void deliver(Bytes bytes, std::size_t produced);
    /// What is no reply; goes out at once, or behind the replies that are owed. A client that
    /// leaves too much unread is cut instead.
    void push(const Bytes& bytes);
    /// Sends the output of the turn; pauses, resumes or ends reading. True: requests are left that
    /// could run, so another turn should follow.
    bool finish_turn();
    /// Ends the connection when its replies are out, and runs no more requests.
    void end_gently();
    /// Ends it now.
    void cut();
    /// Ends it if it takes too long: for its handshake, to log in, to send a request before that,
    /// or, for `idle_s` seconds (0: as long as it likes), to send anything. Call it every second.
    void look_at_clock(std::uint64_t idle_s);

    [[nodiscard]] bool over() const { return over_; }
    /// It runs nothing more in this turn, because it and others have asked for much.
    [[nodiscard]] bool waits_turn() const { return waits_turn_; }
    [[nodiscard]] ClientState& state() { return state_; }
    /// Bytes of replies that the client has not taken.
    [[nodiscard]] std::uint64_t unsent_bytes() const;

    bool listed = false;  ///< for the owner: waits for finish_turn()

private:
    [[nodiscard]] bool may_run() const;
    /// It has asked for much lately.
    [[nodiscard]] bool heavy() const;
    void limit_requests();
    /// Whether so much unread output is too much, and what the log calls it.
    [[nodiscard]] bool exceeds(std::uint64_t unsent);
    void cut_for_output(std::uint64_t unsent);

    SessionOwner& owner_;
    std::unique_ptr<TcpConnection> connection_;
    RespParser parser_;
    ClientState state_;
    Bytes output_;
    std::uint64_t heavy_until_ms_ = 0;
    std::optional<std::uint64_t> above_soft_ms_;  // since when a subscriber is above that limit
    std::optional<std::uint64_t> partial_ms_;     // since when it has begun a request
    bool narrow_ = false;                         // requests must be small until it logs in
    bool waits_turn_ = false;                     // others have used up this turn
    bool idle_ = true;                            // the parser holds no whole request
    bool ended_ = false;                          // the client sends no more
    bool over_ = false;
};

}  // namespace syncline
