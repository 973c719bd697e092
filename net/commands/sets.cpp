#include <utility>

#include "core/engine/operations.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/draw.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/scan.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

Result<void> sadd_command(CommandContext& context) {
    for (std::size_t i = 2; i < context.count(); ++i) {
        SYNCLINE_CHECK(check_key_size(context.argument(i)));
    }
    std::int64_t added = 0;
    for (std::size_t i = 2; i < context.count(); ++i) {
        SYNCLINE_TRY(const bool is_new,
                     operations::set_add(context.txn(), context.argument(1), context.argument(i)));
        if (is_new) ++added;
    }
    context.reply.integer(added);
    return {};
}

Result<void> srem_command(CommandContext& context) {
    std::int64_t removed = 0;
    for (std::size_t i = 2; i < context.count(); ++i) {
        SYNCLINE_TRY(
            const bool was_there,
            operations::set_remove(context.txn(), context.argument(1), context.argument(i)));
        if (was_there) ++removed;
    }
    context.reply.integer(removed);
    return {};
}

Result<void> smembers_command(CommandContext& context) {
    SYNCLINE_TRY(const std::vector<Bytes> members,
                 operations::set_members(context.txn(), context.argument(1)));
    context.reply.set(members.size());
    for (const Bytes& member : members) context.reply.bulk(member);
    return {};
}

Result<void> sismember_command(CommandContext& context) {
    SYNCLINE_TRY(const bool present,
                 operations::set_contains(context.txn(), context.argument(1), context.argument(2)));
    ServerFigures& figures = context.host.figures();
    ++(present ? figures.keyspace_hits : figures.keyspace_misses);
    context.reply.integer(present ? 1 : 0);
    return {};
}

Result<void> smismember_command(CommandContext& context) {
    std::vector<bool> present;
    for (std::size_t i = 2; i < context.count(); ++i) {
        SYNCLINE_TRY(
            const bool is_there,
            operations::set_contains(context.txn(), context.argument(1), context.argument(i)));
        present.push_back(is_there);
    }
    context.reply.array(present.size());
    for (const bool is_there : present) context.reply.integer(is_there ? 1 : 0);
    return {};
}

Result<void> scard_command(CommandContext& context) {
    SYNCLINE_TRY(const std::uint64_t count,
                 operations::count(context.txn(), context.argument(1), CellType::set));
    context.reply.integer(static_cast<std::int64_t>(count));
    return {};
}

Result<void> spop_command(CommandContext& context) {
    if (context.count() > 3) {
        context.reply.error(error_text::syntax);
        return {};
    }
    const bool counted = context.count() == 3;
    const std::optional<std::size_t> wanted = pop_count(context);
    if (!wanted) return {};
    const Bytes& key = context.argument(1);
    SYNCLINE_TRY(std::vector<Bytes> all, operations::set_members(context.txn(), key));
    const std::vector<Bytes> members =
        draw(std::move(all), *wanted, false, context.host.env().random);
    for (const Bytes& member : members) {
        SYNCLINE_CHECK(operations::set_remove(context.txn(), key, member));
    }
    if (!counted) {
        if (members.empty()) {
            context.reply.null();
        } else {
            context.reply.bulk(members[0]);
        }
        return {};
    }
    context.reply.set(members.size());
    for (const Bytes& member : members) context.reply.bulk(member);
    return {};
}

Result<void> srandmember_command(CommandContext& context) {
    const std::optional<DrawRequest> request = parse_draw(context, {});
    if (!request) return {};
    SYNCLINE_TRY(std::vector<Bytes> all,
                 operations::set_members(context.txn(), context.argument(1)));
    const std::vector<Bytes> drawn =
        draw(std::move(all), request->count, request->again, context.host.env().random);
    if (request->counted) {
        context.reply.array(drawn.size());
        for (const Bytes& member : drawn) context.reply.bulk(member);
    } else {
        reply_bulk_or_null(context.reply, drawn.empty() ? std::nullopt : std::optional(drawn[0]));
    }
    return {};
}

Result<void> smove_command(CommandContext& context) {
    const Bytes& source = context.argument(1);
    const Bytes& target = context.argument(2);
    const Bytes& member = context.argument(3);
    SYNCLINE_CHECK(check_key_size(member));
    SYNCLINE_TRY(const bool present, operations::set_contains(context.txn(), source, member));
    SYNCLINE_TRY(const std::optional<CellType> type, context.txn().visible_type(source));
    // A source that does not exist is answered before the type of the target matters.
    if (type) SYNCLINE_CHECK(operations::count(context.txn(), target, CellType::set));
    if (present && source != target) {
        SYNCLINE_CHECK(operations::set_remove(context.txn(), source, member));
        SYNCLINE_CHECK(operations::set_add(context.txn(), target, member));
    }
    context.reply.integer(present ? 1 : 0);
    return {};
}

Result<void> sscan_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<ScanOptions> options, parse_scan(context, 2, false));
    if (!options) return {};
    const Bytes& key = context.argument(1);
    SYNCLINE_CHECK(operations::count(context.txn(), key, CellType::set));  // for its type
    std::vector<Bytes> elements;
    SYNCLINE_TRY(const std::uint64_t cursor,
                 scan_fields(context.txn(), key, CellType::set, options->cursor, options->count,
                             [&](BytesView member, const Cell&) {
                                 if (options->matches(member)) elements.emplace_back(member);
                                 return true;
                             }));
    reply_scan(context.reply, cursor, elements);
    return {};
}

constexpr BytesView group = "set";
constexpr KeyPositions one_key{1, 1, 1};
constexpr unsigned reads = flag::readonly | flag::fast;

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"sadd", -3, flag::write | flag::denyoom | flag::fast, one_key, group, "1.0.0",
     "O(N) with N members", "Adds members; an add wins over a concurrent removal", sadd_command,
     {}},
    {"scard", 2, reads, one_key, group, "1.0.0", "O(1)", "Returns the number of members",
     scard_command, {}},
    {"sismember", 3, reads, one_key, group, "1.0.0", "O(1)", "Tells whether a member is there",
     sismember_command, {}},
    {"smembers", 2, flag::readonly, one_key, group, "1.0.0", "O(N) with N members",
     "Returns all members", smembers_command, {}},
    {"smismember", -3, reads, one_key, group, "6.2.0", "O(N) with N members asked for",
     "Tells which members are there", smismember_command, {}},
    {"smove", 4, flag::write | flag::fast, {1, 2, 1}, group, "1.0.0", "O(1)",
     "Moves a member in one transaction; decided by what this replica sees", smove_command, {}},
    {"spop", -2, flag::write | flag::fast, one_key, group, "1.0.0", "O(N) with N members",
     "Removes random members; another replica may pop the same ones", spop_command, {}},
    {"srandmember", -2, flag::readonly, one_key, group, "1.0.0", "O(N) with N members",
     "Returns random members", srandmember_command, {}},
    {"srem", -3, flag::write | flag::fast, one_key, group, "1.0.0", "O(N) with N members",
     "Removes members; a concurrent add of a member wins", srem_command, {}},
    {"sscan", -3, flag::readonly, one_key, group, "2.8.0", "O(N) with N rows looked at",
     "Walks the members of a set", sscan_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> set_commands() {
    return commands;
}

}  // namespace syncline
