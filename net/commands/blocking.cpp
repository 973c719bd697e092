// Pops that wait until one of their keys has something for them. A client that waits is parked, and
// its command runs again, whole, when an event has changed one of the keys; KeyInterest knows
// which. Those who wait for one key are served in the order in which they came, at this replica.
#include <algorithm>
#include <cmath>

#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/list_ends.hpp"
#include "net/commands/sorted_members.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;
using operations::ListEnd;

/// Milliseconds, 0 for ever, of seconds with decimals. Nothing: the reply says what is wrong.
std::optional<std::uint64_t> timeout_argument(CommandContext& context, BytesView text) {
    constexpr double timeout_ms_max = 9223372036854775807.0;
    const std::optional<double> seconds = parse_score(text);
    if (!seconds) {
        context.reply.error("ERR timeout is not a float or out of range");
    } else if (*seconds * 1000 >= timeout_ms_max) {
        context.reply.error("ERR timeout is out of range");
    } else if (*seconds < 0) {
        context.reply.error("ERR timeout is negative");
    } else {
        return static_cast<std::uint64_t>(std::ceil(*seconds * 1000));
    }
    return std::nullopt;
}

/// Whether something can be popped. A key of another type is an error for who asks, and passed by
/// for who waits.
Result<bool> has_elements(CommandContext& context, BytesView key, CellType type) {
    SYNCLINE_TRY(const std::optional<CellType> seen, context.txn().visible_type(key));
    if (!seen) return false;
    if (*seen == type) return true;
    if (context.resumed) return false;
    return Error{Code::wrong_type, "the key holds another type"};
}

/// The client is parked, if it is not yet, until the command can be tried again.
void wait_for(CommandContext& context, std::span<const Bytes> keys, std::uint64_t timeout_ms) {
    if (context.resumed) return;
    ClientState::Blocked wait;
    wait.arguments = context.arguments;
    wait.keys.assign(keys.begin(), keys.end());
    std::sort(wait.keys.begin(), wait.keys.end());
    wait.keys.erase(std::unique(wait.keys.begin(), wait.keys.end()), wait.keys.end());
    if (timeout_ms > 0) {
        wait.deadline_ms = context.host.env().clock.steady_ms() + timeout_ms;
    }
    context.client.blocked = std::move(wait);
    context.client.parked = true;
}

/// Pops from the first of the keys that has anything. `pop` writes the reply.
template <typename Pop>
Result<void> pop_or_wait(CommandContext& context, std::span<const Bytes> keys, CellType type,
                         std::uint64_t timeout_ms, const Pop& pop) {
    for (const Bytes& key : keys) {
        SYNCLINE_TRY(const bool ready, has_elements(context, key, type));
        if (ready) return pop(key);
    }
    if (context.in_exec) {
        context.reply.null_array();
    } else {
        wait_for(context, keys, timeout_ms);
    }
    return {};
}

// --- Lists

template <ListEnd end>
Result<void> list_pop_command(CommandContext& context) {
    const std::optional<std::uint64_t> timeout_ms =
        timeout_argument(context, context.arguments.back());
    if (!timeout_ms) return {};
    const std::span<const Bytes> keys(&context.argument(1), context.count() - 2);
    const auto pop = [&](const Bytes& key) -> Result<void> {
        SYNCLINE_TRY(const std::vector<Bytes> values,
                     operations::list_pop(context.txn(), key, end, 1));
        context.reply.array(2);
        context.reply.bulk(key);
        context.reply.bulk(values.at(0));
        return {};
    };
    return pop_or_wait(context, keys, CellType::list, *timeout_ms, pop);
}

Result<void> move_or_wait(CommandContext& context, ListEnd from, ListEnd to, BytesView timeout) {
    const std::optional<std::uint64_t> timeout_ms = timeout_argument(context, timeout);
    if (!timeout_ms) return {};
    const Bytes& source = context.argument(1);
    const Bytes& target = context.argument(2);
    SYNCLINE_TRY(const bool ready, has_elements(context, source, CellType::list));
    if (ready) {
        // For its type.
        SYNCLINE_CHECK(operations::count(context.txn(), target, CellType::list));
        SYNCLINE_TRY(const std::optional<Bytes> value,
                     operations::list_move(context.txn(), source, from, target, to));
        reply_bulk_or_null(context.reply, value);
    } else if (context.in_exec) {
        context.reply.null();
    } else {
        wait_for(context, {&source, 1}, *timeout_ms);
    }
    return {};
}

Result<void> brpoplpush_command(CommandContext& context) {
    return move_or_wait(context, ListEnd::back, ListEnd::front, context.argument(3));
}

Result<void> blmove_command(CommandContext& context) {
    const std::optional<ListEnd> from = end_argument(context.reply, context.argument(3));
    if (!from) return {};
    const std::optional<ListEnd> to = end_argument(context.reply, context.argument(4));
    if (!to) return {};
    return move_or_wait(context, *from, *to, context.argument(5));
}

/// `timeout numkeys key... END [COUNT n]`.
struct PopOfMany {
    std::uint64_t timeout_ms = 0;
    std::span<const Bytes> keys;
    Bytes end;
    std::size_t count = 1;
};

/// Nothing: the reply says what is wrong. `ends`: the two words that may stand behind the keys.
std::optional<PopOfMany> parse_pop_of_many(CommandContext& context,
                                           const std::array<BytesView, 2>& ends) {
    PopOfMany request;
    const std::optional<std::uint64_t> timeout_ms = timeout_argument(context, context.argument(1));
    if (!timeout_ms) return std::nullopt;
    request.timeout_ms = *timeout_ms;
    const std::optional<std::size_t> end = end_of_pop_keys(context, 2);
    if (!end) return std::nullopt;
    request.keys = std::span<const Bytes>(&context.argument(3), *end - 3);
    request.end = lower(context.argument(*end));
    if (request.end != ends[0] && request.end != ends[1]) {
        context.reply.error(error_text::syntax);
        return std::nullopt;
    }
    const std::optional<std::size_t> count = pop_count_option(context, *end + 1);
    if (!count) return std::nullopt;
    request.count = *count;
    return request;
}

Result<void> blmpop_command(CommandContext& context) {
    const std::optional<PopOfMany> request = parse_pop_of_many(context, {"left", "right"});
    if (!request) return {};
    const ListEnd end = request->end == "left" ? ListEnd::front : ListEnd::back;
    const auto pop = [&](const Bytes& key) -> Result<void> {
        SYNCLINE_TRY(const std::vector<Bytes> values,
                     operations::list_pop(context.txn(), key, end, request->count));
        context.reply.array(2);
        context.reply.bulk(key);
        context.reply.array(values.size());
        for (const Bytes& value : values) context.reply.bulk(value);
        return {};
    };
    return pop_or_wait(context, request->keys, CellType::list, request->timeout_ms, pop);
}

// --- Sorted sets

template <WalkOrder walk>
Result<void> sorted_pop_command(CommandContext& context) {
    const std::optional<std::uint64_t> timeout_ms =
        timeout_argument(context, context.arguments.back());
    if (!timeout_ms) return {};
    const std::span<const Bytes> keys(&context.argument(1), context.count() - 2);
    const auto pop = [&](const Bytes& key) -> Result<void> {
        SYNCLINE_TRY(const Members members, take_members(context.txn(), key, walk, 1));
        context.reply.array(3);
        context.reply.bulk(key);
        context.reply.bulk(members.at(0).name);
        context.reply.real(members.at(0).score);
        return {};
    };
    return pop_or_wait(context, keys, CellType::sorted_set, *timeout_ms, pop);
}

Result<void> bzmpop_command(CommandContext& context) {
    const std::optional<PopOfMany> request = parse_pop_of_many(context, {"min", "max"});
    if (!request) return {};
    const WalkOrder walk = request->end == "min" ? WalkOrder::ascending : WalkOrder::descending;
    const auto pop = [&](const Bytes& key) -> Result<void> {
        SYNCLINE_TRY(const Members members, take_members(context.txn(), key, walk, request->count));
        context.reply.array(2);
        context.reply.bulk(key);
        context.reply.array(members.size());
        for (const Member& member : members) reply_member(context.reply, member);
        return {};
    };
    return pop_or_wait(context, request->keys, CellType::sorted_set, request->timeout_ms, pop);
}

constexpr BytesView lists = "list";
constexpr BytesView sorted_sets = "sorted-set";
constexpr KeyPositions two_keys{1, 2, 1};
constexpr KeyPositions but_last{1, -2, 1};
constexpr KeyPositions counted{0, 0, 0, 2};
constexpr unsigned pops = flag::write | flag::blocking;
constexpr unsigned moves = pops | flag::denyoom;
constexpr BytesView per_key = "O(N) with N keys";
constexpr BytesView per_element = "O(N + M) with N keys and M elements";

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"blmove", 6, moves, two_keys, lists, "6.2.0", "O(1)",
     "LMOVE that waits for an element; another replica may move the same one", blmove_command, {}},
    {"blmpop", -5, pops, counted, lists, "7.0.0", per_element,
     "LMPOP that waits for an element; another replica may pop the same ones", blmpop_command, {}},
    {"blpop", -3, pops, but_last, lists, "2.0.0", per_key,
     "Removes the first element of the first list that has one, and waits for it; another replica "
     "may pop the same one", list_pop_command<ListEnd::front>, {}},
    {"brpop", -3, pops, but_last, lists, "2.0.0", per_key,
     "Removes the last element of the first list that has one, and waits for it; another replica "
     "may pop the same one", list_pop_command<ListEnd::back>, {}},
    {"brpoplpush", 4, moves, two_keys, lists, "2.2.0", "O(1)",
     "RPOPLPUSH that waits for an element; another replica may move the same one",
     brpoplpush_command, {}},
    {"bzmpop", -5, pops, counted, sorted_sets, "7.0.0",
     "O(K + M log N) with K keys, N members and M of them popped",
     "ZMPOP that waits for a member; another replica may pop the same ones", bzmpop_command, {}},
    {"bzpopmax", -3, pops | flag::fast, but_last, sorted_sets, "5.0.0", per_key,
     "Removes the member with the largest score of the first set that has one, and waits for it",
     sorted_pop_command<WalkOrder::descending>, {}},
    {"bzpopmin", -3, pops | flag::fast, but_last, sorted_sets, "5.0.0", per_key,
     "Removes the member with the smallest score of the first set that has one, and waits for it",
     sorted_pop_command<WalkOrder::ascending>, {}},
};
// clang-format on

}  // namespace

std::span<const Command> blocking_commands() {
    return commands;
}

}  // namespace syncline
