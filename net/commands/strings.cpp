#include <algorithm>

#include "core/base/limits.hpp"
#include "core/engine/operations.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/expiry.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

Result<void> get_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<Bytes> value,
                 operations::string_get(context.txn(), context.argument(1)));
    ServerFigures& figures = context.host.figures();
    ++(value ? figures.keyspace_hits : figures.keyspace_misses);
    reply_bulk_or_null(context.reply, value);
    return {};
}

/// The options of SET.
struct SetOptions {
    bool only_new = false;
    bool only_present = false;
    bool get = false;
    bool keep_ttl = false;
    std::optional<TimeOption> expiry;
    BytesView expiry_time;
};

struct SetFlag {
    BytesView name;
    bool SetOptions::*member;
};
constexpr SetFlag set_flags[] = {
    {"nx", &SetOptions::only_new},
    {"xx", &SetOptions::only_present},
    {"get", &SetOptions::get},
    {"keepttl", &SetOptions::keep_ttl},
};

/// Nothing: a syntax error.
std::optional<SetOptions> parse_set_options(const Arguments& arguments) {
    SetOptions options;
    for (std::size_t i = 3; i < arguments.size(); ++i) {
        const auto is_it = [&](BytesView name) { return equal_nocase(arguments[i], name); };
        const auto* const plain =
            std::find_if(std::begin(set_flags), std::end(set_flags),
                         [&](const SetFlag& candidate) { return is_it(candidate.name); });
        if (plain != std::end(set_flags)) {
            options.*(plain->member) = true;
            continue;
        }
        const std::optional<TimeOption> expiry = time_option(arguments[i]);
        if (!expiry || i + 1 == arguments.size() || options.expiry) return std::nullopt;
        options.expiry = expiry;
        options.expiry_time = arguments[++i];
    }
    if (options.only_new && options.only_present) return std::nullopt;
    if (options.keep_ttl && options.expiry) return std::nullopt;
    return options;
}

/// When the key shall end. Error invalid_argument: no number. Nothing, and the error is written: no
/// time.
Result<std::optional<std::uint64_t>> set_deadline(CommandContext& context,
                                                  const SetOptions& options) {
    SYNCLINE_TRY(const std::int64_t number, integer_argument(options.expiry_time));
    const auto now = static_cast<std::int64_t>(context.txn().now_ms());
    const std::optional<std::int64_t> deadline =
        deadline_from(number, options.expiry->unit, options.expiry->origin, now);
    if (number > 0 && deadline) return std::optional(static_cast<std::uint64_t>(*deadline));
    reply_bad_time(context);
    return std::optional<std::uint64_t>();
}

Result<void> set_command(CommandContext& context) {
    const std::optional<SetOptions> options = parse_set_options(context.arguments);
    if (!options) {
        context.reply.error(error_text::syntax);
        return {};
    }
    std::optional<std::uint64_t> deadline;
    if (options->expiry) {
        SYNCLINE_TRY(deadline, set_deadline(context, *options));
        if (!deadline) return {};
    }
    const Bytes& key = context.argument(1);
    std::optional<Bytes> old;
    if (options->get) {
        SYNCLINE_TRY(old, operations::string_get(context.txn(), key));
    }
    bool write = true;
    if (options->only_new || options->only_present) {
        SYNCLINE_TRY(const std::optional<CellType> type, context.txn().visible_type(key));
        write = options->only_new ? !type.has_value() : type.has_value();
    }
    if (write) {
        SYNCLINE_CHECK(operations::string_set(
            context.txn(), key, context.argument(2),
            options->keep_ttl ? operations::Deadline::kept : operations::Deadline::removed));
        if (deadline) SYNCLINE_CHECK(operations::key_expire(context.txn(), key, *deadline));
    }
    if (options->get) {
        reply_bulk_or_null(context.reply, old);
    } else if (write) {
        context.reply.simple("OK");
    } else {
        context.reply.null();
    }
    return {};
}

Result<void> setnx_command(CommandContext& context) {
    const Bytes& key = context.argument(1);
    SYNCLINE_TRY(const std::optional<CellType> type, context.txn().visible_type(key));
    if (!type) SYNCLINE_CHECK(operations::string_set(context.txn(), key, context.argument(2)));
    context.reply.integer(type ? 0 : 1);
    return {};
}

Result<void> getset_command(CommandContext& context) {
    SYNCLINE_CHECK(check_value_size(context.argument(2)));
    SYNCLINE_TRY(const std::optional<Bytes> old,
                 operations::string_get(context.txn(), context.argument(1)));
    SYNCLINE_CHECK(operations::string_set(context.txn(), context.argument(1), context.argument(2)));
    reply_bulk_or_null(context.reply, old);
    return {};
}

Result<void> getdel_command(CommandContext& context) {
    const Bytes& key = context.argument(1);
    SYNCLINE_TRY(const std::optional<Bytes> old, operations::string_get(context.txn(), key));
    if (old) SYNCLINE_CHECK(operations::key_delete(context.txn(), key));
    reply_bulk_or_null(context.reply, old);
    return {};
}

Result<void> mget_command(CommandContext& context) {
    std::vector<std::optional<Bytes>> values;
    std::size_t bytes = 0;
    for (std::size_t i = 1; i < context.count(); ++i) {
        Result<std::optional<Bytes>> value =
            operations::string_get(context.txn(), context.argument(i));
        if (!value && value.error().code != Code::wrong_type) return value.error();
        values.push_back(value ? std::move(*value) : std::nullopt);
        if (values.back()) bytes += values.back()->size();
        if (bytes > limits::client_output_bytes_max) {
            return Error{Code::limit, "the values have more than " +
                                          std::to_string(limits::client_output_bytes_max) +
                                          " bytes"};
        }
    }
    context.reply.array(values.size());
    ServerFigures& figures = context.host.figures();
    for (const std::optional<Bytes>& value : values) {
        ++(value ? figures.keyspace_hits : figures.keyspace_misses);
        reply_bulk_or_null(context.reply, value);
    }
    return {};
}

/// MSET and MSETNX: the pairs are well formed and of lawful size, or the reply is an error.
Result<bool> check_pairs(CommandContext& context, BytesView name) {
    if (context.count() % 2 == 0) {
        reply_wrong_arity(context.reply, name);
        return false;
    }
    for (std::size_t i = 1; i < context.count(); i += 2) {
        SYNCLINE_CHECK(check_key_size(context.argument(i)));
        SYNCLINE_CHECK(check_value_size(context.argument(i + 1)));
    }
    return true;
}

Result<void> set_pairs(CommandContext& context) {
    for (std::size_t i = 1; i < context.count(); i += 2) {
        SYNCLINE_CHECK(operations::removable_type(context.txn(), context.argument(i)));
    }
    for (std::size_t i = 1; i < context.count(); i += 2) {
        SYNCLINE_CHECK(
            operations::string_set(context.txn(), context.argument(i), context.argument(i + 1)));
    }
    return {};
}

Result<void> mset_command(CommandContext& context) {
    SYNCLINE_TRY(const bool valid, check_pairs(context, "mset"));
    if (!valid) return {};
    SYNCLINE_CHECK(set_pairs(context));
    context.reply.simple("OK");
    return {};
}

Result<void> msetnx_command(CommandContext& context) {
    SYNCLINE_TRY(const bool valid, check_pairs(context, "msetnx"));
    if (!valid) return {};
    for (std::size_t i = 1; i < context.count(); i += 2) {
        SYNCLINE_TRY(const std::optional<CellType> type,
                     context.txn().visible_type(context.argument(i)));
        if (type) {
            context.reply.integer(0);
            return {};
        }
    }
    SYNCLINE_CHECK(set_pairs(context));
    context.reply.integer(1);
    return {};
}

/// Replaces the value and replies with its length, unless it is too long.
Result<void> store_grown(CommandContext& context, Bytes value) {
    const std::size_t length = value.size();
    SYNCLINE_CHECK(operations::string_set(context.txn(), context.argument(1), std::move(value),
                                          operations::Deadline::kept));
    context.reply.integer(static_cast<std::int64_t>(length));
    return {};
}

Result<void> append_command(CommandContext& context) {
    SYNCLINE_TRY(std::optional<Bytes> value,
                 operations::string_get(context.txn(), context.argument(1)));
    Bytes grown = value ? std::move(*value) : Bytes();
    if (grown.size() + context.argument(2).size() > limits::value_bytes_max) {
        context.reply.error(error_text::string_too_long);
        return {};
    }
    grown += context.argument(2);
    return store_grown(context, std::move(grown));
}

Result<void> setrange_command(CommandContext& context) {
    SYNCLINE_TRY(const std::int64_t offset, integer_argument(context.argument(2)));
    if (offset < 0) {
        context.reply.error("ERR offset is out of range");
        return {};
    }
    SYNCLINE_TRY(std::optional<Bytes> value,
                 operations::string_get(context.txn(), context.argument(1)));
    Bytes grown = value ? std::move(*value) : Bytes();
    const Bytes& patch = context.argument(3);
    if (patch.empty()) {
        context.reply.integer(static_cast<std::int64_t>(grown.size()));
        return {};
    }
    const auto start = static_cast<std::uint64_t>(offset);
    if (start > limits::value_bytes_max || start + patch.size() > limits::value_bytes_max) {
        context.reply.error(error_text::string_too_long);
        return {};
    }
    grown.resize(std::max<std::size_t>(grown.size(), start + patch.size()), '\0');
    grown.replace(start, patch.size(), patch);
    return store_grown(context, std::move(grown));
}

Result<void> strlen_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<Bytes> value,
                 operations::string_get(context.txn(), context.argument(1)));
    context.reply.integer(value ? static_cast<std::int64_t>(value->size()) : 0);
    return {};
}

Result<void> getrange_command(CommandContext& context) {
    SYNCLINE_TRY(std::int64_t start, integer_argument(context.argument(2)));
    SYNCLINE_TRY(std::int64_t end, integer_argument(context.argument(3)));
    SYNCLINE_TRY(const std::optional<Bytes> value,
                 operations::string_get(context.txn(), context.argument(1)));
    const auto size = value ? static_cast<std::int64_t>(value->size()) : 0;
    const bool backwards = start < 0 && end < 0 && start > end;
    if (start < 0) start = std::max<std::int64_t>(start + size, 0);
    if (end < 0) end = std::max<std::int64_t>(end + size, 0);
    end = std::min(end, size - 1);
    if (backwards || start > end || size == 0) {
        context.reply.bulk("");
        return {};
    }
    context.reply.bulk(BytesView(*value).substr(static_cast<std::size_t>(start),
                                                static_cast<std::size_t>(end - start + 1)));
    return {};
}

Result<void> increment_by(CommandContext& context, std::int64_t amount) {
    SYNCLINE_TRY(const std::int64_t after,
                 operations::string_increment(context.txn(), context.argument(1), amount));
    context.reply.integer(after);
    return {};
}

Result<void> incr_command(CommandContext& context) {
    return increment_by(context, 1);
}

Result<void> decr_command(CommandContext& context) {
    return increment_by(context, -1);
}

Result<void> incrby_command(CommandContext& context) {
    SYNCLINE_TRY(const std::int64_t amount, integer_argument(context.argument(2)));
    return increment_by(context, amount);
}

Result<void> decrby_command(CommandContext& context) {
    SYNCLINE_TRY(const std::int64_t amount, integer_argument(context.argument(2)));
    if (amount == INT64_MIN) {
        context.reply.error("ERR decrement would overflow");
        return {};
    }
    return increment_by(context, -amount);
}

Result<void> incrbyfloat_command(CommandContext& context) {
    const std::optional<Decimal> amount =
        decimal_argument(context.reply, context.argument(2), error_text::float_infinite);
    if (!amount) return {};
    const Result<Bytes> after =
        operations::string_increment(context.txn(), context.argument(1), *amount);
    return reply_decimal(context.reply, after, error_text::not_float);
}

constexpr BytesView group = "string";
constexpr KeyPositions one_key{1, 1, 1};
constexpr unsigned grows = flag::write | flag::denyoom;

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"append", 3, grows | flag::fast, one_key, group, "2.0.0", "O(N) with N the new length",
     "Appends to a string, as a write of the whole value", append_command, {}},
    {"decr", 2, grows | flag::fast, one_key, group, "1.0.0", "O(1)",
     "Subtracts one from a counter", decr_command, {}},
    {"decrby", 3, grows | flag::fast, one_key, group, "1.0.0", "O(1)",
     "Subtracts a number from a counter", decrby_command, {}},
    {"get", 2, flag::readonly | flag::fast, one_key, group, "1.0.0", "O(1)",
     "Returns the value of a string or counter", get_command, {}},
    {"getdel", 2, flag::write | flag::fast, one_key, group, "6.2.0", "O(1)",
     "Returns a string and deletes its key", getdel_command, {}},
    {"getrange", 4, flag::readonly, one_key, group, "2.4.0", "O(N) with N the length",
     "Returns a part of a string", getrange_command, {}},
    {"getset", 3, grows | flag::fast, one_key, group, "1.0.0", "O(1)",
     "Sets a string and returns what was there", getset_command, {}},
    {"incr", 2, grows | flag::fast, one_key, group, "1.0.0", "O(1)",
     "Adds one to a counter; concurrent additions add up", incr_command, {}},
    {"incrbyfloat", 3, grows | flag::fast, one_key, group, "2.6.0", "O(1)",
     "Adds a decimal number to a counter, exactly", incrbyfloat_command, {}},
    {"incrby", 3, grows | flag::fast, one_key, group, "1.0.0", "O(1)",
     "Adds a number to a counter; concurrent additions add up", incrby_command, {}},
    {"mget", -2, flag::readonly | flag::fast, {1, -1, 1}, group, "1.0.0", "O(N) with N keys",
     "Returns the values of several strings", mget_command, {}},
    {"mset", -3, grows, {1, -1, 2}, group, "1.0.1", "O(N) with N keys",
     "Sets several strings in one transaction", mset_command, {}},
    {"msetnx", -3, grows, {1, -1, 2}, group, "1.0.1", "O(N) with N keys",
     "Sets several strings if none of the keys exists here", msetnx_command, {}},
    {"set", -3, grows, one_key, group, "1.0.0", "O(1)",
     "Sets a string; replaces a value of any type", set_command, {}},
    {"setnx", 3, grows | flag::fast, one_key, group, "1.0.0", "O(1)",
     "Sets a string if the key does not exist here", setnx_command, {}},
    {"setrange", 4, grows, one_key, group, "2.2.0", "O(N) with N the length",
     "Overwrites a part of a string, as a write of the whole value", setrange_command, {}},
    {"strlen", 2, flag::readonly | flag::fast, one_key, group, "2.2.0", "O(1)",
     "Returns the length of a string", strlen_command, {}},
    {"substr", 4, flag::readonly, one_key, group, "1.0.0", "O(N) with N the length",
     "Returns a part of a string; the old name of GETRANGE", getrange_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> string_commands() {
    return commands;
}

}  // namespace syncline
