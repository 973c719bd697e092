#include "core/engine/operations.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/glob.hpp"
#include "net/commands/scan.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

Result<void> del_command(CommandContext& context) {
    for (std::size_t i = 1; i < context.count(); ++i) {
        SYNCLINE_CHECK(operations::removable_type(context.txn(), context.argument(i)));
    }
    std::int64_t removed = 0;
    for (std::size_t i = 1; i < context.count(); ++i) {
        SYNCLINE_TRY(const bool existed,
                     operations::key_delete(context.txn(), context.argument(i)));
        if (existed) ++removed;
    }
    context.reply.integer(removed);
    return {};
}

Result<void> exists_command(CommandContext& context) {
    std::int64_t found = 0;
    for (std::size_t i = 1; i < context.count(); ++i) {
        SYNCLINE_TRY(const std::optional<CellType> type,
                     context.txn().visible_type(context.argument(i)));
        if (type) ++found;
    }
    context.reply.integer(found);
    return {};
}

Result<void> type_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<CellType> type,
                 context.txn().visible_type(context.argument(1)));
    context.reply.simple(type ? cell_type_name(*type) : BytesView("none"));
    return {};
}

Result<void> keys_command(CommandContext& context) {
    std::vector<Bytes> keys;
    SYNCLINE_CHECK(context.txn().scan_keys(0, SIZE_MAX, [&](BytesView key, CellType) {
        if (glob_match(context.argument(1), key)) keys.emplace_back(key);
        return true;
    }));
    context.reply.array(keys.size());
    for (const Bytes& key : keys) context.reply.bulk(key);
    return {};
}

Result<void> scan_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<ScanOptions> options, parse_scan(context, 1, true));
    if (!options) return {};
    std::vector<Bytes> keys;
    SYNCLINE_TRY(
        const std::uint64_t cursor,
        context.txn().scan_keys(options->cursor, options->count, [&](BytesView key, CellType type) {
            const bool wanted = !options->type || *options->type == cell_type_name(type);
            if (wanted && options->matches(key)) {
                keys.emplace_back(key);
            }
            return true;
        }));
    reply_scan(context.reply, cursor, keys);
    return {};
}

/// The first key at or after a random place in the order of hashes: nearly uniform.
Result<void> randomkey_command(CommandContext& context) {
    std::optional<Bytes> found;
    const auto take = [&](BytesView key, CellType) {
        found = Bytes(key);
        return false;
    };
    SYNCLINE_CHECK(context.txn().scan_keys(context.host.env().random.next(), SIZE_MAX, take));
    if (!found) SYNCLINE_CHECK(context.txn().scan_keys(0, SIZE_MAX, take));
    if (found) {
        context.reply.bulk(*found);
    } else {
        context.reply.null();
    }
    return {};
}

constexpr BytesView group = "generic";
constexpr KeyPositions one_key{1, 1, 1};
constexpr KeyPositions all_keys{1, -1, 1};
constexpr unsigned reads = flag::readonly | flag::fast;

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"del", -2, flag::write, all_keys, group, "1.0.0", "O(N) with N rows under the keys",
     "Deletes keys: removes exactly what this replica sees of them", del_command, {}},
    {"exists", -2, reads, all_keys, group, "1.0.0", "O(N) with N keys",
     "Tells how many of the keys exist", exists_command, {}},
    {"keys", 2, flag::readonly, {}, group, "1.0.0", "O(N) with N keys in the database",
     "Returns all keys that match a pattern", keys_command, {}},
    {"randomkey", 1, flag::readonly, {}, group, "1.0.0", "O(1)", "Returns a key at random",
     randomkey_command, {}},
    {"scan", -2, flag::readonly, {}, group, "2.8.0", "O(N) with N keys looked at",
     "Walks the keys; a cursor of one replica works on another", scan_command, {}},
    {"touch", -2, reads, all_keys, group, "3.2.1", "O(N) with N keys",
     "Tells how many of the keys exist", exists_command, {}},
    {"type", 2, reads, one_key, group, "1.0.0", "O(1)", "Returns the type of a key", type_command,
     {}},
    {"unlink", -2, flag::write | flag::fast, all_keys, group, "4.0.0",
     "O(N) with N rows under the keys", "The same as DEL", del_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> key_commands() {
    return commands;
}

}  // namespace syncline
