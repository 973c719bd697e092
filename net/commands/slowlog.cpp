#include "net/commands/arguments.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

constexpr std::size_t entries_shown = 10;

Result<void> get_command(CommandContext& context) {
    const std::deque<SlowLog::Entry>& entries = context.host.observation().slow_log.entries();
    std::size_t count = entries_shown;
    if (context.count() > 3) {
        context.reply.error("ERR unknown subcommand or wrong number of arguments for '" +
                            context.argument(1) + "'. Try SLOWLOG HELP.");
        return {};
    }
    if (context.count() == 3) {
        const std::optional<std::int64_t> wanted = parse_integer(context.argument(2));
        if (!wanted || *wanted < -1) {
            context.reply.error("ERR count should be greater than or equal to -1");
            return {};
        }
        count = *wanted < 0 ? entries.size() : static_cast<std::size_t>(*wanted);
    }
    count = std::min(count, entries.size());
    context.reply.array(count);
    for (std::size_t i = 0; i < count; ++i) {
        const SlowLog::Entry& entry = entries[i];
        context.reply.array(6);
        context.reply.integer(static_cast<std::int64_t>(entry.id));
        context.reply.integer(static_cast<std::int64_t>(entry.wall_s));
        context.reply.integer(static_cast<std::int64_t>(entry.us));
        context.reply.array(entry.arguments.size());
        for (const Bytes& argument : entry.arguments) context.reply.bulk(argument);
        context.reply.bulk(entry.address);
        context.reply.bulk(entry.client_name);
    }
    return {};
}

Result<void> len_command(CommandContext& context) {
    context.reply.integer(
        static_cast<std::int64_t>(context.host.observation().slow_log.entries().size()));
    return {};
}

Result<void> reset_command(CommandContext& context) {
    context.host.observation().slow_log.clear();
    context.reply.simple("OK");
    return {};
}

Result<void> help_command(CommandContext& context) {
    constexpr BytesView lines[] = {
        "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET [<count>]",
        "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
        "    Entries are made of:",
        "    id, timestamp, time in microseconds, arguments array, client IP and port,",
        "    client name",
        "LEN",
        "    Return the length of the slowlog.",
        "RESET",
        "    Reset the slowlog.",
        "HELP",
        "    Prints this help.",
    };
    reply_help(context.reply, lines);
    return {};
}

constexpr BytesView group = "server";
constexpr unsigned admin = flag::admin | flag::loading;

// A row is easier to read in few lines.
// clang-format off
constexpr Command subcommands[] = {
    {"get", -2, admin, {}, group, "2.2.12", "O(N) with N entries",
     "Returns the latest commands that took long", get_command, {}},
    {"help", 2, flag::loading, {}, group, "6.2.0", "O(1)", "Describes the subcommands",
     help_command, {}},
    {"len", 2, admin, {}, group, "2.2.12", "O(1)", "Returns how many there are", len_command, {}},
    {"reset", 2, admin, {}, group, "2.2.12", "O(N) with N entries", "Forgets them", reset_command,
     {}},
};
constexpr Command commands[] = {
    {"slowlog", -2, flag::loading, {}, group, "2.2.12", "Depends on the subcommand",
     "Tells of commands that took long", nullptr, subcommands},
};
// clang-format on

}  // namespace

std::span<const Command> slowlog_commands() {
    return commands;
}

}  // namespace syncline
