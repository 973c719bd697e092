#include <utility>

#include "net/commands/dispatcher.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

Result<void> multi_command(CommandContext& context) {
    if (context.client.in_multi) {
        context.reply.error("ERR MULTI calls can not be nested");
        return {};
    }
    context.client.in_multi = true;
    context.reply.simple("OK");
    return {};
}

Result<void> discard_command(CommandContext& context) {
    if (!context.client.in_multi) {
        context.reply.error("ERR DISCARD without MULTI");
        return {};
    }
    context.dispatcher.end_multi(context.client);
    context.reply.simple("OK");
    return {};
}

Result<void> watch_command(CommandContext& context) {
    if (context.client.in_multi) {
        context.reply.error("ERR WATCH inside MULTI is not allowed");
        return {};
    }
    for (std::size_t i = 1; i < context.count(); ++i) {
        const Bytes& key = context.argument(i);
        SYNCLINE_TRY(const std::optional<CellType> type, context.txn().visible_type(key));
        context.dispatcher.interest().watch(context.client, key, type.has_value());
    }
    context.reply.simple("OK");
    return {};
}

Result<void> unwatch_command(CommandContext& context) {
    context.dispatcher.interest().unwatch(context.client);
    context.reply.simple("OK");
    return {};
}

/// Whether a key that the client watches has changed at this replica, or has expired.
Result<bool> has_lost_watch(CommandContext& context) {
    if (context.client.watch_lost) return true;
    for (const auto& [key, visible] : context.client.watched) {
        if (!visible) continue;
        SYNCLINE_TRY(const std::optional<CellType> type, context.txn().visible_type(key));
        if (!type) return true;
    }
    return false;
}

/// Runs what was queued inside the one transaction of this command: one event, or none. A command
/// that is refused leaves its error among the replies and the others go on, as in Redis.
Result<void> exec_command(CommandContext& context) {
    ClientState& client = context.client;
    if (!client.in_multi) {
        context.reply.error("ERR EXEC without MULTI");
        return {};
    }
    const bool failed = client.multi_failed;
    const std::vector<ClientState::Queued> queued = std::exchange(client.queued, {});
    const Result<bool> lost = has_lost_watch(context);
    context.dispatcher.end_multi(client);
    if (failed) {
        context.reply.error("EXECABORT Transaction discarded because of previous errors.");
        return {};
    }
    SYNCLINE_CHECK(lost);
    if (*lost) {
        context.reply.null_array();
        return {};
    }
    Bytes replies;
    for (const ClientState::Queued& command : queued) {
        SYNCLINE_CHECK(
            context.dispatcher.run_inside(command.name, context, command.arguments, replies));
    }
    context.reply.array(queued.size());
    context.out += replies;
    return {};
}

constexpr BytesView group = "transactions";
constexpr unsigned controls = flag::fast | flag::loading | flag::at_once;

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"discard", 1, controls, {}, group, "2.0.0", "O(N) with N queued commands",
     "Forgets the queued commands", discard_command, {}},
    {"exec", 1, flag::loading | flag::at_once, {}, group, "1.2.0", "As the queued commands",
     "Runs the queued commands as one transaction, atomic at every replica", exec_command, {}},
    {"multi", 1, controls, {}, group, "1.2.0", "O(1)", "Queues the commands that follow, for EXEC",
     multi_command, {}},
    {"unwatch", 1, flag::fast | flag::loading, {}, group, "2.2.0", "O(N) with N watched keys",
     "Forgets the watched keys", unwatch_command, {}},
    {"watch", -2, flag::fast | flag::at_once, {1, -1, 1}, group, "2.2.0", "O(N) with N keys",
     "Lets EXEC run only if the keys have not changed here, by clients or peers", watch_command,
     {}},
};
// clang-format on

}  // namespace

std::span<const Command> transaction_commands() {
    return commands;
}

}  // namespace syncline
