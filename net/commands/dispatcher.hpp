#pragma once
#include "net/commands/command.hpp"
#include "net/commands/key_interest.hpp"

namespace syncline {

/// From a request to its reply: looks the command up, checks it, queues it inside MULTI, runs it in
/// a transaction of the replica. Every request yields exactly one reply, in order; a bad one yields
/// an error and never closes the connection.
/// Thread-safety: confined to one thread.
class Dispatcher {
public:
    explicit Dispatcher(CommandHost& host) : host_(host) {}

    /// Runs one request, and then what others are blocked in and can go on by it. Its reply comes
    /// out of the replica when it is durable. Precondition: the client is not parked, and no sliced
    /// command of it is under way.
    void run(ClientState& client, Arguments arguments);
    /// Goes on with a sliced command for at most about `budget_ms`.
    void resume(ClientState& client, std::uint64_t budget_ms);
    /// Replies to a client that waits for a promotion or a change of members, if that is over.
    void resume_decision(ClientState& client);
    /// Looks whether a client's wait for other replicas is over; then it is replied to, or its
    /// request runs. Precondition: it waits, and there is a replica.
    bool resume_wait(ClientState& client);
    /// For the replica's events: see KeyInterest.
    KeyInterest& interest() { return interest_; }
    /// The client is in no transaction any more, and watches nothing.
    void end_multi(ClientState& client);
    /// Runs again what clients are blocked in whose keys have changed, in the order in which they
    /// came; ends the waits that are late; and all, with an error, when this replica takes no
    /// writes any more. Cost: O(1) while there are none.
    void serve_blocked();
    /// Sends an error in its place among the replies of the client; for protocol errors.
    void refuse(ClientState& client, BytesView error);

    /// The reply of a command that parked its client, in its place among the replies. The client
    /// may run again. Precondition: it is parked.
    void complete(ClientState& client, const Bytes& reply);

    /// Sends bytes that depend on no data, in their place behind the replies of the client; it is
    /// owed one more of them.
    void send(ClientState& client, const Bytes& bytes);
    /// The same for a reply, which a client that wants none does not get.
    void answer(ClientState& client, const Bytes& bytes);

    /// What was staged in PubSub goes to its subscribers, and to the peers. Not from inside a
    /// command. net/commands/pubsub.cpp
    void release_messages();
    /// A message goes to its subscribers here.
    void deliver(const StagedMessage& message);

    /// Replies that did not need the replica, because there is none yet.
    std::vector<Reply> take_replies();

    /// Runs a command inside a running transaction and writes its reply, an error too; for EXEC.
    /// Rules that have changed since it was queued hold.
    /// Error: the storage failed, and the whole transaction with it.
    Result<void> run_inside(const CommandName& name, const CommandContext& outer,
                            const Arguments& arguments, Bytes& out);

private:
    using Body = std::function<Result<void>(CommandContext&)>;

    /// The row for a request, or the reason why there is none.
    [[nodiscard]] CommandName look_up(const Arguments& arguments, Bytes& error) const;
    bool wait_for_demand(ClientState& client, Arguments& arguments);
    /// Why this client must not run the request at all; empty: it may. net/commands/access.cpp
    [[nodiscard]] Bytes access_refusal(const ClientState& client, const CommandName& name,
                                       const Arguments& arguments);
    [[nodiscard]] Bytes refusal_in_exec(const ClientState& client, const CommandName& name,
                                        const Arguments& arguments);
    void log_denial(const ClientState& client, const CommandName& name, const Arguments& arguments,
                    const AccessDenial& denial);
    /// Why the command must not run now; empty: it may.
    [[nodiscard]] Bytes reason_against(const CommandName& name) const;
    void run_request(ClientState& client, Arguments arguments);
    void run_blocked(ClientState& client);
    void end_blocked(ClientState& client, const Bytes& reply);
    void note_error(BytesView reply);
    /// For statistics, slow log, latency and monitors. net/commands/monitor.cpp
    void note_call(const ClientState& client, const CommandName& name, const Arguments& arguments,
                   std::uint64_t us, bool failed);
    void release_monitor_lines();
    void enqueue(ClientState& client, const CommandName& name, Arguments arguments);
    /// The bytes of the reply; a command that is not finished with its slices has none yet.
    Result<std::size_t> execute(ClientState& client, const Arguments& arguments, const Body& body);
    void run_now(ClientState& client, const CommandName& name, const Arguments& arguments,
                 std::uint64_t start_us);

    CommandHost& host_;
    std::vector<Reply> direct_;
    KeyInterest interest_;
    bool failed_ = false;  // the latest execute() replied with an error
};

}  // namespace syncline
