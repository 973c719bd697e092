// Unions, intersections and differences of sorted sets and sets; a set's members have score 1.
#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "crdt/score.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/sorted_members.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

enum class Operation : std::uint8_t { unite, intersect, subtract };
enum class Purpose : std::uint8_t { reply, store, count };
enum class Aggregate : std::uint8_t { sum, smallest, largest };

struct Source {
    BytesView key;
    CellType type = CellType::sorted_set;
    std::uint64_t size = 0;
    double weight = 1;
};

struct Request {
    std::vector<Source> sources;
    Aggregate aggregate = Aggregate::sum;
    bool with_scores = false;
    std::size_t limit = 0;  ///< of what is counted; 0: none
};

// --- Sources

/// Error wrong_type: it is neither a set nor a sorted set.
Result<Source> open_source(Transaction& txn, BytesView key) {
    Source source;
    source.key = key;
    SYNCLINE_CHECK(check_key_size(key));
    SYNCLINE_TRY(const std::optional<CellType> type, txn.visible_type(key));
    if (type == CellType::set) source.type = CellType::set;
    SYNCLINE_TRY(source.size, operations::count(txn, key, source.type));
    return source;
}

Result<Members> members_of(Transaction& txn, const Source& source) {
    Members members;
    if (source.type == CellType::set) {
        SYNCLINE_TRY(std::vector<Bytes> names, operations::set_members(txn, source.key));
        for (Bytes& name : names) members.push_back(Member{std::move(name), 1});
        return members;
    }
    const auto visit = [&](BytesView name, double score) {
        members.push_back(Member{Bytes(name), score});
        return true;
    };
    SYNCLINE_CHECK(operations::sorted_scan(txn, source.key, {}, WalkOrder::ascending, visit));
    return members;
}

/// Nothing: it is no member.
Result<std::optional<double>> score_in(Transaction& txn, const Source& source, BytesView member) {
    if (source.type == CellType::sorted_set) {
        return operations::sorted_score(txn, source.key, member);
    }
    SYNCLINE_TRY(const bool present, operations::set_contains(txn, source.key, member));
    return present ? std::optional(1.0) : std::nullopt;
}

// --- Combining

/// As Redis: 0 times an infinity, and an infinity less itself, is 0.
double number_or_zero(double score) {
    return std::isnan(score) ? 0 : score;
}

/// `score` is a product that may be no number: then it is neither smaller nor larger.
double aggregate_scores(Aggregate aggregate, double total, double score) {
    switch (aggregate) {
        case Aggregate::sum:
            return number_or_zero(total + score);
        case Aggregate::smallest:
            return score < total ? score : total;
        case Aggregate::largest:
            return score > total ? score : total;
    }
    SYNCLINE_ASSERT(false);
    return 0;
}

Result<Members> unite(Transaction& txn, const Request& request) {
    std::unordered_map<Bytes, double> totals;
    for (const Source& source : request.sources) {
        SYNCLINE_TRY(Members members, members_of(txn, source));
        for (Member& member : members) {
            const double score = number_or_zero(member.score * source.weight);
            const auto [place, is_new] = totals.try_emplace(std::move(member.name), score);
            if (!is_new) place->second = aggregate_scores(request.aggregate, place->second, score);
        }
    }
    Members united;
    united.reserve(totals.size());
    for (const auto& [name, total] : totals) united.push_back(Member{name, total});
    return united;
}

/// A member's total over all sources. Nothing: one does not have it. Its score in the first of them
/// is known.
Result<std::optional<double>> total_in_all(Transaction& txn, const Request& request,
                                           const Member& member) {
    double total = number_or_zero(member.score * request.sources.front().weight);
    for (std::size_t i = 1; i < request.sources.size(); ++i) {
        const Source& source = request.sources[i];
        SYNCLINE_TRY(const std::optional<double> score, score_in(txn, source, member.name));
        if (!score) return std::optional<double>();
        total = aggregate_scores(request.aggregate, total, *score * source.weight);
    }
    return std::optional(total);
}

/// Precondition: the smallest source is the first.
Result<Members> intersect(Transaction& txn, const Request& request) {
    Members common;
    SYNCLINE_TRY(Members members, members_of(txn, request.sources.front()));
    for (Member& member : members) {
        SYNCLINE_TRY(const std::optional<double> total, total_in_all(txn, request, member));
        if (!total) continue;
        common.push_back(Member{std::move(member.name), *total});
        if (common.size() == request.limit) break;
    }
    return common;
}

Result<Members> subtract(Transaction& txn, const Request& request) {
    Members left;
    SYNCLINE_TRY(Members members, members_of(txn, request.sources.front()));
    for (Member& member : members) {
        bool elsewhere = false;
        for (std::size_t i = 1; i < request.sources.size() && !elsewhere; ++i) {
            SYNCLINE_TRY(const std::optional<double> score,
                         score_in(txn, request.sources[i], member.name));
            elsewhere = score.has_value();
        }
        if (!elsewhere) left.push_back(std::move(member));
    }
    return left;
}

/// In order of score, then member.
Result<Members> combine(Transaction& txn, Operation operation, Request& request) {
    if (operation != Operation::subtract) {  // sums depend on their order
        std::stable_sort(request.sources.begin(), request.sources.end(),
                         [](const Source& a, const Source& b) { return a.size < b.size; });
    }
    const auto combined = operation == Operation::unite       ? unite
                          : operation == Operation::intersect ? intersect
                                                              : subtract;
    SYNCLINE_TRY(Members members, combined(txn, request));
    std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
        return a.score != b.score ? a.score < b.score : a.name < b.name;
    });
    return members;
}

// --- Arguments

std::optional<Aggregate> aggregate_argument(BytesView text) {
    if (equal_nocase(text, "sum")) return Aggregate::sum;
    if (equal_nocase(text, "min")) return Aggregate::smallest;
    if (equal_nocase(text, "max")) return Aggregate::largest;
    return std::nullopt;
}

/// What the error is about one option at `index`, which is moved behind it; nothing: none.
BytesView take_option(const CommandContext& context, Operation operation, Purpose purpose,
                      Request& request, std::size_t& index) {
    const Bytes& option = context.argument(index);
    const std::size_t left = context.count() - index;
    const bool scored = operation != Operation::subtract && purpose != Purpose::count;
    if (scored && left > request.sources.size() && equal_nocase(option, "weights")) {
        for (Source& source : request.sources) {
            const std::optional<double> weight = parse_score(context.argument(++index));
            if (!weight) return "ERR weight value is not a float";
            source.weight = *weight;
        }
    } else if (scored && left >= 2 && equal_nocase(option, "aggregate")) {
        const std::optional<Aggregate> aggregate = aggregate_argument(context.argument(++index));
        if (!aggregate) return error_text::syntax;
        request.aggregate = *aggregate;
    } else if (purpose == Purpose::reply && equal_nocase(option, "withscores")) {
        request.with_scores = true;
    } else if (purpose == Purpose::count && left >= 2 && equal_nocase(option, "limit")) {
        const std::optional<std::int64_t> limit = parse_integer(context.argument(++index));
        if (!limit || *limit < 0) return "ERR LIMIT can't be negative";
        request.limit = static_cast<std::size_t>(*limit);
    } else {
        return error_text::syntax;
    }
    ++index;
    return {};
}

/// Nothing: an error was replied. `index` is where the number of keys stands.
Result<std::optional<Request>> parse(CommandContext& context, Operation operation, Purpose purpose,
                                     std::size_t index) {
    const auto refuse = [&](BytesView text) {
        context.reply.error(text);
        return std::optional<Request>();
    };
    SYNCLINE_TRY(const std::int64_t keys, integer_argument(context.argument(index)));
    if (keys < 1) {
        return refuse("ERR at least 1 input key is needed for '" + lower(context.argument(0)) +
                      "' command");
    }
    if (static_cast<std::uint64_t>(keys) >= context.count() - index) {
        return refuse(error_text::syntax);
    }
    Request request;
    const std::size_t behind = index + 1 + static_cast<std::size_t>(keys);
    while (++index < behind) {
        SYNCLINE_TRY(const Source source, open_source(context.txn(), context.argument(index)));
        request.sources.push_back(source);
    }
    while (index < context.count()) {
        const BytesView error = take_option(context, operation, purpose, request, index);
        if (!error.empty()) return refuse(error);
    }
    return std::optional(std::move(request));
}

template <Operation operation, Purpose purpose>
Result<void> combine_command(CommandContext& context) {
    SYNCLINE_TRY(std::optional<Request> request,
                 parse(context, operation, purpose, purpose == Purpose::store ? 2 : 1));
    if (!request) return {};
    SYNCLINE_TRY(const Members members, combine(context.txn(), operation, *request));
    if (purpose == Purpose::store) return store_members(context, members);
    if (purpose == Purpose::count) {
        context.reply.integer(std::ssize(members));
    } else {
        reply_members(context.reply, members, request->with_scores);
    }
    return {};
}

constexpr auto unites = Operation::unite;
constexpr auto intersects = Operation::intersect;
constexpr auto subtracts = Operation::subtract;

constexpr BytesView group = "sorted-set";
constexpr KeyPositions counted_keys{0, 0, 0, 1};
constexpr KeyPositions target_and_keys{1, 1, 1, 2};
constexpr unsigned stores = flag::write | flag::denyoom;
constexpr BytesView of_all = "O(N + M log M) with N members in all sets and M in the result";
constexpr BytesView of_smallest =
    "O(N * K + M log M) with N members in the smallest of K sets and M in the result";
constexpr BytesView of_first =
    "O(N * K + M log M) with N members in the first of K sets and M in the result";

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"zdiff", -3, flag::readonly, counted_keys, group, "6.2.0", of_first,
     "Returns the members of the first set that are in no other",
     combine_command<subtracts, Purpose::reply>, {}},
    {"zdiffstore", -4, stores, target_and_keys, group, "6.2.0", of_first,
     "Stores the difference of sets seen here, in one transaction",
     combine_command<subtracts, Purpose::store>, {}},
    {"zinter", -3, flag::readonly, counted_keys, group, "6.2.0", of_smallest,
     "Returns the members that are in all sets", combine_command<intersects, Purpose::reply>, {}},
    {"zintercard", -3, flag::readonly, counted_keys, group, "7.0.0", of_smallest,
     "Counts the members that are in all sets", combine_command<intersects, Purpose::count>, {}},
    {"zinterstore", -4, stores, target_and_keys, group, "2.0.0", of_smallest,
     "Stores the intersection of sets seen here, in one transaction",
     combine_command<intersects, Purpose::store>, {}},
    {"zunion", -3, flag::readonly, counted_keys, group, "6.2.0", of_all,
     "Returns the members that are in any set", combine_command<unites, Purpose::reply>, {}},
    {"zunionstore", -4, stores, target_and_keys, group, "2.0.0", of_all,
     "Stores the union of sets seen here, in one transaction",
     combine_command<unites, Purpose::store>, {}},
};
// clang-format on

}  // namespace

std::span<const Command> sorted_set_algebra_commands() {
    return commands;
}

}  // namespace syncline
