// CRDT.SCRUB: looks at all that is stored while the replica works, and has a peer repair what is
// damaged.
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/fields.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

void reply_status(CommandContext& context, const Replica& replica) {
    const ScrubStatus status = replica.scrub_status();
    RespWriter& reply = context.reply;
    reply.map(15);
    field(reply, "running", status.running ? 1 : 0);
    field(reply, "buckets", status.buckets);
    field(reply, "buckets_expected", status.buckets_all);
    field(reply, "rows", status.rows);
    field(reply, "rows_expected", status.rows_all);
    field(reply, "bytes", status.bytes);
    field(reply, "faults", status.faults);
    field(reply, "begun_ms", status.begun_ms);
    field(reply, "passes", status.passes);
    field(reply, "last_ms", status.last_ms);
    field(reply, "last_faults", status.last_faults);
    field(reply, "damaged_buckets", status.damaged);
    field(reply, "damages_found", status.damages);
    field(reply, "repaired_buckets", status.repaired);
    field(reply, "finding", status.finding);
}

Result<void> scrub_command(CommandContext& context) {
    Replica& replica = *context.host.replica();
    const Bytes& word = context.argument(1);
    if (equal_nocase(word, "status")) {
        reply_status(context, replica);
    } else if (equal_nocase(word, "start")) {
        replica.start_scrub(true);
        context.reply.simple("OK");
    } else if (equal_nocase(word, "stop")) {
        replica.stop_scrub();
        context.reply.simple("OK");
    } else if (equal_nocase(word, "repair")) {
        const Result<std::size_t> asked = replica.repair();
        if (asked) {
            context.reply.integer(static_cast<std::int64_t>(*asked));
        } else {
            context.reply.error("ERR " + asked.error().message);
        }
    } else {
        context.reply.error(error_text::syntax);
    }
    return {};
}

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"crdt.scrub", 2, flag::admin | flag::no_multi, {}, "crdt", "0.1.0",
     "O(N) with N rows, in the background",
     "Looks at everything that is stored, tells what is damaged, or asks a peer for it",
     scrub_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> scrub_commands() {
    return commands;
}

}  // namespace syncline
