// BC.*: counters that never go below 0, because a replica takes off only what it has rights to.
#include <map>

#include "core/engine/operations.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/fields.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

/// Nothing, and the error is written: the number is below 1. Error invalid_argument: it is none.
Result<std::optional<std::int64_t>> amount_argument(CommandContext& context) {
    SYNCLINE_TRY(const std::int64_t amount, integer_argument(context.argument(2)));
    if (amount > 0) return std::optional(amount);
    context.reply.error(error_text::not_positive);
    return std::optional<std::int64_t>();
}

Result<void> incr_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<std::int64_t> amount, amount_argument(context));
    if (!amount) return {};
    SYNCLINE_TRY(const std::int64_t value,
                 operations::bounded_increment(context.txn(), context.argument(1), *amount));
    context.reply.integer(value);
    return {};
}

Result<void> decr_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<std::int64_t> amount, amount_argument(context));
    if (!amount) return {};
    SYNCLINE_TRY(const std::int64_t value,
                 operations::bounded_decrement(context.txn(), context.argument(1), *amount));
    context.reply.integer(value);
    return {};
}

Result<void> get_command(CommandContext& context) {
    SYNCLINE_TRY(const BoundedCounter counter,
                 operations::bounded_read(context.txn(), context.argument(1)));
    if (counter.exists()) {
        context.reply.integer(counter.value());
    } else {
        context.reply.null();
    }
    return {};
}

// --- Who is who

struct ConnectedPeer {
    std::string name;
    std::string uuid;
};

/// Peers with a link, by the actors they write as now.
std::map<Actor, ConnectedPeer> connected_peers(CommandContext& context) {
    std::map<Actor, ConnectedPeer> connected;
    const std::vector<PeerStatus> statuses = context.host.replica()->peers();
    for (const PeerView& peer : context.host.peers()) {
        for (const PeerStatus& status : statuses) {
            if (!status.ready || peer.link != status.link) continue;
            connected[status.actor] = {peer.name, to_string(peer.uuid)};
        }
    }
    return connected;
}

/// The latest actor that a text names, of those that are connected or have ever written.
std::optional<Actor> actor_argument(CommandContext& context, const Bytes& text) {
    std::optional<Actor> found;
    const auto consider = [&](const Actor& actor, const ConnectedPeer& peer) {
        const std::string name = to_string(actor);
        const bool named = text == name || text == name.substr(0, name.find('.')) ||
                           (!text.empty() && (text == peer.name || text == peer.uuid));
        if (named && (!found || *found < actor)) found = actor;
    };
    for (const auto& [actor, peer] : connected_peers(context)) consider(actor, peer);
    for (const auto& entry : context.txn().group().vv().entries()) consider(entry.first, {});
    consider(context.txn().dot().actor, {});
    return found;
}

Result<void> transfer_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<std::int64_t> amount, amount_argument(context));
    if (!amount) return {};
    const std::optional<Actor> to = actor_argument(context, context.argument(3));
    if (!to) {
        context.reply.error("ERR no such actor is known here");
        return {};
    }
    const Result<void> done =
        operations::bounded_transfer(context.txn(), context.argument(1), *amount, *to);
    if (!done && done.error().code == Code::invalid_argument) {
        context.reply.error("ERR " + done.error().message);
        return {};
    }
    SYNCLINE_CHECK(done);
    context.reply.simple("OK");
    return {};
}

Result<void> rights_command(CommandContext& context) {
    SYNCLINE_TRY(const BoundedCounter counter,
                 operations::bounded_read(context.txn(), context.argument(1)));
    RespWriter& reply = context.reply;
    if (!counter.exists()) {
        reply.null();
        return {};
    }
    const Actor self = context.txn().dot().actor;
    std::map<Actor, ConnectedPeer> names = connected_peers(context);
    names[self].name = context.host.figures().node;
    const std::vector<BoundedCounter::Part> parts = counter.parts_from(self);
    reply.array(parts.size());
    for (const BoundedCounter::Part& part : parts) {
        const auto known = names.find(part.actor);
        reply.map(7);
        field(reply, "actor", to_string(part.actor));
        field(reply, "name",
              known == names.end() ? std::optional<Bytes>() : std::optional(known->second.name));
        field(reply, "rights", part.rights);
        field(reply, "made", part.made);
        field(reply, "received", part.received);
        field(reply, "transferred", part.transferred);
        field(reply, "used", part.used);
    }
    return {};
}

constexpr BytesView group = "bounded-counter";
constexpr BytesView since = "0.1.0";
constexpr BytesView cost = "O(N) with N rows, which replicas and transfers among them make";
constexpr KeyPositions one_key{1, 1, 1};
constexpr unsigned writes = flag::write | flag::denyoom | flag::fast;
constexpr unsigned reads = flag::readonly | flag::fast;

// clang-format off
constexpr Command commands[] = {
    {"bc.decr", 3, writes, one_key, group, since, cost,
     "Takes off what this replica has the rights to, or fails", decr_command, {}},
    {"bc.get", 2, reads, one_key, group, since, cost,
     "Returns the value, which is never below 0", get_command, {}},
    {"bc.incr", 3, writes, one_key, group, since, cost,
     "Adds, and gives this replica as many rights", incr_command, {}},
    {"bc.rights", 2, reads, one_key, group, since, cost,
     "Tells which replica may take off how much, this one first", rights_command, {}},
    {"bc.transfer", 4, writes, one_key, group, since, cost,
     "Gives rights of this replica to another", transfer_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> bounded_counter_commands() {
    return commands;
}

}  // namespace syncline
