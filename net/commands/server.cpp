#include <algorithm>
#include <array>

#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"
#include "storage/tables.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

Result<void> time_command(CommandContext& context) {
    const std::uint64_t now_ms = context.host.env().clock.wall_ms();
    context.reply.array(2);
    context.reply.bulk(std::to_string(now_ms / 1000));
    context.reply.bulk(std::to_string(now_ms % 1000 * 1000));
    return {};
}

Result<void> dbsize_command(CommandContext& context) {
    SYNCLINE_TRY(const std::uint64_t keys, context.txn().keys_count());
    context.reply.integer(static_cast<std::int64_t>(keys));
    return {};
}

/// Whether there are rows to remove: a slice without any makes no event.
Result<bool> has_rows(Transaction& txn, unsigned first, unsigned last) {
    bool found = false;
    SYNCLINE_CHECK(txn.group().store().scan(Table::cells, rows_of_prefix(first, 16).first,
                                            rows_of_prefix(last, 16).last,
                                            [&](BytesView, BytesView) {
                                                found = true;
                                                return false;
                                            }));
    return found;
}

/// Slice by slice, so that others have their turns between. What is written behind the slice that
/// is under way stays: a flush removes what it sees.
Result<void> flush_command(CommandContext& context) {
    const bool plain = context.count() == 1;
    const bool mode = context.count() == 2 && (equal_nocase(context.argument(1), "async") ||
                                               equal_nocase(context.argument(1), "sync"));
    const bool last = context.slice + 1 == slices_count;
    if (!plain && !mode) {
        context.reply.error(error_text::syntax);
        return {};
    }
    constexpr unsigned buckets_count = 65536 / slices_count;
    const auto first = static_cast<std::uint16_t>(context.slice * buckets_count);
    const auto bucket_last = static_cast<std::uint16_t>(first + buckets_count - 1);
    SYNCLINE_TRY(const bool any, has_rows(context.txn(), first, bucket_last));
    if (any) SYNCLINE_CHECK(context.txn().clear_buckets(first, bucket_last));
    if (last) context.reply.simple("OK");
    return {};
}

/// There are no functions; who begins with a clean server may say so.
Result<void> function_flush_command(CommandContext& context) {
    const bool known = context.count() == 2 || equal_nocase(context.argument(2), "async") ||
                       equal_nocase(context.argument(2), "sync");
    if (context.count() > 3 || !known) {
        context.reply.error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
    } else {
        context.reply.simple("OK");
    }
    return {};
}

Result<void> function_list_command(CommandContext& context) {
    context.reply.array(0);
    return {};
}

/// SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] | ABORT. No reply: the connection ends. What was replied is
/// durable, and a stop takes its last checkpoint in any case.
Result<void> shutdown_command(CommandContext& context) {
    constexpr BytesView options[] = {"nosave", "save", "now", "force", "abort"};
    std::array<bool, std::size(options)> given{};
    for (std::size_t i = 1; i < context.count(); ++i) {
        const auto* const option =
            std::find_if(std::begin(options), std::end(options),
                         [&](BytesView name) { return equal_nocase(context.argument(i), name); });
        if (option == std::end(options)) {
            context.reply.error(error_text::syntax);
            return {};
        }
        given.at(static_cast<std::size_t>(option - std::begin(options))) = true;
    }
    const auto [nosave, save, now, force, abort] = given;
    if ((nosave && save) || (abort && (nosave || save || now || force))) {
        context.reply.error(error_text::syntax);
        return {};
    }
    if (abort) {  // while one is in progress no request is run
        context.reply.error("ERR No shutdown in progress.");
        return {};
    }
    return context.host.shut_down();
}

constexpr BytesView group = "server";
constexpr BytesView scripting = "scripting";
constexpr BytesView per_row = "O(N) with N rows";

// A row is easier to read in few lines.
// clang-format off
constexpr Command function_subcommands[] = {
    {"flush", -2, flag::loading, {}, scripting, "7.0.0", "O(1)", "Accepted; there are no functions",
     function_flush_command, {}},
    {"list", -2, flag::loading, {}, scripting, "7.0.0", "O(1)",
     "Returns nothing: there are no functions", function_list_command, {}},
};
const Command commands[] = {
    {"command", -1, flag::loading, {}, group, "2.8.13", "O(N) with N commands",
     "Describes the commands", command_command, command_subcommands()},
    {"config", -2, flag::loading, {}, group, "2.0.0", "Depends on the subcommand",
     "Looks at settings", nullptr, config_subcommands()},
    {"dbsize", 1, flag::readonly | flag::fast, {}, group, "1.0.0", "O(1)",
     "Returns the number of keys", dbsize_command, {}},
    {"flushall", -1, flag::write | flag::no_multi | flag::sliced, {}, group, "1.0.0", per_row,
     "Removes all keys that this replica sees, in 256 transactions", flush_command, {}},
    {"flushdb", -1, flag::write | flag::no_multi | flag::sliced, {}, group, "1.0.0", per_row,
     "The same as FLUSHALL: there is one database", flush_command, {}},
    {"function", -2, flag::loading, {}, scripting, "7.0.0", "O(1)", "There are no functions",
     nullptr, function_subcommands},
    {"info", -1, flag::loading, {}, group, "1.0.0", "O(1)",
     "Returns figures about the server, by section", info_command, {}},
    {"role", 1, flag::loading | flag::fast, {}, group, "2.8.12", "O(1)",
     "Answers who takes writes, and who is behind", role_command, {}},
    {"shutdown", -1, flag::admin | flag::loading | flag::no_multi, {}, group, "1.0.0",
     "O(N) with N bytes not yet in the base", "Stops the server, as SIGTERM does",
     shutdown_command, {}},
    {"time", 1, flag::loading | flag::fast, {}, group, "2.6.0", "O(1)",
     "Returns the time in seconds and microseconds", time_command, {}},
};
// clang-format on

}  // namespace

Result<void> CommandHost::shut_down() {
    return Error{Code::unavailable, "this replica is stopped by what it belongs to"};
}

std::span<const Command> server_commands() {
    return commands;
}

}  // namespace syncline
