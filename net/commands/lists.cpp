// Lists. Elements keep their places in an order that all replicas share: crdt/position.hpp.
#include <limits>

#include "core/engine/operations.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/list_ends.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;
using operations::ListEnd;

constexpr auto front = ListEnd::front;
constexpr auto back = ListEnd::back;

Result<std::int64_t> length_of(CommandContext& context, BytesView key) {
    SYNCLINE_TRY(const std::uint64_t length, operations::count(context.txn(), key, CellType::list));
    return static_cast<std::int64_t>(length);
}

void reply_values(RespWriter& reply, const std::vector<Bytes>& values) {
    reply.array(values.size());
    for (const Bytes& value : values) reply.bulk(value);
}

void reply_first(RespWriter& reply, const std::vector<Bytes>& values) {
    reply_bulk_or_null(reply, values.empty() ? std::nullopt : std::optional(values.front()));
}

// --- Pushes and pops

template <ListEnd end, bool only_present>
Result<void> push_command(CommandContext& context) {
    const Bytes& key = context.argument(1);
    std::vector<Bytes> values;
    for (std::size_t i = 2; i < context.count(); ++i) {
        SYNCLINE_CHECK(check_value_size(context.argument(i)));
        values.push_back(context.argument(i));
    }
    if (only_present) {
        SYNCLINE_TRY(const std::int64_t length, length_of(context, key));
        if (length == 0) {
            context.reply.integer(0);
            return {};
        }
    }
    SYNCLINE_TRY(const std::uint64_t length,
                 operations::list_push(context.txn(), key, end, std::move(values)));
    context.reply.integer(static_cast<std::int64_t>(length));
    return {};
}

template <ListEnd end>
Result<void> pop_command(CommandContext& context) {
    if (context.count() > 3) {
        reply_wrong_arity(context.reply, end == front ? "lpop" : "rpop");
        return {};
    }
    const Bytes& key = context.argument(1);
    const bool counted = context.count() == 3;
    const std::optional<std::size_t> wanted = pop_count(context);
    if (!wanted) return {};
    if (counted) {
        SYNCLINE_TRY(const std::int64_t length, length_of(context, key));
        if (length == 0) {
            context.reply.null_array();
            return {};
        }
    }
    SYNCLINE_TRY(const std::vector<Bytes> values,
                 operations::list_pop(context.txn(), key, end, *wanted));
    if (counted) {
        reply_values(context.reply, values);
    } else {
        reply_first(context.reply, values);
    }
    return {};
}

/// Takes an element off one list and puts it on another, in one transaction.
Result<void> move_element(CommandContext& context, ListEnd from, ListEnd to) {
    const Bytes& source = context.argument(1);
    const Bytes& target = context.argument(2);
    SYNCLINE_TRY(const std::int64_t length, length_of(context, source));
    if (length > 0) SYNCLINE_CHECK(length_of(context, target));  // for its type
    SYNCLINE_TRY(const std::optional<Bytes> value,
                 operations::list_move(context.txn(), source, from, target, to));
    value ? context.reply.bulk(*value) : context.reply.null();
    return {};
}

Result<void> rpoplpush_command(CommandContext& context) {
    return move_element(context, back, front);
}

Result<void> lmove_command(CommandContext& context) {
    const std::optional<ListEnd> from = end_argument(context.reply, context.argument(3));
    if (!from) return {};
    const std::optional<ListEnd> to = end_argument(context.reply, context.argument(4));
    if (!to) return {};
    return move_element(context, *from, *to);
}

Result<void> lmpop_command(CommandContext& context) {
    const std::optional<std::size_t> end_index = end_of_pop_keys(context);
    if (!end_index) return {};
    const std::optional<ListEnd> end = end_argument(context.reply, context.argument(*end_index));
    if (!end) return {};
    const std::optional<std::size_t> count = pop_count_option(context, *end_index + 1);
    if (!count) return {};
    for (std::size_t i = 2; i < *end_index; ++i) {
        SYNCLINE_TRY(const std::vector<Bytes> values,
                     operations::list_pop(context.txn(), context.argument(i), *end, *count));
        if (values.empty()) continue;
        context.reply.array(2);
        context.reply.bulk(context.argument(i));
        reply_values(context.reply, values);
        return {};
    }
    context.reply.null_array();
    return {};
}

// --- Single elements and ranges

Result<void> llen_command(CommandContext& context) {
    SYNCLINE_TRY(const std::int64_t length, length_of(context, context.argument(1)));
    context.reply.integer(length);
    return {};
}

Result<void> lindex_command(CommandContext& context) {
    SYNCLINE_TRY(const std::int64_t length, length_of(context, context.argument(1)));
    if (length == 0) {
        context.reply.null();
        return {};
    }
    SYNCLINE_TRY(const std::int64_t index, integer_argument(context.argument(2)));
    SYNCLINE_TRY(const std::optional<Bytes> value,
                 operations::list_get(context.txn(), context.argument(1), index));
    reply_bulk_or_null(context.reply, value);
    return {};
}

Result<void> lrange_command(CommandContext& context) {
    SYNCLINE_TRY(const std::int64_t first, integer_argument(context.argument(2)));
    SYNCLINE_TRY(const std::int64_t last, integer_argument(context.argument(3)));
    SYNCLINE_TRY(const std::vector<Bytes> values,
                 operations::list_range(context.txn(), context.argument(1), first, last));
    reply_values(context.reply, values);
    return {};
}

Result<void> ltrim_command(CommandContext& context) {
    SYNCLINE_TRY(const std::int64_t first, integer_argument(context.argument(2)));
    SYNCLINE_TRY(const std::int64_t last, integer_argument(context.argument(3)));
    SYNCLINE_CHECK(operations::list_trim(context.txn(), context.argument(1), first, last));
    context.reply.simple("OK");
    return {};
}

Result<void> lset_command(CommandContext& context) {
    SYNCLINE_TRY(const std::int64_t length, length_of(context, context.argument(1)));
    if (length == 0) {
        context.reply.error("ERR no such key");
        return {};
    }
    SYNCLINE_TRY(const std::int64_t index, integer_argument(context.argument(2)));
    const Result<void> done =
        operations::list_set(context.txn(), context.argument(1), index, context.argument(3));
    if (!done && done.error().code == Code::invalid_argument) {
        context.reply.error("ERR index out of range");
        return {};
    }
    SYNCLINE_CHECK(done);
    context.reply.simple("OK");
    return {};
}

Result<void> linsert_command(CommandContext& context) {
    const bool before = equal_nocase(context.argument(2), "before");
    if (!before && !equal_nocase(context.argument(2), "after")) {
        context.reply.error(error_text::syntax);
        return {};
    }
    SYNCLINE_TRY(const std::int64_t length, length_of(context, context.argument(1)));
    if (length == 0) {
        context.reply.integer(0);
        return {};
    }
    SYNCLINE_TRY(const std::optional<std::uint64_t> after,
                 operations::list_insert(context.txn(), context.argument(1), before,
                                         context.argument(3), context.argument(4)));
    context.reply.integer(after ? static_cast<std::int64_t>(*after) : -1);
    return {};
}

Result<void> lrem_command(CommandContext& context) {
    SYNCLINE_TRY(const std::int64_t count, integer_argument(context.argument(2)));
    SYNCLINE_TRY(
        const std::uint64_t removed,
        operations::list_remove(context.txn(), context.argument(1), count, context.argument(3)));
    context.reply.integer(static_cast<std::int64_t>(removed));
    return {};
}

// --- LPOS

struct FindOptions {
    std::int64_t rank = 1;
    std::optional<std::int64_t> count;
    std::int64_t length = 0;  ///< elements to look at; 0: all
};

constexpr BytesView rank_zero =
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use "
    "negative to start from the end of the list";

/// Nothing: an error was replied.
Result<std::optional<FindOptions>> parse_find(CommandContext& context) {
    FindOptions options;
    const auto refuse = [&](BytesView text) {
        context.reply.error(text);
        return std::optional<FindOptions>();
    };
    for (std::size_t i = 3; i < context.count(); i += 2) {
        if (i + 1 == context.count()) return refuse(error_text::syntax);
        const Bytes& name = context.argument(i);
        const bool known = equal_nocase(name, "rank") || equal_nocase(name, "count") ||
                           equal_nocase(name, "maxlen");
        if (!known) return refuse(error_text::syntax);
        const std::optional<std::int64_t> number = parse_integer(context.argument(i + 1));
        if (equal_nocase(name, "rank")) {
            if (!number) return refuse(error_text::not_integer);
            if (*number == 0) return refuse(rank_zero);
            if (*number == std::numeric_limits<std::int64_t>::min()) {
                return refuse("ERR value is out of range");
            }
            options.rank = *number;
        } else if (equal_nocase(name, "count")) {
            if (!number || *number < 0) return refuse("ERR COUNT can't be negative");
            options.count = number;
        } else {
            if (!number || *number < 0) return refuse("ERR MAXLEN can't be negative");
            options.length = *number;
        }
    }
    return std::optional(options);
}

Result<void> lpos_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<FindOptions> options, parse_find(context));
    if (!options) return {};
    SYNCLINE_TRY(const std::int64_t length, length_of(context, context.argument(1)));
    const bool backward = options->rank < 0;
    std::int64_t to_skip = (backward ? -options->rank : options->rank) - 1;
    std::vector<std::int64_t> places;
    std::int64_t looked = 0;
    const std::int64_t wanted = options->count.value_or(1);
    const auto visit = [&](BytesView value) {
        const std::int64_t place = backward ? length - 1 - looked : looked;
        ++looked;
        if (value == context.argument(2) && --to_skip < 0) places.push_back(place);
        const bool enough = wanted > 0 && std::ssize(places) == wanted;
        return !enough && looked != options->length;
    };
    SYNCLINE_CHECK(
        operations::list_scan(context.txn(), context.argument(1), backward ? back : front, visit));
    if (options->count) {
        context.reply.array(places.size());
        for (const std::int64_t place : places) context.reply.integer(place);
    } else if (places.empty()) {
        context.reply.null();
    } else {
        context.reply.integer(places.front());
    }
    return {};
}

constexpr BytesView group = "list";
constexpr KeyPositions one_key{1, 1, 1};
constexpr unsigned grows = flag::write | flag::denyoom | flag::fast;
constexpr BytesView to_element =
    "O(1) near an end; inside O(N) with N elements once, and then O(N / 128)";

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"lindex", 3, flag::readonly, one_key, group, "1.0.0", to_element, "Returns an element",
     lindex_command, {}},
    {"linsert", 5, flag::write | flag::denyoom, one_key, group, "2.2.0", "O(N) with N elements",
     "Puts an element beside another", linsert_command, {}},
    {"llen", 2, flag::readonly | flag::fast, one_key, group, "1.0.0", "O(1)",
     "Returns the number of elements", llen_command, {}},
    {"lmove", 5, flag::write | flag::denyoom, {1, 2, 1}, group, "6.2.0", "O(1)",
     "Moves an element in one transaction; another replica may move the same one", lmove_command,
     {}},
    {"lmpop", -4, flag::write, {0, 0, 0, 1}, group, "7.0.0", "O(N + M) with N keys and M elements",
     "Removes elements of the first list that has any; another replica may pop the same ones",
     lmpop_command, {}},
    {"lpop", -2, flag::write | flag::fast, one_key, group, "1.0.0", "O(N) with N elements popped",
     "Removes the first elements; another replica may pop the same ones", pop_command<front>, {}},
    {"lpos", -3, flag::readonly, one_key, group, "6.0.6", "O(N) with N elements",
     "Finds elements by their value", lpos_command, {}},
    {"lpush", -3, grows, one_key, group, "1.0.0", "O(N) with N values",
     "Puts values in front; those of one command stay together", push_command<front, false>, {}},
    {"lpushx", -3, grows, one_key, group, "2.2.0", "O(N) with N values",
     "Puts values in front of a list that exists here", push_command<front, true>, {}},
    {"lrange", 4, flag::readonly, one_key, group, "1.0.0",
     "O(S + N) with S as for LINDEX and N elements in the range", "Returns elements",
     lrange_command, {}},
    {"lrem", 4, flag::write, one_key, group, "1.0.0", "O(N) with N elements",
     "Removes elements by their value; a concurrent LSET of one wins", lrem_command, {}},
    {"lset", 4, flag::write | flag::denyoom, one_key, group, "1.0.0", to_element,
     "Replaces an element; of concurrent values the last one wins", lset_command, {}},
    {"ltrim", 4, flag::write, one_key, group, "1.0.0", "O(N) with N elements removed",
     "Removes elements but those in a range", ltrim_command, {}},
    {"rpop", -2, flag::write | flag::fast, one_key, group, "1.0.0", "O(N) with N elements popped",
     "Removes the last elements; another replica may pop the same ones", pop_command<back>, {}},
    {"rpoplpush", 3, flag::write | flag::denyoom, {1, 2, 1}, group, "1.2.0", "O(1)",
     "Moves the last element to the front of a list", rpoplpush_command, {}},
    {"rpush", -3, grows, one_key, group, "1.0.0", "O(N) with N values",
     "Puts values at the end; those of one command stay together", push_command<back, false>, {}},
    {"rpushx", -3, grows, one_key, group, "2.2.0", "O(N) with N values",
     "Puts values at the end of a list that exists here", push_command<back, true>, {}},
};
// clang-format on

}  // namespace

std::span<const Command> list_commands() {
    return commands;
}

}  // namespace syncline
