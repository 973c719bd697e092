// When keys end: crdt/expiry.hpp. Times are those of the replica that is asked.
#include "net/commands/expiry.hpp"

#include <algorithm>
#include <limits>

#include "core/engine/operations.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

constexpr std::int64_t ms_max = std::numeric_limits<std::int64_t>::max();

std::int64_t now_of(CommandContext& context) {
    return static_cast<std::int64_t>(context.txn().now_ms());
}

// --- EXPIRE and its kin

struct ExpireOptions {
    bool only_without = false;
    bool only_with = false;
    bool greater = false;
    bool less = false;

    bool take(BytesView text) {
        if (equal_nocase(text, "nx")) return only_without = true;
        if (equal_nocase(text, "xx")) return only_with = true;
        if (equal_nocase(text, "gt")) return greater = true;
        if (equal_nocase(text, "lt")) return less = true;
        return false;
    }
    [[nodiscard]] BytesView objection() const {
        if (only_without && (only_with || greater || less)) {
            return "ERR NX and XX, GT or LT options at the same time are not compatible";
        }
        if (greater && less) {
            return "ERR GT and LT options at the same time are not compatible";
        }
        return {};
    }
    /// Decided by the deadline that is seen here; one that is missing is later than all.
    [[nodiscard]] bool allow(std::optional<std::uint64_t> present, std::uint64_t wanted) const {
        if (present ? only_without : only_with) return false;
        if (greater && (!present || wanted <= *present)) return false;
        return !(less && present && wanted >= *present);
    }
};

/// Nothing, and the error is written: the options are none.
std::optional<ExpireOptions> parse_options(CommandContext& context) {
    ExpireOptions options;
    for (std::size_t i = 3; i < context.count(); ++i) {
        if (options.take(context.argument(i))) continue;
        context.reply.error("ERR Unsupported option " + context.argument(i));
        return std::nullopt;
    }
    if (options.objection().empty()) return options;
    context.reply.error(options.objection());
    return std::nullopt;
}

template <TimeUnit unit, TimeOrigin origin>
Result<void> expire_command(CommandContext& context) {
    const std::optional<ExpireOptions> options = parse_options(context);
    if (!options) return {};
    SYNCLINE_TRY(const std::int64_t number, integer_argument(context.argument(2)));
    const std::optional<std::int64_t> deadline =
        deadline_from(number, unit, origin, now_of(context));
    if (!deadline) {
        reply_bad_time(context);
        return {};
    }
    const Bytes& key = context.argument(1);
    SYNCLINE_TRY(const std::optional<std::uint64_t> present,
                 operations::key_deadline(context.txn(), key));
    const auto wanted = static_cast<std::uint64_t>(std::max<std::int64_t>(*deadline, 0));
    bool done = options->allow(present, wanted);
    if (done) {
        SYNCLINE_TRY(done, operations::key_expire(context.txn(), key, wanted));
    }
    context.reply.integer(done ? 1 : 0);
    return {};
}

Result<void> persist_command(CommandContext& context) {
    SYNCLINE_TRY(const bool done, operations::key_persist(context.txn(), context.argument(1)));
    context.reply.integer(done ? 1 : 0);
    return {};
}

// --- TTL and its kin

template <TimeUnit unit, TimeOrigin origin>
Result<void> ttl_command(CommandContext& context) {
    const Bytes& key = context.argument(1);
    SYNCLINE_TRY(const std::optional<CellType> type, context.txn().visible_type(key));
    SYNCLINE_TRY(const std::optional<std::uint64_t> deadline,
                 operations::key_deadline(context.txn(), key));
    if (!deadline) {
        context.reply.integer(type ? -1 : -2);
        return {};
    }
    auto ms = static_cast<std::int64_t>(*deadline);
    if (origin == TimeOrigin::now) ms -= now_of(context);
    const std::int64_t rounded = ms / 1000 + (ms % 1000 >= 500 ? 1 : 0);
    context.reply.integer(unit == TimeUnit::seconds ? rounded : ms);
    return {};
}

// --- SETEX, GETEX

template <TimeUnit unit>
Result<void> setex_command(CommandContext& context) {
    SYNCLINE_TRY(const std::int64_t number, integer_argument(context.argument(2)));
    const std::optional<std::int64_t> deadline =
        deadline_from(number, unit, TimeOrigin::now, now_of(context));
    if (number <= 0 || !deadline) {
        reply_bad_time(context);
        return {};
    }
    const Bytes& key = context.argument(1);
    SYNCLINE_CHECK(operations::string_set(context.txn(), key, context.argument(3)));
    SYNCLINE_CHECK(
        operations::key_expire(context.txn(), key, static_cast<std::uint64_t>(*deadline)));
    context.reply.simple("OK");
    return {};
}

Result<void> getex_command(CommandContext& context) {
    const bool persist = context.count() == 3 && equal_nocase(context.argument(2), "persist");
    std::optional<TimeOption> option;
    if (context.count() == 4) option = time_option(context.argument(2));
    if (context.count() != 2 && !persist && !option) {
        context.reply.error(error_text::syntax);
        return {};
    }
    const Bytes& key = context.argument(1);
    std::optional<std::int64_t> deadline;
    SYNCLINE_TRY(const std::optional<Bytes> value, operations::string_get(context.txn(), key));
    if (option && value) {
        SYNCLINE_TRY(const std::int64_t number, integer_argument(context.argument(3)));
        deadline = deadline_from(number, option->unit, option->origin, now_of(context));
        if (number <= 0 || !deadline) {
            reply_bad_time(context);
            return {};
        }
    }
    if (!value) {
        context.reply.null();
        return {};
    }
    if (persist) SYNCLINE_CHECK(operations::key_persist(context.txn(), key));
    if (deadline) {
        SYNCLINE_CHECK(
            operations::key_expire(context.txn(), key, static_cast<std::uint64_t>(*deadline)));
    }
    context.reply.bulk(*value);
    return {};
}

constexpr auto seconds = TimeUnit::seconds;
constexpr auto milliseconds = TimeUnit::milliseconds;
constexpr auto from_now = TimeOrigin::now;
constexpr auto absolute = TimeOrigin::epoch;

constexpr BytesView generic = "generic";
constexpr BytesView string = "string";
constexpr KeyPositions one_key{1, 1, 1};
constexpr unsigned writes = flag::write | flag::fast;
constexpr unsigned reads = flag::readonly | flag::fast;

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"expire", -3, writes, one_key, generic, "1.0.0", "O(1)",
     "Lets a key end in some seconds; of concurrent deadlines the latest counts",
     expire_command<seconds, from_now>, {}},
    {"expireat", -3, writes, one_key, generic, "1.2.0", "O(1)",
     "Lets a key end at a time in seconds", expire_command<seconds, absolute>, {}},
    {"expiretime", 2, reads, one_key, generic, "7.0.0", "O(1)",
     "Returns when a key ends, in seconds", ttl_command<seconds, absolute>, {}},
    {"getex", -2, writes, one_key, string, "6.2.0", "O(1)",
     "Returns a string and changes when its key ends", getex_command, {}},
    {"persist", 2, writes, one_key, generic, "2.2.0", "O(1)",
     "Lets a key stay for ever, whatever deadlines others give it meanwhile", persist_command, {}},
    {"pexpire", -3, writes, one_key, generic, "2.6.0", "O(1)",
     "Lets a key end in some milliseconds", expire_command<milliseconds, from_now>, {}},
    {"pexpireat", -3, writes, one_key, generic, "2.6.0", "O(1)",
     "Lets a key end at a time in milliseconds", expire_command<milliseconds, absolute>, {}},
    {"pexpiretime", 2, reads, one_key, generic, "7.0.0", "O(1)",
     "Returns when a key ends, in milliseconds", ttl_command<milliseconds, absolute>, {}},
    {"psetex", 4, flag::write | flag::denyoom, one_key, string, "2.6.0", "O(1)",
     "Sets a string that ends in some milliseconds", setex_command<milliseconds>, {}},
    {"pttl", 2, reads, one_key, generic, "2.6.0", "O(1)",
     "Returns in how many milliseconds a key ends", ttl_command<milliseconds, from_now>, {}},
    {"setex", 4, flag::write | flag::denyoom, one_key, string, "2.0.0", "O(1)",
     "Sets a string that ends in some seconds", setex_command<seconds>, {}},
    {"ttl", 2, reads, one_key, generic, "1.0.0", "O(1)",
     "Returns in how many seconds a key ends", ttl_command<seconds, from_now>, {}},
};
// clang-format on

}  // namespace

std::optional<TimeOption> time_option(BytesView name) {
    if (equal_nocase(name, "ex")) return TimeOption{seconds, from_now};
    if (equal_nocase(name, "px")) return TimeOption{milliseconds, from_now};
    if (equal_nocase(name, "exat")) return TimeOption{seconds, absolute};
    if (equal_nocase(name, "pxat")) return TimeOption{milliseconds, absolute};
    return std::nullopt;
}

std::optional<std::int64_t> deadline_from(std::int64_t number, TimeUnit unit, TimeOrigin origin,
                                          std::int64_t now_ms) {
    if (unit == TimeUnit::seconds) {
        if (number > ms_max / 1000 || number < -(ms_max / 1000)) return std::nullopt;
        number *= 1000;
    }
    if (origin == TimeOrigin::epoch) return number;
    if (number > ms_max - now_ms) return std::nullopt;
    return number + now_ms;
}

void reply_bad_time(CommandContext& context) {
    context.reply.error("ERR invalid expire time in '" + lower(context.argument(0)) + "' command");
}

std::span<const Command> expiry_commands() {
    return commands;
}

}  // namespace syncline
