// Commands that tools send because Redis has them. What they ask for is here by other means, or is
// not: a base that is checkpointed instead of dumps, one database, no modules, no hash slots.
#include <algorithm>

#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

// --- Checkpoints

/// A write is durable before it is replied to: there is nothing to wait for.
void request_checkpoint(CommandContext& context, BytesView reply) {
    context.host.replica()->request_checkpoint();
    context.reply.simple(reply);
}

Result<void> save_command(CommandContext& context) {
    request_checkpoint(context, "OK");
    return {};
}

Result<void> bgsave_command(CommandContext& context) {
    const bool plain = context.count() == 1;
    if (!plain && (context.count() != 2 || !equal_nocase(context.argument(1), "schedule"))) {
        context.reply.error(error_text::syntax);
        return {};
    }
    request_checkpoint(context, "Background saving started");
    return {};
}

Result<void> bgrewriteaof_command(CommandContext& context) {
    request_checkpoint(context, "Background append only file rewriting started");
    return {};
}

Result<void> lastsave_command(CommandContext& context) {
    Replica* const replica = context.host.replica();
    const std::uint64_t ms = replica != nullptr ? replica->stats().last_checkpoint_ms
                                                : context.host.env().clock.wall_ms();
    context.reply.integer(static_cast<std::int64_t>(ms / 1000));
    return {};
}

// --- What there is one of, or none

Result<void> swapdb_command(CommandContext& context) {
    std::int64_t numbers[2];
    for (std::size_t i = 0; i < 2; ++i) {
        const std::optional<std::int64_t> number = parse_integer(context.argument(i + 1));
        if (!number || *number != static_cast<std::int32_t>(*number)) {
            context.reply.error(i == 0 ? "ERR invalid first DB index"
                                       : "ERR invalid second DB index");
            return {};
        }
        numbers[i] = *number;
    }
    if (numbers[0] == 0 && numbers[1] == 0) {
        context.reply.simple("OK");
    } else {
        context.reply.error("ERR DB index is out of range");
    }
    return {};
}

Result<void> module_list_command(CommandContext& context) {
    context.reply.array(0);
    return {};
}

constexpr BytesView cluster_subcommands[] = {
    "addslots",
    "addslotsrange",
    "bumpepoch",
    "count-failure-reports",
    "countkeysinslot",
    "delslots",
    "delslotsrange",
    "failover",
    "flushslots",
    "forget",
    "getkeysinslot",
    "help",
    "info",
    "keyslot",
    "links",
    "meet",
    "myid",
    "nodes",
    "replicas",
    "replicate",
    "reset",
    "saveconfig",
    "set-config-epoch",
    "setslot",
    "shards",
    "slaves",
    "slots",
};

Result<void> cluster_command(CommandContext& context) {
    const Bytes& name = context.argument(1);
    const bool known = std::any_of(std::begin(cluster_subcommands), std::end(cluster_subcommands),
                                   [&](BytesView one) { return equal_nocase(one, name); });
    context.reply.error(known ? "ERR This instance has cluster support disabled"
                              : "ERR unknown subcommand '" + name.substr(0, 128) +
                                    "'. Try CLUSTER HELP.");
    return {};
}

// --- LOLWUT

constexpr unsigned picture_rows = 8;
constexpr unsigned picture_columns = 8;

/// A pattern of the root of the tree of hashes, mirrored: replicas that agree show the same one.
Result<void> lolwut_command(CommandContext& context) {
    const Hash128 root = context.txn().group().leaf_sums().root().sum;
    std::string text;
    for (unsigned row = 0; row < picture_rows; ++row) {
        std::string half;
        for (unsigned column = 0; column < picture_columns; ++column) {
            const unsigned bit = row * picture_columns + column;
            half += ((root.high ^ root.low) >> bit & 1U) != 0 ? "\u2588\u2588" : "  ";
        }
        std::string mirrored;
        for (unsigned column = picture_columns; column > 0; --column) {
            const unsigned bit = row * picture_columns + column - 1;
            mirrored += ((root.high ^ root.low) >> bit & 1U) != 0 ? "\u2588\u2588" : "  ";
        }
        text += half + mirrored + "\n";
    }
    text += "\nReplicas that agree show the same picture. Syncline ver. " +
            context.host.figures().version + "\n";
    context.reply.verbatim(text);
    return {};
}

constexpr BytesView group = "server";
constexpr unsigned saves = flag::admin;

// A row is easier to read in few lines.
// clang-format off
constexpr Command module_subcommands[] = {
    {"list", 2, flag::admin | flag::loading, {}, group, "4.0.0", "O(1)",
     "Returns nothing: there are no modules", module_list_command, {}},
};

const Command commands[] = {
    {"bgrewriteaof", 1, saves, {}, group, "1.0.0", "O(1)",
     "Asks for a checkpoint, behind which the log goes", bgrewriteaof_command, {}},
    {"bgsave", -1, saves, {}, group, "1.0.0", "O(1)", "Asks for a checkpoint", bgsave_command, {}},
    {"cluster", -2, flag::loading, {}, "cluster", "3.0.0", "O(1)",
     "An error: keys have no slots, every replica has all of them", cluster_command, {}},
    {"lastsave", 1, flag::loading | flag::fast, {}, group, "1.0.0", "O(1)",
     "Returns when the last checkpoint was finished, or the start", lastsave_command, {}},
    {"lolwut", -1, flag::readonly | flag::fast, {}, group, "5.0.0", "O(1)",
     "Shows a picture of what is stored, which is the same on replicas that agree",
     lolwut_command, {}},
    {"module", -2, flag::admin | flag::loading, {}, group, "4.0.0", "O(1)",
     "Tells that there are no modules", nullptr, module_subcommands},
    {"save", 1, saves | flag::no_multi, {}, group, "1.0.0", "O(1)",
     "Asks for a checkpoint: what was replied is durable already", save_command, {}},
    {"swapdb", 3, flag::write | flag::fast, {}, group, "4.0.0", "O(1)",
     "Does nothing: there is one database", swapdb_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> compatible_commands() {
    return commands;
}

}  // namespace syncline
