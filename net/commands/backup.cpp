// CRDT.BACKUP: copies the data into a directory of the server's machine while it works.
#include "core/backup/progress.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/fields.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

BytesView state_name(BackupStatus::State state) {
    switch (state) {
        case BackupStatus::State::running:
            return "running";
        case BackupStatus::State::done:
            return "done";
        case BackupStatus::State::failed:
            return "failed";
        case BackupStatus::State::cancelled:
            return "cancelled";
        case BackupStatus::State::none:
            break;
    }
    return "none";
}

void reply_status(CommandContext& context) {
    const BackupStatus status = context.host.backup_status();
    const std::uint64_t now_ms = context.host.env().clock.steady_ms();
    const std::uint64_t end_ms = status.ended_ms > 0 ? status.ended_ms : now_ms;
    RespWriter& reply = context.reply;
    reply.map(9);
    field(reply, "state", state_name(status.state));
    field(reply, "path", status.path);
    field(reply, "rows", status.progress.rows);
    field(reply, "rows_expected", status.progress.rows_expected);
    field(reply, "events", status.progress.events);
    field(reply, "bytes", status.progress.bytes);
    field(reply, "rate_bytes", status.rate_bytes);
    field(reply, "elapsed_ms", status.begun_ms > 0 ? end_ms - status.begun_ms : 0);
    field(reply, "reason", status.reason);
}

/// Only a new directory is written, under names that are always the same: nothing that is there
/// can be replaced.
void begin(CommandContext& context) {
    std::uint64_t rate_bytes = 0;
    if (context.count() != 2) {
        const bool rate = context.count() == 4 && equal_nocase(context.argument(2), "rate");
        if (!rate) return context.reply.error(error_text::syntax);
        const std::optional<std::int64_t> number = parse_integer(context.argument(3));
        if (!number || *number < 1) {
            return context.reply.error("ERR RATE is a number of bytes a second");
        }
        rate_bytes = static_cast<std::uint64_t>(*number);
    }
    const Bytes& path = context.argument(1);
    if (path.find('\0') != Bytes::npos || !is_utf8(path)) {
        return context.reply.error("ERR the path is no text");
    }
    if (path.empty() || path[0] != '/') {
        return context.reply.error(
            "ERR the path of a backup begins with /: it is one of the server's machine");
    }
    const Result<void> begun = context.host.begin_backup(path, rate_bytes);
    if (!begun) return context.reply.error("ERR " + begun.error().message);
    context.reply.simple("OK");
}

Result<void> backup_command(CommandContext& context) {
    const Bytes& word = context.argument(1);
    if (equal_nocase(word, "status") && context.count() == 2) {
        reply_status(context);
    } else if (equal_nocase(word, "cancel") && context.count() == 2) {
        const Result<void> cancelled = context.host.cancel_backup();
        if (cancelled) {
            context.reply.simple("OK");
        } else {
            context.reply.error("ERR " + cancelled.error().message);
        }
    } else {
        begin(context);
    }
    return {};
}

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"crdt.backup", -2, flag::admin | flag::no_multi, {}, "crdt", "0.1.0",
     "O(N) with N rows, in the background",
     "Backs up to a new directory of the server's machine, and tells how far it is",
     backup_command, {}},
};
// clang-format on

}  // namespace

Result<void> CommandHost::begin_backup(const std::string& /*path*/, std::uint64_t /*rate_bytes*/) {
    return Error{Code::unavailable, "this replica does not run"};
}

BackupStatus CommandHost::backup_status() {
    return {};
}

Result<void> CommandHost::cancel_backup() {
    return Error{Code::unavailable, "no backup is under way"};
}

std::span<const Command> backup_commands() {
    return commands;
}

}  // namespace syncline
