#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/backup/progress.hpp"
#include "core/base/env.hpp"
#include "core/engine/replica.hpp"
#include "net/acl/users.hpp"
#include "net/commands/config.hpp"
#include "net/health.hpp"
#include "net/observation.hpp"
#include "net/pubsub.hpp"
#include "net/replication.hpp"
#include "net/resp.hpp"

namespace syncline {

class Dispatcher;
struct Command;
struct CommandContext;

/// A request as it came: the command's name first.
using Arguments = std::vector<Bytes>;

/// What a command does. It writes exactly one reply; or it returns an Error, and then must not have
/// staged any change: the error becomes the reply (see error_text).
using Handler = Result<void> (*)(CommandContext&);

/// Properties of commands, as COMMAND INFO shows them, and what the dispatcher goes by.
namespace command_flag {
constexpr unsigned write = 1U << 0U;
constexpr unsigned readonly = 1U << 1U;
constexpr unsigned denyoom = 1U << 2U;
constexpr unsigned admin = 1U << 3U;
constexpr unsigned fast = 1U << 4U;
constexpr unsigned loading = 1U << 5U;   ///< runs without data, too: before the cluster is known
constexpr unsigned no_multi = 1U << 6U;  ///< not inside MULTI
constexpr unsigned at_once = 1U << 7U;   ///< runs inside MULTI instead of being queued
constexpr unsigned sliced = 1U << 8U;    ///< runs once for each of `slices_count` slices
constexpr unsigned blocking = 1U << 9U;  ///< may wait for a key, see net/commands/blocking.cpp
constexpr unsigned pubsub = 1U << 16U;
constexpr unsigned while_subscribed = 1U << 17U;  ///< runs for subscribers in RESP2, too
constexpr unsigned no_auth = 1U << 18U;           ///< runs for who has not logged in, too
}  // namespace command_flag

/// Pieces of a sliced command: each is a transaction of its own.
constexpr unsigned slices_count = 256;

/// Where the keys of a command stand among its arguments; first 0: none stand at fixed places.
struct KeyPositions {
    int first = 0;
    int last = 0;  ///< negative: counted from the end
    int step = 0;
    int number = 0;  ///< where the number of further keys stands, which follow it; 0: nowhere

    [[nodiscard]] bool any() const { return first > 0 || number > 0; }
};

/// One row of the command table.
struct Command {
    BytesView name;      ///< lower case; of a subcommand its own part
    int arity = 0;       ///< arguments with the name; negative: at least so many
    unsigned flags = 0;  ///< of command_flag
    KeyPositions keys;
    BytesView group;
    BytesView since;
    BytesView complexity;
    BytesView summary;
    Handler handler = nullptr;             ///< null: only the subcommands run
    std::span<const Command> subcommands;  ///< of a container

    [[nodiscard]] bool has(unsigned flag) const { return (flags & flag) != 0; }
    [[nodiscard]] bool takes(std::size_t arguments_count) const;
};

/// A command as a request names it: the row, and its full name ("client|list").
struct CommandName {
    const Command* command = nullptr;
    const Command* parent = nullptr;  ///< the container, if the row is a subcommand

    [[nodiscard]] Bytes full_name() const;
};

/// What a connection demands of the replica before it runs its commands, see CRDT.DEMAND.
struct CausalDemand {
    VersionVector token;           ///< all of this
    std::uint64_t timeout_ms = 0;  ///< how long each command waits for it; 0: for ever
};

/// A connection of a client, as commands see it. Owned by its session.
struct ClientState {
    struct Queued {
        CommandName name;
        Arguments arguments;
    };
    struct Sliced {
        CommandName name;
        Arguments arguments;
        unsigned next = 0;
        std::uint64_t took_us = 0;  ///< until now
    };
    /// What a parked client waits for: see net/commands/waits.cpp.
    struct Wait {
        std::uint64_t peers = 0;                   ///< that hold `written` durably, or
        std::optional<VersionVector> token;        ///< that this replica has all of it
        std::optional<std::uint64_t> deadline_ms;  ///< steady; nothing: for ever
        Arguments request;  ///< runs when the token is there; empty: OK is all
    };

    /// What a client waits for that is blocked in a pop; it is parked meanwhile.
    struct Blocked {
        CommandName name;
        Arguments arguments;                       ///< run again when one of the keys has changed
        std::vector<Bytes> keys;                   ///< each once
        std::optional<std::uint64_t> deadline_ms;  ///< steady; nothing: for ever
        std::uint64_t place = 0;                   ///< among those who are blocked: see KeyInterest
        std::optional<Bytes> reply;                ///< somebody has ended the wait with it
    };

    Client order;  ///< its place in the order of replies; order.id names the client
    /// Whose rules hold for it; null: nobody's, it is the server itself that asks.
    std::shared_ptr<AclUser> user;
    bool logged_in = true;  ///< else it may do nothing while the default user has a password
    int protocol = 2;
    Bytes name;
    Bytes library_name;
    Bytes library_version;
    std::string address;
    std::string local_address;
    std::uint64_t created_ms = 0;  ///< steady
    std::uint64_t active_ms = 0;
    CommandName last_command;
    bool in_multi = false;
    bool multi_failed = false;  ///< something could not be queued: EXEC must refuse
    std::vector<Queued> queued;
    std::size_t queued_bytes = 0;  ///< of the arguments in `queued`
    std::optional<Sliced> sliced;  ///< under way; nothing else of this client runs meanwhile
    /// Of the replicas, on a promotion or a change of members; nothing else of it runs meanwhile.
    bool awaits_decision = false;
    bool parked = false;       ///< its reply comes later, see Dispatcher::complete()
    std::optional<Wait> wait;  ///< while it is parked for other replicas' sake
    std::optional<Blocked> blocked;
    /// Keys that it watches, and whether they existed then as it saw them.
    std::map<Bytes, bool, std::less<>> watched;
    bool watch_lost = false;  ///< one of them has changed: the next EXEC runs nothing
    std::optional<CausalDemand> demand;
    Subscriptions subscriptions;
    bool monitors = false;          ///< shown what others run, see MONITOR
    Dot written;                    ///< its last transaction that wrote; counter 0: none
    std::uint64_t owed = 0;         ///< replies that are not out yet
    bool counted = true;            ///< its requests count as commands processed
    bool closing = false;           ///< ends after the replies it is owed; reads no more
    bool replies_off = false;       ///< CLIENT REPLY OFF
    unsigned unanswered = 0;        ///< CLIENT REPLY SKIP: requests with this one that get no reply
    std::uint64_t input_bytes = 0;  ///< read, not yet run; and of the request that runs
    std::uint64_t output_bytes = 0;  ///< of replies not handed to the connection yet

    /// It is the default user, and logged in if that one needs no password.
    void become_default(const AclUsers& users);
    /// Must say who it is before anything else.
    [[nodiscard]] bool must_log_in(const AclUsers& users) const {
        return !logged_in && users.must_log_in();
    }
    void leave_multi();
    /// Gets no reply to the request that runs; what it listens to it is told all the same.
    [[nodiscard]] bool muted() const { return replies_off || unanswered > 0; }
    /// Precondition: it is not parked. `timeout_ms` 0: for ever.
    void park(Wait what, std::uint64_t timeout_ms, std::uint64_t now_ms);
};

/// A peer as CRDT.PEERS and INFO show it.
struct PeerView {
    std::string name;     ///< empty until it is known
    std::string address;  ///< as configured, or where it came from
    Uuid uuid;            ///< nil until it is known
    bool connected = false;
    bool outgoing = false;  ///< dialed by this replica
    bool blocked = false;   ///< CRDT.LINK down
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t publications_dropped = 0;  ///< because its connection was backed up
    std::uint64_t connected_ms = 0;          ///< for how long
    /// Since anything was heard; nothing: never.
    std::optional<std::uint64_t> silent_ms;
    std::optional<LinkId> link;  ///< while it is connected
};

/// Figures of the running server, for INFO.
struct ServerFigures {
    std::string version;
    std::string commit;
    std::string node;
    std::string cluster;  ///< empty while not known
    std::string data_dir;
    unsigned port = 0;
    unsigned peer_port = 0;
    unsigned http_port = 0;
    std::uint64_t started_ms = 0;  ///< steady
    std::uint64_t connections_received = 0;
    std::uint64_t connections_rejected = 0;
    std::uint64_t commands_processed = 0;
    std::uint64_t errors_replied = 0;
    std::uint64_t keyspace_hits = 0;
    std::uint64_t keyspace_misses = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t commands_per_second = 0;
    std::uint64_t clients_cut = 0;  ///< because they left too much unread
    std::uint64_t flushes = 0;      ///< syncs of the log
    std::uint64_t base_bytes = 0;   ///< size of the base's file
};

/// What commands may ask of the server they run in. Implemented by Server, and by a stand-in in
/// tests. Confined to the loop's thread.
class CommandHost {
public:
    virtual ~CommandHost() = default;
    virtual Env env() = 0;
    /// Null until the cluster is known.
    virtual Replica* replica() = 0;
    virtual ServerFigures& figures() = 0;
    virtual ConfigTable& config() = 0;
    PubSub& pubsub() { return pubsub_; }
    Observation& observation() { return observation_; }
    AclUsers& users() { return users_; }
    [[nodiscard]] const AclUsers& users() const { return users_; }
    /// Ends what a client listens to. Needed before it goes.
    void forget(ClientState& client);
    virtual std::vector<ClientState*> clients() = 0;
    /// Ends the connection of a client, at once or after the replies it is owed.
    virtual void kill(ClientState& client, bool at_once) = 0;
    /// A client that was blocked has its reply, in the turn of another.
    virtual void unblocked(ClientState& /*client*/) {}
    /// Sends what is no reply, behind the replies that a client is owed; or ends the connection of
    /// one that leaves too much unread.
    virtual void push(ClientState& /*client*/, const Bytes& /*bytes*/) {}
    /// Stops as for SIGTERM, after this turn. Error unavailable: nothing here can be stopped.
    virtual Result<void> shut_down();
    virtual std::vector<PeerView> peers() = 0;
    /// How the replica is.
    virtual Health health() = 0;
    /// CONFIG SET gave a setting another value, which its kind allows.
    virtual void setting_changed(BytesView /*name*/, BytesView /*value*/) {}
    /// Who has whose writes, as known here.
    virtual ReplicationView replication() = 0;
    /// Closes and refuses the links to a peer, by name, uuid or address, or allows them again.
    /// Error invalid_argument: no such peer.
    virtual Result<void> set_link(BytesView peer, bool up) = 0;
    /// Starts a Merkle session. Errors: invalid_argument (no such peer), unavailable (no link).
    virtual Result<void> request_session(BytesView peer) = 0;
    /// Starts to compare with a peer for a client; the host ends it with reply_comparison().
    /// Errors: invalid_argument (no such peer), unavailable.
    virtual Result<void> begin_comparison(BytesView peer, DifferenceQuestion question,
                                          const ClientState& client);
    /// See CausalTokens. Precondition: there is a replica.
    virtual Bytes make_token(const VersionVector& vv);
    virtual Result<VersionVector> read_token(BytesView token);
    /// Backs up to a new directory; `rate_bytes` a second at most, 0: no bound. Errors: unavailable
    /// (one is under way), invalid_argument (the directory is not empty), io, no_space.
    virtual Result<void> begin_backup(const std::string& path, std::uint64_t rate_bytes);
    virtual BackupStatus backup_status();
    /// Error unavailable: none is under way.
    virtual Result<void> cancel_backup();
    /// How far the copy of a peer's rows is that this replica begins with; nothing: none is made.
    virtual std::optional<CopyProgress> copying() { return std::nullopt; }

private:
    PubSub pubsub_;
    Observation observation_;
    AclUsers users_;
};

/// One run of one command.
struct CommandContext {
    const Arguments& arguments;
    ClientState& client;
    CommandHost& host;
    RespWriter& reply;
    Bytes& out;  ///< what `reply` writes to
    /// Null while the cluster is not known: commands with flag `loading` look before they use it.
    Transaction* transaction = nullptr;
    Dispatcher& dispatcher;
    unsigned slice = 0;  ///< of a sliced command; the last one replies
    bool in_exec = false;
    bool pushes = false;   ///< what it writes is no reply: a client that wants none gets it, too
    bool resumed = false;  ///< the client is blocked; without a reply it goes on waiting

    /// Precondition: the command has no flag `loading`.
    [[nodiscard]] Transaction& txn() const {
        SYNCLINE_ASSERT(transaction != nullptr);
        return *transaction;
    }
    [[nodiscard]] const Bytes& argument(std::size_t index) const { return arguments[index]; }
    [[nodiscard]] std::size_t count() const { return arguments.size(); }
};

}  // namespace syncline
