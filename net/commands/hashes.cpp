#include "core/engine/operations.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/draw.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/scan.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;
using Pairs = std::vector<std::pair<Bytes, Bytes>>;

/// Sets all field-value pairs; the number of new fields, or nothing when an error was replied.
Result<std::optional<std::int64_t>> set_pairs(CommandContext& context, BytesView name) {
    if (context.count() % 2 != 0) {
        reply_wrong_arity(context.reply, name);
        return std::optional<std::int64_t>();
    }
    for (std::size_t i = 2; i < context.count(); i += 2) {
        SYNCLINE_CHECK(check_key_size(context.argument(i)));
        SYNCLINE_CHECK(check_value_size(context.argument(i + 1)));
    }
    std::int64_t added = 0;
    for (std::size_t i = 2; i < context.count(); i += 2) {
        SYNCLINE_TRY(const bool is_new,
                     operations::hash_set(context.txn(), context.argument(1), context.argument(i),
                                          context.argument(i + 1)));
        if (is_new) ++added;
    }
    return std::optional(added);
}

Result<void> hset_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<std::int64_t> added, set_pairs(context, "hset"));
    if (added) context.reply.integer(*added);
    return {};
}

Result<void> hmset_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<std::int64_t> added, set_pairs(context, "hmset"));
    if (added) context.reply.simple("OK");
    return {};
}

Result<void> hsetnx_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<Bytes> old,
                 operations::hash_get(context.txn(), context.argument(1), context.argument(2)));
    if (!old) {
        SYNCLINE_CHECK(operations::hash_set(context.txn(), context.argument(1), context.argument(2),
                                            context.argument(3)));
    }
    context.reply.integer(old ? 0 : 1);
    return {};
}

Result<void> hget_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<Bytes> value,
                 operations::hash_get(context.txn(), context.argument(1), context.argument(2)));
    ServerFigures& figures = context.host.figures();
    ++(value ? figures.keyspace_hits : figures.keyspace_misses);
    reply_bulk_or_null(context.reply, value);
    return {};
}

Result<void> hmget_command(CommandContext& context) {
    std::vector<std::optional<Bytes>> values;
    for (std::size_t i = 2; i < context.count(); ++i) {
        SYNCLINE_TRY(std::optional<Bytes> value,
                     operations::hash_get(context.txn(), context.argument(1), context.argument(i)));
        values.push_back(std::move(value));
    }
    context.reply.array(values.size());
    for (const std::optional<Bytes>& value : values) reply_bulk_or_null(context.reply, value);
    return {};
}

Result<void> hdel_command(CommandContext& context) {
    std::int64_t removed = 0;
    for (std::size_t i = 2; i < context.count(); ++i) {
        SYNCLINE_TRY(
            const bool was_there,
            operations::hash_remove(context.txn(), context.argument(1), context.argument(i)));
        if (was_there) ++removed;
    }
    context.reply.integer(removed);
    return {};
}

Result<void> hgetall_command(CommandContext& context) {
    SYNCLINE_TRY(const Pairs all, operations::hash_all(context.txn(), context.argument(1)));
    context.reply.map(all.size());
    for (const auto& [field, value] : all) {
        context.reply.bulk(field);
        context.reply.bulk(value);
    }
    return {};
}

Result<void> hkeys_command(CommandContext& context) {
    SYNCLINE_TRY(const Pairs all, operations::hash_all(context.txn(), context.argument(1)));
    context.reply.array(all.size());
    for (const auto& pair : all) context.reply.bulk(pair.first);
    return {};
}

Result<void> hvals_command(CommandContext& context) {
    SYNCLINE_TRY(const Pairs all, operations::hash_all(context.txn(), context.argument(1)));
    context.reply.array(all.size());
    for (const auto& pair : all) context.reply.bulk(pair.second);
    return {};
}

Result<void> hrandfield_command(CommandContext& context) {
    const std::optional<DrawRequest> request = parse_draw(context, "withvalues");
    if (!request) return {};
    SYNCLINE_TRY(Pairs all, operations::hash_all(context.txn(), context.argument(1)));
    const Pairs drawn =
        draw(std::move(all), request->count, request->again, context.host.env().random);
    if (!request->counted) {
        reply_bulk_or_null(context.reply,
                           drawn.empty() ? std::nullopt : std::optional(drawn[0].first));
        return {};
    }
    const bool nested = request->with_values && context.reply.resp3();
    context.reply.array(request->with_values && !nested ? 2 * drawn.size() : drawn.size());
    for (const auto& [field, value] : drawn) {
        if (nested) context.reply.array(2);
        context.reply.bulk(field);
        if (request->with_values) context.reply.bulk(value);
    }
    return {};
}

Result<void> hlen_command(CommandContext& context) {
    SYNCLINE_TRY(const std::uint64_t count,
                 operations::count(context.txn(), context.argument(1), CellType::hash));
    context.reply.integer(static_cast<std::int64_t>(count));
    return {};
}

Result<void> hexists_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<Bytes> value,
                 operations::hash_get(context.txn(), context.argument(1), context.argument(2)));
    context.reply.integer(value ? 1 : 0);
    return {};
}

Result<void> hstrlen_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<Bytes> value,
                 operations::hash_get(context.txn(), context.argument(1), context.argument(2)));
    context.reply.integer(value ? static_cast<std::int64_t>(value->size()) : 0);
    return {};
}

Result<void> hincrby_command(CommandContext& context) {
    SYNCLINE_TRY(const std::int64_t amount, integer_argument(context.argument(3)));
    const Result<std::int64_t> after =
        operations::hash_increment(context.txn(), context.argument(1), context.argument(2), amount);
    if (after) {
        context.reply.integer(*after);
    } else if (after.error().code == Code::invalid_argument) {
        context.reply.error(error_text::hash_not_integer);
    } else {
        return after.error();
    }
    return {};
}

Result<void> hincrbyfloat_command(CommandContext& context) {
    const std::optional<Decimal> amount =
        decimal_argument(context.reply, context.argument(3), error_text::hash_float_infinite);
    if (!amount) return {};
    const Result<Bytes> after = operations::hash_increment(context.txn(), context.argument(1),
                                                           context.argument(2), *amount);
    return reply_decimal(context.reply, after, error_text::hash_not_float);
}

Result<void> hscan_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<ScanOptions> options, parse_scan(context, 2, false));
    if (!options) return {};
    const Bytes& key = context.argument(1);
    SYNCLINE_CHECK(operations::count(context.txn(), key, CellType::hash));  // for its type
    std::vector<Bytes> elements;
    SYNCLINE_TRY(const std::uint64_t cursor,
                 scan_fields(context.txn(), key, CellType::hash, options->cursor, options->count,
                             [&](BytesView field, const Cell& cell) {
                                 std::optional<Bytes> value = string_value(cell);
                                 if (value && options->matches(field)) {
                                     elements.emplace_back(field);
                                     elements.push_back(std::move(*value));
                                 }
                                 return true;
                             }));
    reply_scan(context.reply, cursor, elements);
    return {};
}

constexpr BytesView group = "hash";
constexpr KeyPositions one_key{1, 1, 1};
constexpr unsigned grows = flag::write | flag::denyoom | flag::fast;
constexpr unsigned reads = flag::readonly | flag::fast;

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"hdel", -3, flag::write | flag::fast, one_key, group, "2.0.0", "O(N) with N fields",
     "Removes fields; a concurrent HSET of a field wins", hdel_command, {}},
    {"hexists", 3, reads, one_key, group, "2.0.0", "O(1)", "Tells whether a field is there",
     hexists_command, {}},
    {"hget", 3, reads, one_key, group, "2.0.0", "O(1)", "Returns the value of a field",
     hget_command, {}},
    {"hgetall", 2, flag::readonly, one_key, group, "2.0.0", "O(N) with N fields",
     "Returns all fields with their values", hgetall_command, {}},
    {"hincrbyfloat", 4, grows, one_key, group, "2.6.0", "O(1)",
     "Adds a decimal number to a field, exactly", hincrbyfloat_command, {}},
    {"hincrby", 4, grows, one_key, group, "2.0.0", "O(1)",
     "Adds a number to a field; concurrent additions add up", hincrby_command, {}},
    {"hkeys", 2, flag::readonly, one_key, group, "2.0.0", "O(N) with N fields",
     "Returns all fields", hkeys_command, {}},
    {"hlen", 2, reads, one_key, group, "2.0.0", "O(1)", "Returns the number of fields",
     hlen_command, {}},
    {"hmget", -3, reads, one_key, group, "2.0.0", "O(N) with N fields",
     "Returns the values of some fields", hmget_command, {}},
    {"hmset", -4, grows, one_key, group, "2.0.0", "O(N) with N fields",
     "Sets fields in one transaction; the old form of HSET", hmset_command, {}},
    {"hrandfield", -2, flag::readonly, one_key, group, "6.2.0", "O(N) with N fields",
     "Returns random fields", hrandfield_command, {}},
    {"hscan", -3, flag::readonly, one_key, group, "2.8.0", "O(N) with N rows looked at",
     "Walks the fields and values of a hash", hscan_command, {}},
    {"hset", -4, grows, one_key, group, "2.0.0", "O(N) with N fields",
     "Sets fields in one transaction; each field merges on its own", hset_command, {}},
    {"hsetnx", 4, grows, one_key, group, "2.0.0", "O(1)",
     "Sets a field if it does not exist here", hsetnx_command, {}},
    {"hstrlen", 3, reads, one_key, group, "3.2.0", "O(1)", "Returns the length of a field's value",
     hstrlen_command, {}},
    {"hvals", 2, flag::readonly, one_key, group, "2.0.0", "O(N) with N fields",
     "Returns all values", hvals_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> hash_commands() {
    return commands;
}

}  // namespace syncline
