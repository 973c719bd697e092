// Sorted sets. Scores of one member compete, additions beside them add up: crdt/score.hpp.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/engine/operations.hpp"
#include "crdt/score.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/draw.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/scan.hpp"
#include "net/commands/sorted_members.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

constexpr BytesView not_a_number = "ERR resulting score is not a number (NaN)";
constexpr std::size_t no_limit = ~std::size_t{0};

std::optional<double> score_argument(RespWriter& reply, BytesView text) {
    const std::optional<double> score = parse_score(text);
    if (!score) reply.error(error_text::not_float);
    return score;
}

void reply_score(RespWriter& reply, std::optional<double> score) {
    if (score) {
        reply.real(*score);
    } else {
        reply.null();
    }
}

// --- Walks

/// What a walk takes of what it meets.
struct Window {
    std::size_t skip = 0;
    std::size_t count = no_limit;
};

Result<Members> gather(Transaction& txn, BytesView key, const ScoreRange& range, WalkOrder walk,
                       Window window) {
    Members members;
    if (window.count == 0) {
        SYNCLINE_CHECK(operations::count(txn, key, CellType::sorted_set));  // for its type
        return members;
    }
    const auto visit = [&](BytesView name, double score) {
        if (window.skip > 0) {
            --window.skip;
            return true;
        }
        members.push_back(Member{Bytes(name), score});
        return members.size() < window.count;
    };
    SYNCLINE_CHECK(operations::sorted_scan(txn, key, range, walk, visit));
    return members;
}

/// By place, from the end that is nearer.
Result<Members> gather_places(Transaction& txn, BytesView key, std::int64_t first,
                              std::int64_t last, WalkOrder walk) {
    SYNCLINE_TRY(const std::uint64_t size, operations::count(txn, key, CellType::sorted_set));
    const auto end = static_cast<std::int64_t>(size);
    if (first < 0) first = std::max<std::int64_t>(first + end, 0);
    if (last < 0) last += end;
    last = std::min(last, end - 1);
    if (first > last) return Members();
    const std::int64_t behind = end - 1 - last;
    const auto count = static_cast<std::size_t>(last - first + 1);
    if (first <= behind) {
        return gather(txn, key, {}, walk, Window{static_cast<std::size_t>(first), count});
    }
    const WalkOrder back =
        walk == WalkOrder::ascending ? WalkOrder::descending : WalkOrder::ascending;
    SYNCLINE_TRY(Members members,
                 gather(txn, key, {}, back, Window{static_cast<std::size_t>(behind), count}));
    std::reverse(members.begin(), members.end());
    return members;
}

// --- Bounds

struct Bound {
    double score = 0;
    bool open = false;
};

std::optional<Bound> score_bound(BytesView text) {
    const bool open = text.starts_with('(');
    if (open) text.remove_prefix(1);
    const std::optional<double> score = parse_score(text);
    if (!score) return std::nullopt;
    return Bound{*score, open};
}

/// Nothing, and the error is written: a bound is no number.
std::optional<ScoreRange> score_range(RespWriter& reply, BytesView low, BytesView high) {
    const std::optional<Bound> min = score_bound(low);
    const std::optional<Bound> max = score_bound(high);
    if (!min || !max) {
        reply.error("ERR min or max is not a float");
        return std::nullopt;
    }
    return ScoreRange{{score_order(min->score) + (min->open ? 1 : 0), {}},
                      ScoreRange::Place{score_order(max->score) + (max->open ? 0 : 1), {}}};
}

/// A bound among members of one score. Nothing in `member`: before or behind all of them.
struct LexBound {
    std::optional<Bytes> member;
    bool open = false;
    bool behind_all = false;
};

std::optional<LexBound> lex_bound(BytesView text) {
    if (text == "-") return LexBound{};
    if (text == "+") return LexBound{std::nullopt, false, true};
    const bool open = text.starts_with('(');
    if (!open && !text.starts_with('[')) return std::nullopt;
    return LexBound{Bytes(text.substr(1)), open, false};
}

struct LexRange {
    LexBound low;
    LexBound high;
};

std::optional<LexRange> lex_range(RespWriter& reply, BytesView low, BytesView high) {
    std::optional<LexBound> min = lex_bound(low);
    std::optional<LexBound> max = lex_bound(high);
    if (min && max) return LexRange{std::move(*min), std::move(*max)};
    reply.error("ERR min or max not valid string range item");
    return std::nullopt;
}

/// Bounds among members stand for places of the first member's score: as in Redis, the scores are
/// taken to be equal.
Result<ScoreRange> places_of(Transaction& txn, BytesView key, const LexRange& range) {
    std::uint64_t order = 0;
    SYNCLINE_CHECK(
        operations::sorted_scan(txn, key, {}, WalkOrder::ascending, [&](BytesView, double score) {
            order = score_order(score);
            return false;
        }));
    ScoreRange places;
    const auto behind = [](const Bytes& member) { return member + '\0'; };
    if (range.low.behind_all) places.from = {~std::uint64_t{0}, {}};
    if (range.low.member) {
        places.from = {order, range.low.open ? behind(*range.low.member) : *range.low.member};
    }
    if (range.high.member) {
        places.to = {order, range.high.open ? *range.high.member : behind(*range.high.member)};
    } else if (!range.high.behind_all) {
        places.to = ScoreRange::Place{};
    }
    return places;
}

// --- ZADD, ZINCRBY, ZREM

struct AddOptions {
    bool only_new = false;
    bool only_present = false;
    bool greater = false;
    bool less = false;
    bool count_changed = false;
    bool increments = false;

    /// False: this is no option.
    bool take(BytesView text) {
        if (equal_nocase(text, "nx")) return only_new = true;
        if (equal_nocase(text, "xx")) return only_present = true;
        if (equal_nocase(text, "gt")) return greater = true;
        if (equal_nocase(text, "lt")) return less = true;
        if (equal_nocase(text, "ch")) return count_changed = true;
        if (equal_nocase(text, "incr")) return increments = true;
        return false;
    }
    /// What Redis says against the options, or nothing.
    [[nodiscard]] BytesView objection() const {
        if (only_new && only_present) {
            return "ERR XX and NX options at the same time are not compatible";
        }
        if ((greater && only_new) || (less && only_new) || (greater && less)) {
            return "ERR GT, LT, and/or NX options at the same time are not compatible";
        }
        return {};
    }
    /// Whether it matters what is there.
    [[nodiscard]] bool conditional() const { return only_new || only_present || greater || less; }
    /// Whether a member with this score, if it is there, gets another one.
    [[nodiscard]] bool allow(std::optional<double> before, double after) const {
        if (!before) return !only_present;
        if (only_new) return false;
        return !(greater && after <= *before) && !(less && after >= *before);
    }
};

struct Added {
    std::int64_t members = 0;
    std::int64_t changed = 0;
};

/// Sets scores as the options allow, decided by what is here.
Result<Added> add_members(Transaction& txn, BytesView key, const Members& members,
                          const AddOptions& options) {
    Added added;
    for (const Member& member : members) {
        if (options.conditional()) {
            SYNCLINE_TRY(const std::optional<double> present,
                         operations::sorted_score(txn, key, member.name));
            if (!options.allow(present, member.score)) continue;
        }
        SYNCLINE_TRY(const std::optional<double> before,
                     operations::sorted_add(txn, key, member.name, member.score));
        if (!before) ++added.members;
        if (before && *before != member.score) ++added.changed;
    }
    return added;
}

/// ZADD with INCR. Nothing: the options forbid it.
Result<std::optional<double>> add_to_member(Transaction& txn, BytesView key, const Member& member,
                                            const AddOptions& options) {
    SYNCLINE_TRY(const std::optional<double> before,
                 operations::sorted_score(txn, key, member.name));
    const double after = before.value_or(0) + member.score;
    if (!std::isnan(after) && !options.allow(before, after)) return std::optional<double>();
    SYNCLINE_TRY(const double sum,
                 operations::sorted_increment(txn, key, member.name, member.score));
    return std::optional(sum);
}

/// The pairs of score and member from argument `index` on. Nothing, and the error is written: one
/// is no pair.
Result<std::optional<Members>> parse_members(CommandContext& context, std::size_t index) {
    Members members;
    for (; index + 1 < context.count(); index += 2) {
        const std::optional<double> score = score_argument(context.reply, context.argument(index));
        if (!score) return std::optional<Members>();
        SYNCLINE_CHECK(check_key_size(context.argument(index + 1)));
        members.push_back(Member{context.argument(index + 1), *score});
    }
    return std::optional(std::move(members));
}

Result<void> reply_sum(RespWriter& reply, const Result<std::optional<double>>& sum) {
    if (sum) {
        reply_score(reply, *sum);
    } else if (sum.error().code == Code::invalid_argument) {
        reply.error(not_a_number);
    } else {
        return sum.error();
    }
    return {};
}

Result<void> zadd_command(CommandContext& context) {
    AddOptions options;
    std::size_t index = 2;
    while (index < context.count() && options.take(context.argument(index))) ++index;
    const std::size_t left = context.count() - index;
    if (left == 0 || left % 2 != 0) {
        context.reply.error(error_text::syntax);
        return {};
    }
    BytesView objection = options.objection();
    if (objection.empty() && options.increments && left > 2) {
        objection = "ERR INCR option supports a single increment-element pair";
    }
    if (!objection.empty()) {
        context.reply.error(objection);
        return {};
    }
    SYNCLINE_TRY(const std::optional<Members> members, parse_members(context, index));
    if (!members) return {};
    const Bytes& key = context.argument(1);
    if (options.increments) {
        return reply_sum(context.reply,
                         add_to_member(context.txn(), key, members->front(), options));
    }
    SYNCLINE_TRY(const Added added, add_members(context.txn(), key, *members, options));
    context.reply.integer(added.members + (options.count_changed ? added.changed : 0));
    return {};
}

Result<void> zincrby_command(CommandContext& context) {
    const std::optional<double> amount = score_argument(context.reply, context.argument(2));
    if (!amount) return {};
    SYNCLINE_CHECK(check_key_size(context.argument(3)));
    return reply_sum(context.reply, add_to_member(context.txn(), context.argument(1),
                                                  Member{context.argument(3), *amount}, {}));
}

Result<void> zrem_command(CommandContext& context) {
    std::int64_t removed = 0;
    for (std::size_t i = 2; i < context.count(); ++i) {
        SYNCLINE_TRY(
            const bool was_there,
            operations::sorted_remove(context.txn(), context.argument(1), context.argument(i)));
        if (was_there) ++removed;
    }
    context.reply.integer(removed);
    return {};
}

// --- Single members

Result<void> zscore_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<double> score,
                 operations::sorted_score(context.txn(), context.argument(1), context.argument(2)));
    reply_score(context.reply, score);
    return {};
}

Result<void> zmscore_command(CommandContext& context) {
    std::vector<std::optional<double>> scores;
    for (std::size_t i = 2; i < context.count(); ++i) {
        SYNCLINE_TRY(
            const std::optional<double> score,
            operations::sorted_score(context.txn(), context.argument(1), context.argument(i)));
        scores.push_back(score);
    }
    context.reply.array(scores.size());
    for (const std::optional<double>& score : scores) reply_score(context.reply, score);
    return {};
}

Result<void> zcard_command(CommandContext& context) {
    SYNCLINE_TRY(const std::uint64_t size,
                 operations::count(context.txn(), context.argument(1), CellType::sorted_set));
    context.reply.integer(static_cast<std::int64_t>(size));
    return {};
}

/// How many members stand before this one; nothing if it is no member.
Result<void> reply_rank(CommandContext& context, WalkOrder walk) {
    Transaction& txn = context.txn();
    const Bytes& key = context.argument(1);
    const Bytes& member = context.argument(2);
    SYNCLINE_TRY(const std::optional<double> score, operations::sorted_score(txn, key, member));
    if (!score) {
        context.reply.null();
        return {};
    }
    std::int64_t before = 0;
    SYNCLINE_CHECK(operations::sorted_scan(txn, key, {}, walk, [&](BytesView name, double) {
        if (name == member) return false;
        ++before;
        return true;
    }));
    context.reply.integer(before);
    return {};
}

Result<void> zrank_command(CommandContext& context) {
    return reply_rank(context, WalkOrder::ascending);
}

Result<void> zrevrank_command(CommandContext& context) {
    return reply_rank(context, WalkOrder::descending);
}

// --- Ranges

enum class RangeKind : std::uint8_t { by_place, by_score, by_member };

struct RangeRequest {
    RangeKind kind = RangeKind::by_place;
    WalkOrder walk = WalkOrder::ascending;
    Bytes low;  ///< of places: the first in the order of the walk
    Bytes high;
    bool with_scores = false;
    bool limited = false;
    Window window;
};

/// Takes LIMIT's two numbers. A negative offset shows nothing, a negative count all.
Result<void> take_limit(RangeRequest& request, BytesView offset, BytesView count) {
    SYNCLINE_TRY(const std::int64_t skip, integer_argument(offset));
    SYNCLINE_TRY(const std::int64_t taken, integer_argument(count));
    request.limited = taken != -1;  // as Redis, which takes -1 for no limit at all
    request.window.count = taken < 0 ? no_limit : static_cast<std::size_t>(taken);
    if (skip < 0) request.window.count = 0;
    request.window.skip = skip < 0 ? 0 : static_cast<std::size_t>(skip);
    return {};
}

/// What stands behind the bounds. False: the error is written. `any_kind`: as ZRANGE has them.
Result<bool> parse_range_options(CommandContext& context, std::size_t index, bool any_kind,
                                 RangeRequest& request) {
    const auto refuse = [&](BytesView text) {
        context.reply.error(text);
        return false;
    };
    for (; index < context.count(); ++index) {
        const Bytes& option = context.argument(index);
        if (equal_nocase(option, "withscores")) {
            request.with_scores = true;
        } else if (equal_nocase(option, "limit") && index + 2 < context.count()) {
            SYNCLINE_CHECK(
                take_limit(request, context.argument(index + 1), context.argument(index + 2)));
            index += 2;
        } else if (any_kind && equal_nocase(option, "rev")) {
            request.walk = WalkOrder::descending;
        } else if (any_kind && equal_nocase(option, "byscore")) {
            request.kind = RangeKind::by_score;
        } else if (any_kind && equal_nocase(option, "bylex")) {
            request.kind = RangeKind::by_member;
        } else {
            return refuse(error_text::syntax);
        }
    }
    if (request.limited && request.kind == RangeKind::by_place) {
        return refuse(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or "
            "BYLEX");
    }
    if (request.with_scores && request.kind == RangeKind::by_member) {
        return refuse("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
    }
    return true;
}

/// The members of a request; nothing, and the error is written: its bounds are none.
Result<std::optional<Members>> find_members(CommandContext& context, BytesView key,
                                            const RangeRequest& request) {
    Transaction& txn = context.txn();
    if (request.kind == RangeKind::by_place) {
        SYNCLINE_TRY(const std::int64_t first, integer_argument(request.low));
        SYNCLINE_TRY(const std::int64_t last, integer_argument(request.high));
        SYNCLINE_TRY(Members members, gather_places(txn, key, first, last, request.walk));
        return std::optional(std::move(members));
    }
    ScoreRange range;
    if (request.kind == RangeKind::by_score) {
        const std::optional<ScoreRange> scores =
            score_range(context.reply, request.low, request.high);
        if (!scores) return std::optional<Members>();
        range = *scores;
    } else {
        const std::optional<LexRange> members = lex_range(context.reply, request.low, request.high);
        if (!members) return std::optional<Members>();
        SYNCLINE_TRY(range, places_of(txn, key, *members));
    }
    SYNCLINE_TRY(Members members, gather(txn, key, range, request.walk, request.window));
    return std::optional(std::move(members));
}

/// Bounds from two arguments; those of scores and members are turned around when the walk is.
void set_bounds(RangeRequest& request, const Bytes& first, const Bytes& second) {
    const bool turned =
        request.kind != RangeKind::by_place && request.walk == WalkOrder::descending;
    request.low = turned ? second : first;
    request.high = turned ? first : second;
}

Result<void> reply_range(CommandContext& context, RangeRequest request, bool any_kind) {
    SYNCLINE_TRY(const bool parsed, parse_range_options(context, 4, any_kind, request));
    if (!parsed) return {};
    set_bounds(request, context.argument(2), context.argument(3));
    SYNCLINE_TRY(const std::optional<Members> members,
                 find_members(context, context.argument(1), request));
    if (members) reply_members(context.reply, *members, request.with_scores);
    return {};
}

template <RangeKind kind, WalkOrder walk, bool any_kind>
Result<void> range_command(CommandContext& context) {
    RangeRequest request;
    request.kind = kind;
    request.walk = walk;
    return reply_range(context, std::move(request), any_kind);
}

Result<void> zrangestore_command(CommandContext& context) {
    RangeRequest request;
    SYNCLINE_TRY(const bool parsed, parse_range_options(context, 5, true, request));
    if (!parsed) return {};
    if (request.with_scores) {
        context.reply.error(error_text::syntax);
        return {};
    }
    set_bounds(request, context.argument(3), context.argument(4));
    SYNCLINE_TRY(const std::optional<Members> members,
                 find_members(context, context.argument(2), request));
    if (!members) return {};
    return store_members(context, *members);
}

/// Of commands that take a key and two bounds, and no options.
Result<std::optional<Members>> members_between(CommandContext& context, RangeKind kind) {
    RangeRequest request;
    request.kind = kind;
    set_bounds(request, context.argument(2), context.argument(3));
    return find_members(context, context.argument(1), request);
}

template <RangeKind kind>
Result<void> count_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<Members> members, members_between(context, kind));
    if (members) context.reply.integer(static_cast<std::int64_t>(members->size()));
    return {};
}

template <RangeKind kind>
Result<void> remove_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<Members> members, members_between(context, kind));
    if (!members) return {};
    for (const Member& member : *members) {
        SYNCLINE_CHECK(operations::sorted_remove(context.txn(), context.argument(1), member.name));
    }
    context.reply.integer(static_cast<std::int64_t>(members->size()));
    return {};
}

// --- ZPOPMIN, ZPOPMAX, ZMPOP, ZRANDMEMBER, ZSCAN

template <WalkOrder walk>
Result<void> pop_command(CommandContext& context) {
    if (context.count() > 3) {
        context.reply.error(error_text::syntax);
        return {};
    }
    const bool counted = context.count() == 3;
    const std::optional<std::size_t> wanted = pop_count(context);
    if (!wanted) return {};
    SYNCLINE_TRY(const Members members,
                 take_members(context.txn(), context.argument(1), walk, *wanted));
    if (counted || members.empty()) {
        reply_members(context.reply, members, true);
        return {};
    }
    reply_member(context.reply, members.front());
    return {};
}

Result<void> zmpop_command(CommandContext& context) {
    const std::optional<std::size_t> end = end_of_pop_keys(context);
    if (!end) return {};
    const bool smallest = equal_nocase(context.argument(*end), "min");
    if (!smallest && !equal_nocase(context.argument(*end), "max")) {
        context.reply.error(error_text::syntax);
        return {};
    }
    const std::optional<std::size_t> count = pop_count_option(context, *end + 1);
    if (!count) return {};
    const WalkOrder walk = smallest ? WalkOrder::ascending : WalkOrder::descending;
    for (std::size_t i = 2; i < *end; ++i) {
        const Bytes& key = context.argument(i);
        SYNCLINE_TRY(const Members members, take_members(context.txn(), key, walk, *count));
        if (members.empty()) continue;
        context.reply.array(2);
        context.reply.bulk(key);
        context.reply.array(members.size());
        for (const Member& member : members) reply_member(context.reply, member);
        return {};
    }
    context.reply.null_array();
    return {};
}

Result<void> zrandmember_command(CommandContext& context) {
    const std::optional<DrawRequest> request = parse_draw(context, "withscores");
    if (!request) return {};
    SYNCLINE_TRY(Members members,
                 gather(context.txn(), context.argument(1), {}, WalkOrder::ascending, Window{}));
    const Members drawn =
        draw(std::move(members), request->count, request->again, context.host.env().random);
    if (request->counted) {
        reply_members(context.reply, drawn, request->with_values);
    } else {
        reply_bulk_or_null(context.reply,
                           drawn.empty() ? std::nullopt : std::optional(drawn[0].name));
    }
    return {};
}

Result<void> zscan_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<ScanOptions> options, parse_scan(context, 2, false));
    if (!options) return {};
    const Bytes& key = context.argument(1);
    SYNCLINE_CHECK(operations::count(context.txn(), key, CellType::sorted_set));  // for its type
    std::vector<Bytes> elements;
    const auto visit = [&](BytesView member, const Cell& cell) {
        const std::optional<double> score = score_value(cell);
        if (!score || !options->matches(member)) return true;
        elements.emplace_back(member);
        elements.push_back(fmt::format("{:.17g}", *score));
        return true;
    };
    SYNCLINE_TRY(const std::uint64_t cursor, scan_fields(context.txn(), key, CellType::sorted_set,
                                                         options->cursor, options->count, visit));
    reply_scan(context.reply, cursor, elements);
    return {};
}

constexpr auto up = WalkOrder::ascending;
constexpr auto down = WalkOrder::descending;
constexpr auto by_place = RangeKind::by_place;
constexpr auto by_score = RangeKind::by_score;
constexpr auto by_member = RangeKind::by_member;

constexpr BytesView group = "sorted-set";
constexpr KeyPositions one_key{1, 1, 1};
constexpr unsigned reads = flag::readonly;
constexpr unsigned reads_fast = flag::readonly | flag::fast;
constexpr unsigned removes = flag::write;
constexpr unsigned grows = flag::write | flag::denyoom | flag::fast;
constexpr BytesView one = "O(log N) with N members";
constexpr BytesView some = "O(log N + M) with N members, M of them in the range";

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"zadd", -4, grows, one_key, group, "1.2.0", one,
     "Sets scores; of concurrent ones the last wins, over a concurrent ZREM too", zadd_command, {}},
    {"zcard", 2, reads_fast, one_key, group, "1.2.0", "O(1)", "Returns the number of members",
     zcard_command, {}},
    {"zcount", 4, reads_fast, one_key, group, "2.0.0", some, "Counts members in a range of scores",
     count_command<by_score>, {}},
    {"zincrby", 4, grows, one_key, group, "1.2.0", one,
     "Adds to a score; concurrent additions add up, exactly", zincrby_command, {}},
    {"zlexcount", 4, reads_fast, one_key, group, "2.8.9", some,
     "Counts members in a range of members", count_command<by_member>, {}},
    {"zmpop", -4, removes, {0, 0, 0, 1}, group, "7.0.0",
     "O(K + M log N) with K keys, N members and M of them popped",
     "Removes members of the first set that has any; another replica may pop the same ones",
     zmpop_command, {}},
    {"zmscore", -3, reads_fast, one_key, group, "6.2.0", "O(N) with N members asked for",
     "Returns the scores of some members", zmscore_command, {}},
    {"zpopmax", -2, removes | flag::fast, one_key, group, "5.0.0", one,
     "Removes members with the largest scores; another replica may pop the same ones",
     pop_command<down>, {}},
    {"zpopmin", -2, removes | flag::fast, one_key, group, "5.0.0", one,
     "Removes members with the smallest scores; another replica may pop the same ones",
     pop_command<up>, {}},
    {"zrandmember", -2, reads, one_key, group, "6.2.0", "O(N) with N members",
     "Returns random members", zrandmember_command, {}},
    {"zrange", -4, reads, one_key, group, "1.2.0", some,
     "Returns members in a range of places, scores or members", range_command<by_place, up, true>,
     {}},
    {"zrangebylex", -4, reads, one_key, group, "2.8.9", some,
     "Returns members in a range of members", range_command<by_member, up, false>, {}},
    {"zrangebyscore", -4, reads, one_key, group, "1.0.5", some,
     "Returns members in a range of scores", range_command<by_score, up, false>, {}},
    {"zrangestore", -5, flag::write | flag::denyoom, {1, 2, 1}, group, "6.2.0", some,
     "Stores members in a range, in one transaction", zrangestore_command, {}},
    {"zrank", 3, reads_fast, one_key, group, "2.0.0", "O(M) with M members before it",
     "Returns the place of a member", zrank_command, {}},
    {"zrem", -3, removes | flag::fast, one_key, group, "1.2.0", one,
     "Removes members; a concurrent ZADD or ZINCRBY of a member wins", zrem_command, {}},
    {"zremrangebylex", 4, removes, one_key, group, "2.8.9", some,
     "Removes members in a range of members", remove_command<by_member>, {}},
    {"zremrangebyrank", 4, removes, one_key, group, "2.0.0", some,
     "Removes members in a range of places", remove_command<by_place>, {}},
    {"zremrangebyscore", 4, removes, one_key, group, "1.2.0", some,
     "Removes members in a range of scores", remove_command<by_score>, {}},
    {"zrevrange", -4, reads, one_key, group, "1.2.0", some,
     "Returns members in a range of places, from the largest score on",
     range_command<by_place, down, false>, {}},
    {"zrevrangebylex", -4, reads, one_key, group, "2.8.9", some,
     "Returns members in a range of members, from the last on",
     range_command<by_member, down, false>, {}},
    {"zrevrangebyscore", -4, reads, one_key, group, "2.2.0", some,
     "Returns members in a range of scores, from the largest on",
     range_command<by_score, down, false>, {}},
    {"zrevrank", 3, reads_fast, one_key, group, "2.0.0", "O(M) with M members behind it",
     "Returns the place of a member from the largest score on", zrevrank_command, {}},
    {"zscan", -3, reads, one_key, group, "2.8.0", "O(N) with N rows looked at",
     "Walks the members and scores of a sorted set", zscan_command, {}},
    {"zscore", 3, reads_fast, one_key, group, "1.2.0", "O(1)", "Returns the score of a member",
     zscore_command, {}},
};
// clang-format on

}  // namespace

Result<Members> take_members(Transaction& txn, BytesView key, WalkOrder walk, std::size_t count) {
    SYNCLINE_TRY(Members members, gather(txn, key, {}, walk, Window{0, count}));
    for (const Member& member : members) {
        SYNCLINE_CHECK(operations::sorted_remove(txn, key, member.name));
    }
    return members;
}

std::span<const Command> sorted_set_commands() {
    return commands;
}

}  // namespace syncline
