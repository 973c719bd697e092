// Publish/subscribe. Messages are staged while a command runs and leave when it has worked, to the
// clients here and to the peers; what a subscriber gets keeps its place among its replies.
#include "net/pubsub.hpp"

#include <utility>

#include "net/commands/arguments.hpp"
#include "net/commands/dispatcher.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

void write_message(RespWriter& reply, bool sharded, const Bytes* pattern, const Bytes& channel,
                   const Bytes& message) {
    reply.push(pattern == nullptr ? 3 : 4);
    reply.bulk(pattern != nullptr ? "pmessage" : sharded ? "smessage" : "message");
    if (pattern != nullptr) reply.bulk(*pattern);
    reply.bulk(channel);
    reply.bulk(message);
}

/// The answer to one name of a (un)subscription; no name: there was none to unsubscribe.
void write_change(RespWriter& reply, BytesView what, const Bytes* name, std::size_t count) {
    reply.push(3);
    reply.bulk(what);
    if (name == nullptr) {
        reply.null();
    } else {
        reply.bulk(*name);
    }
    reply.integer(static_cast<std::int64_t>(count));
}

Result<void> subscribe(CommandContext& context, ChannelSpace space, BytesView what) {
    ClientState& client = context.client;
    context.pushes = true;
    for (std::size_t i = 1; i < context.count(); ++i) {
        SYNCLINE_CHECK(check_key_size(context.argument(i)));
    }
    if (client.subscriptions.count() + context.count() - 1 > limits::subscriptions_max) {
        context.reply.error("ERR a connection has at most " +
                            std::to_string(limits::subscriptions_max) + " subscriptions");
        return {};
    }
    for (std::size_t i = 1; i < context.count(); ++i) {
        context.host.pubsub().subscribe(client, space, context.argument(i));
        write_change(context.reply, what, &context.argument(i),
                     client.subscriptions.shown_count(space));
    }
    return {};
}

Result<void> unsubscribe(CommandContext& context, ChannelSpace space, BytesView what) {
    ClientState& client = context.client;
    context.pushes = true;
    Arguments names(context.arguments.begin() + 1, context.arguments.end());
    if (names.empty()) {
        const std::set<Bytes>& all = client.subscriptions.names(space);
        names.assign(all.begin(), all.end());
    }
    for (const Bytes& name : names) {
        context.host.pubsub().unsubscribe(client, space, name);
        write_change(context.reply, what, &name, client.subscriptions.shown_count(space));
    }
    if (names.empty()) {
        write_change(context.reply, what, nullptr, client.subscriptions.shown_count(space));
    }
    return {};
}

Result<void> subscribe_command(CommandContext& context) {
    return subscribe(context, ChannelSpace::plain, "subscribe");
}

Result<void> psubscribe_command(CommandContext& context) {
    return subscribe(context, ChannelSpace::pattern, "psubscribe");
}

Result<void> ssubscribe_command(CommandContext& context) {
    return subscribe(context, ChannelSpace::shard, "ssubscribe");
}

Result<void> unsubscribe_command(CommandContext& context) {
    return unsubscribe(context, ChannelSpace::plain, "unsubscribe");
}

Result<void> punsubscribe_command(CommandContext& context) {
    return unsubscribe(context, ChannelSpace::pattern, "punsubscribe");
}

Result<void> sunsubscribe_command(CommandContext& context) {
    return unsubscribe(context, ChannelSpace::shard, "sunsubscribe");
}

/// A client that listens itself gets the message in front of the reply, as in Redis; inside EXEC
/// behind it, where it cannot be taken for one of the replies.
Result<void> publish(CommandContext& context, bool sharded) {
    StagedMessage staged{sharded, context.argument(1), context.argument(2)};
    SYNCLINE_CHECK(check_key_size(staged.channel));
    SYNCLINE_CHECK(check_value_size(staged.message));
    const bool at_once = !context.in_exec;
    const std::size_t receivers = context.host.pubsub().visit(
        sharded, staged.channel, [&](const ClientState& receiver, const Bytes* pattern) {
            if (!at_once || &receiver != &context.client) return;
            write_message(context.reply, sharded, pattern, staged.channel, staged.message);
        });
    if (at_once) staged.except = context.client.order.id;
    context.host.pubsub().stage(std::move(staged));
    context.reply.integer(static_cast<std::int64_t>(receivers));
    return {};
}

Result<void> publish_command(CommandContext& context) {
    return publish(context, false);
}

Result<void> spublish_command(CommandContext& context) {
    return publish(context, true);
}

/// PUBSUB CHANNELS and SHARDCHANNELS [pattern].
Result<void> list_channels(CommandContext& context, ChannelSpace space) {
    if (context.count() > 3) {
        context.reply.error("ERR unknown subcommand or wrong number of arguments for '" +
                            context.argument(1) + "'. Try PUBSUB HELP.");
        return {};
    }
    const Bytes pattern = context.count() == 3 ? context.argument(2) : Bytes("*");
    const std::vector<Bytes> names = context.host.pubsub().names(space, pattern);
    context.reply.array(names.size());
    for (const Bytes& name : names) context.reply.bulk(name);
    return {};
}

Result<void> count_subscribers(CommandContext& context, ChannelSpace space) {
    context.reply.array((context.count() - 2) * 2);
    for (std::size_t i = 2; i < context.count(); ++i) {
        context.reply.bulk(context.argument(i));
        context.reply.integer(static_cast<std::int64_t>(
            context.host.pubsub().subscribers_count(space, context.argument(i))));
    }
    return {};
}

Result<void> channels_command(CommandContext& context) {
    return list_channels(context, ChannelSpace::plain);
}

Result<void> shardchannels_command(CommandContext& context) {
    return list_channels(context, ChannelSpace::shard);
}

Result<void> numsub_command(CommandContext& context) {
    return count_subscribers(context, ChannelSpace::plain);
}

Result<void> shardnumsub_command(CommandContext& context) {
    return count_subscribers(context, ChannelSpace::shard);
}

Result<void> numpat_command(CommandContext& context) {
    context.reply.integer(
        static_cast<std::int64_t>(context.host.pubsub().names_count(ChannelSpace::pattern)));
    return {};
}

Result<void> help_command(CommandContext& context) {
    constexpr BytesView lines[] = {
        "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CHANNELS [<pattern>]",
        "    Return the currently active channels matching a <pattern> (default: '*').",
        "NUMPAT",
        "    Return number of subscriptions to patterns.",
        "NUMSUB [<channel> ...]",
        "    Return the number of subscribers for the specified channels, excluding",
        "    pattern subscriptions(default: no channels).",
        "SHARDCHANNELS [<pattern>]",
        "    Return the currently active shard level channels matching a <pattern> (default: '*').",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    Return the number of subscribers for the specified shard level channel(s)",
        "HELP",
        "    Prints this help.",
    };
    reply_help(context.reply, lines);
    return {};
}

constexpr BytesView group = "pubsub";
constexpr unsigned listens = flag::pubsub | flag::loading | flag::while_subscribed;
constexpr unsigned publishes = flag::pubsub | flag::loading | flag::fast;
constexpr unsigned asks = flag::pubsub | flag::loading;

// A row is easier to read in few lines.
// clang-format off
constexpr Command subcommands[] = {
    {"channels", -2, asks, {}, group, "2.8.0", "O(N) with N channels",
     "Returns the channels that clients of this replica are subscribed to", channels_command, {}},
    {"help", 2, flag::loading, {}, group, "6.2.0", "O(1)", "Describes the subcommands",
     help_command, {}},
    {"numpat", 2, asks, {}, group, "2.8.0", "O(1)",
     "Returns the number of patterns that clients of this replica are subscribed to",
     numpat_command, {}},
    {"numsub", -2, asks, {}, group, "2.8.0", "O(N) with N channels",
     "Returns how many clients of this replica are subscribed to channels", numsub_command, {}},
    {"shardchannels", -2, asks, {}, group, "7.0.0", "O(N) with N channels",
     "Returns the channels of SSUBSCRIBE", shardchannels_command, {}},
    {"shardnumsub", -2, asks, {}, group, "7.0.0", "O(N) with N channels",
     "Returns how many clients of this replica SSUBSCRIBE has", shardnumsub_command, {}},
};
constexpr Command commands[] = {
    {"psubscribe", -2, listens, {}, group, "2.0.0", "O(N) with N patterns",
     "Listens to all channels that match patterns", psubscribe_command, {}},
    {"publish", 3, publishes, {}, group, "2.0.0",
     "O(N+M) with N receivers and M patterns at each replica",
     "Sends a message to the subscribers of a channel at all connected replicas", publish_command,
     {}},
    {"pubsub", -2, flag::loading, {}, group, "2.8.0", "Depends on the subcommand",
     "Tells of channels and their subscribers", nullptr, subcommands},
    {"punsubscribe", -1, listens, {}, group, "2.0.0", "O(N) with N patterns",
     "Stops listening to patterns, or to all of them", punsubscribe_command, {}},
    {"spublish", 3, publishes, {}, group, "7.0.0", "O(N) with N receivers at each replica",
     "As PUBLISH, for channels of SSUBSCRIBE", spublish_command, {}},
    {"ssubscribe", -2, listens, {}, group, "7.0.0", "O(N) with N channels",
     "As SUBSCRIBE, for channels of SPUBLISH", ssubscribe_command, {}},
    {"subscribe", -2, listens, {}, group, "2.0.0", "O(N) with N channels", "Listens to channels",
     subscribe_command, {}},
    {"sunsubscribe", -1, listens, {}, group, "7.0.0", "O(N) with N channels",
     "Stops listening to channels of SPUBLISH, or to all of them", sunsubscribe_command, {}},
    {"unsubscribe", -1, listens, {}, group, "2.0.0", "O(N) with N channels",
     "Stops listening to channels, or to all of them", unsubscribe_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> pubsub_commands() {
    return commands;
}

/// In RESP2 a reply could not be told from a message; to Redis a client that monitors is a replica.
/// Empty: the command may run.
Bytes refusal_while_listening(const ClientState& client, const CommandName& name) {
    const bool needs_data = name.command->has(flag::write) || name.command->has(flag::readonly);
    if (client.monitors && needs_data) return "ERR Replica can't interact with the keyspace";
    const bool may_run = client.protocol >= 3 || client.subscriptions.count() == 0 ||
                         name.command->has(flag::while_subscribed);
    if (may_run) return {};
    const bool ends_multi = name.command->name == "exec";
    return Bytes(ends_multi ? "EXECABORT Transaction discarded because of: " : "ERR ") +
           "Can't execute '" + name.full_name() +
           "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
           "context";
}

void Dispatcher::deliver(const StagedMessage& message) {
    // One encoding each of RESP2 and RESP3, for all who get the same.
    const Bytes* encoded_for = nullptr;
    std::array<Bytes, 2> encoded;
    host_.pubsub().visit(
        message.sharded, message.channel, [&](ClientState& receiver, const Bytes* pattern) {
            if (receiver.order.id == message.except) return;
            if (pattern != encoded_for) encoded = {};
            encoded_for = pattern;
            Bytes& bytes = encoded[receiver.protocol >= 3 ? 1 : 0];
            if (bytes.empty()) {
                RespWriter writer(bytes, receiver.protocol);
                write_message(writer, message.sharded, pattern, message.channel, message.message);
            }
            host_.push(receiver, bytes);
        });
}

void Dispatcher::release_messages() {
    release_monitor_lines();
    if (host_.pubsub().staged_count() == 0) return;
    for (const StagedMessage& message : host_.pubsub().take_staged()) {
        deliver(message);
        Replica* const replica = message.for_peers ? host_.replica() : nullptr;
        if (replica != nullptr) replica->publish(message.sharded, message.channel, message.message);
    }
}

}  // namespace syncline
