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
    context.client.leave_multi();
    context.reply.simple("OK");
    return {};
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
    client.leave_multi();
    if (failed) {
        context.reply.error("EXECABORT Transaction discarded because of previous errors.");
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
};
// clang-format on

}  // namespace

std::span<const Command> transaction_commands() {
    return commands;
}

}  // namespace syncline
