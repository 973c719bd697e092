// CRDT.RESUBMIT: what an evicted replica alone had, done again as a transaction of this one.
#include "core/engine/resubmission.hpp"

#include "net/commands/errors.hpp"
#include "net/commands/fields.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

/// The lost transaction; an Error about the argument if it is none of this cluster.
Result<LostTransaction> lost_argument(const CommandContext& context) {
    SYNCLINE_TRY(LostTransaction lost, decode_lost_transaction(context.argument(1)));
    const Uuid& cluster = context.host.replica()->identity().cluster;
    if (lost.cluster == cluster) return lost;
    return Error{Code::invalid_argument, "the transaction is of cluster " +
                                             to_string(lost.cluster) + ", this is " +
                                             to_string(cluster)};
}

Result<ResubmittedPast> past_argument(const CommandContext& context) {
    if (context.count() == 2) return ResubmittedPast();
    return decode_resubmitted_past(context.argument(2));
}

Result<void> resubmit_command(CommandContext& context) {
    if (context.count() > 3) {
        context.reply.error(error_text::syntax);
        return {};
    }
    const Result<LostTransaction> lost = lost_argument(context);
    const Result<ResubmittedPast> past = past_argument(context);
    if (!lost || !past) {
        context.reply.error("ERR " + (lost ? past.error() : lost.error()).message);
        return {};
    }
    SYNCLINE_TRY(const Resubmitted done, resubmit(context.txn(), *lost, *past));
    context.reply.map(2);
    field(context.reply, "outcome", to_string(done.outcome));
    field(context.reply, "result", encode_resubmitted(done));
    return {};
}

constexpr BytesView group = "crdt";
constexpr BytesView since = "0.3.0";

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"crdt.resubmit", -2, flag::write | flag::denyoom | flag::admin | flag::no_multi, {}, group,
     since, "As the commands that the transaction was made of",
     "Does a transaction again that only an evicted replica has", resubmit_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> resubmission_commands() {
    return commands;
}

}  // namespace syncline
