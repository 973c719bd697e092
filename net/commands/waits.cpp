// Commands that wait for other replicas: until they hold what this client wrote, or until this one
// has what the client saw elsewhere. Meanwhile the client is parked, and everybody else goes on.
#include "net/commands/arguments.hpp"
#include "net/commands/dispatcher.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

constexpr std::uint64_t token_timeout_ms = 1000;

/// Connected peers that hold this event durably; all of them if there is none.
std::uint64_t peers_with(const Replica& replica, const Dot& dot) {
    std::uint64_t count = 0;
    for (const PeerStatus& peer : replica.peers()) {
        if (peer.ready && (dot.counter == 0 || peer.vv.covers(dot))) ++count;
    }
    return count;
}

/// Milliseconds, 0 for ever. False: the reply says what is wrong with it.
bool parse_timeout(CommandContext& context, BytesView text, std::uint64_t& timeout_ms) {
    const std::optional<std::int64_t> value = parse_integer(text);
    if (!value) {
        context.reply.error("ERR timeout is not an integer or out of range");
    } else if (*value < 0) {
        context.reply.error("ERR timeout is negative");
    } else {
        timeout_ms = static_cast<std::uint64_t>(*value);
    }
    return value && *value >= 0;
}

Result<void> wait_command(CommandContext& context) {
    SYNCLINE_TRY(const std::int64_t wanted, integer_argument(context.argument(1)));
    std::uint64_t timeout_ms = 0;
    if (!parse_timeout(context, context.argument(2), timeout_ms)) return {};
    ClientState& client = context.client;
    const std::uint64_t count = peers_with(*context.host.replica(), client.written);
    if (context.in_exec || wanted <= 0 || count >= static_cast<std::uint64_t>(wanted)) {
        context.reply.integer(static_cast<std::int64_t>(count));
    } else {
        ClientState::Wait wait;
        wait.peers = static_cast<std::uint64_t>(wanted);
        client.park(std::move(wait), timeout_ms, context.host.env().clock.steady_ms());
    }
    return {};
}

/// Nothing: the reply says what is wrong with the arguments.
std::optional<CausalDemand> demand_of(CommandContext& context) {
    CausalDemand demand{{}, token_timeout_ms};
    if (context.count() > 3) {
        context.reply.error(error_text::syntax);
        return std::nullopt;
    }
    Result<VersionVector> token = context.host.read_token(context.argument(1));
    if (!token) {
        context.reply.error("ERR " + token.error().message);
        return std::nullopt;
    }
    demand.token = std::move(*token);
    if (context.count() == 3 && !parse_timeout(context, context.argument(2), demand.timeout_ms)) {
        return std::nullopt;
    }
    return demand;
}

Result<void> token_command(CommandContext& context) {
    context.txn().see_all();
    context.reply.bulk(context.host.make_token(context.txn().group().vv()));
    return {};
}

Result<void> crdt_wait_command(CommandContext& context) {
    std::optional<CausalDemand> demand = demand_of(context);
    if (!demand) return {};
    if (context.txn().group().vv().covers(demand->token)) {
        context.reply.simple("OK");
        return {};
    }
    ClientState::Wait wait;
    wait.token = std::move(demand->token);
    context.client.park(std::move(wait), demand->timeout_ms, context.host.env().clock.steady_ms());
    return {};
}

Result<void> demand_command(CommandContext& context) {
    if (context.host.replica() == nullptr) {
        context.reply.error(error_text::loading);
        return {};
    }
    if (context.count() == 2 && equal_nocase(context.argument(1), "off")) {
        context.client.demand.reset();
    } else {
        std::optional<CausalDemand> demand = demand_of(context);
        if (!demand) return {};
        context.client.demand = std::move(demand);
    }
    context.reply.simple("OK");
    return {};
}

constexpr BytesView group = "crdt";
constexpr BytesView since = "0.2.0";
constexpr unsigned waits = flag::readonly | flag::no_multi;
constexpr unsigned demands = flag::loading | flag::fast | flag::no_multi;

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"crdt.demand", -2, demands, {}, group, since, "O(N) with N actors",
     "Lets commands of this connection wait until the replica has what a token names",
     demand_command, {}},
    {"crdt.token", 1, flag::readonly | flag::fast, {}, group, since, "O(N) with N actors",
     "Returns a token of all that this replica shows now", token_command, {}},
    {"crdt.wait", -2, waits, {}, group, since, "O(N) with N actors",
     "Waits until this replica has what a token names", crdt_wait_command, {}},
    {"wait", 3, flag::readonly, {}, "generic", "3.0.0", "O(N) with N peers",
     "Waits until peers hold the writes of this connection durably; returns how many do",
     wait_command, {}},
};
// clang-format on

}  // namespace

Bytes CommandHost::make_token(const VersionVector& /*vv*/) {
    return {};
}

Result<VersionVector> CommandHost::read_token(BytesView /*token*/) {
    return Error{Code::unavailable, "there are no tokens here"};
}

void ClientState::park(Wait what, std::uint64_t timeout_ms, std::uint64_t now_ms) {
    if (timeout_ms > 0) what.deadline_ms = now_ms + timeout_ms;
    wait = std::move(what);
    parked = true;
}

/// True: the client is parked until the replica has what it demands, or for so long; then comes the
/// request. Connection commands, and what MULTI only queues, need not wait.
bool Dispatcher::wait_for_demand(ClientState& client, Arguments& arguments) {
    Replica* const replica = host_.replica();
    if (!client.demand || replica == nullptr) return false;
    if (replica->group().vv().covers(client.demand->token)) {
        client.demand.reset();
        return false;
    }
    Bytes error;
    const CommandName name = look_up(arguments, error);
    if (!error.empty()) return false;
    const bool needs_no_data =
        client.in_multi ? name.command->name != "exec" : name.command->has(command_flag::loading);
    if (needs_no_data) return false;
    ClientState::Wait wait;
    wait.token = client.demand->token;
    wait.request = std::move(arguments);
    client.park(std::move(wait), client.demand->timeout_ms, host_.env().clock.steady_ms());
    return true;
}

bool Dispatcher::resume_wait(ClientState& client) {
    SYNCLINE_ASSERT(client.wait && client.parked && host_.replica() != nullptr);
    Replica& replica = *host_.replica();
    const std::optional<std::uint64_t> deadline = client.wait->deadline_ms;
    const bool late = deadline && host_.env().clock.steady_ms() >= *deadline;
    const VersionVector& vv = replica.group().vv();
    const std::uint64_t peers = client.wait->token ? 0 : peers_with(replica, client.written);
    const bool met =
        client.wait->token ? vv.covers(*client.wait->token) : peers >= client.wait->peers;
    if (!met && !late) return false;
    const ClientState::Wait wait = *std::exchange(client.wait, std::nullopt);
    Bytes reply;
    RespWriter writer(reply, client.protocol);
    if (!wait.token) {
        writer.integer(static_cast<std::int64_t>(peers));
    } else if (!met) {
        writer.error("TIMEOUT this replica lacks " + std::to_string(vv.lacks(*wait.token)) +
                     " transactions of the token");
    } else if (wait.request.empty()) {
        writer.simple("OK");
    } else {
        client.parked = false;
        run(client, wait.request);
        return true;
    }
    complete(client, reply);
    return true;
}

std::span<const Command> wait_commands() {
    return commands;
}

}  // namespace syncline
