// Unions, intersections and differences of sets. What a STORE command finds here it stores; what
// others do meanwhile merges with it as with any DEL and SADD.
#include <algorithm>
#include <limits>
#include <unordered_set>

#include "core/engine/operations.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;
using Keys = std::span<const Bytes>;
using Members = std::vector<Bytes>;
using Combine = Result<Members> (*)(Transaction&, Keys);

constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

/// The size of each set. Error wrong_type if one key holds something else.
Result<std::vector<std::uint64_t>> sizes_of(Transaction& txn, Keys keys) {
    std::vector<std::uint64_t> sizes;
    for (const Bytes& key : keys) {
        SYNCLINE_TRY(const std::uint64_t size, operations::count(txn, key, CellType::set));
        sizes.push_back(size);
    }
    return sizes;
}

Result<bool> in_any(Transaction& txn, BytesView member, Keys keys) {
    for (const Bytes& key : keys) {
        SYNCLINE_TRY(const bool present, operations::set_contains(txn, key, member));
        if (present) return true;
    }
    return false;
}

Result<bool> in_all(Transaction& txn, BytesView member, Keys keys) {
    for (const Bytes& key : keys) {
        SYNCLINE_TRY(const bool present, operations::set_contains(txn, key, member));
        if (!present) return false;
    }
    return true;
}

/// The smallest set decides how much is looked at.
Result<Members> intersection(Transaction& txn, Keys keys, std::size_t limit) {
    SYNCLINE_TRY(const std::vector<std::uint64_t> sizes, sizes_of(txn, keys));
    Members common;
    const auto smallest = std::min_element(sizes.begin(), sizes.end()) - sizes.begin();
    SYNCLINE_TRY(Members members,
                 operations::set_members(txn, keys[static_cast<std::size_t>(smallest)]));
    for (Bytes& member : members) {
        if (common.size() == limit) break;
        SYNCLINE_TRY(const bool everywhere, in_all(txn, member, keys));
        if (everywhere) common.push_back(std::move(member));
    }
    return common;
}

Result<Members> whole_intersection(Transaction& txn, Keys keys) {
    return intersection(txn, keys, no_limit);
}

Result<Members> set_union(Transaction& txn, Keys keys) {
    std::unordered_set<Bytes> all;
    for (const Bytes& key : keys) {
        SYNCLINE_TRY(Members members, operations::set_members(txn, key));
        for (Bytes& member : members) all.insert(std::move(member));
    }
    Members members;
    members.reserve(all.size());
    while (!all.empty()) members.push_back(std::move(all.extract(all.begin()).value()));
    return members;
}

Result<Members> difference(Transaction& txn, Keys keys) {
    SYNCLINE_CHECK(sizes_of(txn, keys));  // for their types
    Members left;
    SYNCLINE_TRY(Members members, operations::set_members(txn, keys.front()));
    for (Bytes& member : members) {
        SYNCLINE_TRY(const bool elsewhere, in_any(txn, member, keys.subspan(1)));
        if (!elsewhere) left.push_back(std::move(member));
    }
    return left;
}

Keys keys_from(const CommandContext& context, std::size_t index) {
    return Keys(context.arguments).subspan(index);
}

template <Combine combine>
Result<void> read_command(CommandContext& context) {
    SYNCLINE_TRY(const Members members, combine(context.txn(), keys_from(context, 1)));
    context.reply.set(members.size());
    for (const Bytes& member : members) context.reply.bulk(member);
    return {};
}

template <Combine combine>
Result<void> store_command(CommandContext& context) {
    const Bytes& target = context.argument(1);
    SYNCLINE_CHECK(check_key_size(target));
    SYNCLINE_TRY(const Members members, combine(context.txn(), keys_from(context, 2)));
    SYNCLINE_CHECK(operations::key_delete(context.txn(), target));
    for (const Bytes& member : members) {
        // Nothing is left under the key: set_add() would look for it each time.
        SYNCLINE_CHECK(context.txn().put(target, CellType::set, member, Bytes()));
    }
    context.reply.integer(std::ssize(members));
    return {};
}

Result<void> sintercard_command(CommandContext& context) {
    const auto refuse = [&](BytesView text) {
        context.reply.error(text);
        return Result<void>();
    };
    const std::optional<std::int64_t> keys = parse_integer(context.argument(1));
    if (!keys || *keys < 1) return refuse("ERR numkeys should be greater than 0");
    if (static_cast<std::uint64_t>(*keys) > context.count() - 2) {
        return refuse("ERR Number of keys can't be greater than number of args");
    }
    const auto keys_count = static_cast<std::size_t>(*keys);
    std::size_t limit = 0;
    for (std::size_t i = 2 + keys_count; i < context.count(); i += 2) {
        if (!equal_nocase(context.argument(i), "limit") || i + 1 == context.count()) {
            return refuse(error_text::syntax);
        }
        const std::optional<std::int64_t> number = parse_integer(context.argument(i + 1));
        if (!number || *number < 0) return refuse("ERR LIMIT can't be negative");
        limit = static_cast<std::size_t>(*number);
    }
    SYNCLINE_TRY(const Members members,
                 intersection(context.txn(), keys_from(context, 2).first(keys_count),
                              limit == 0 ? no_limit : limit));
    context.reply.integer(std::ssize(members));
    return {};
}

constexpr BytesView group = "set";
constexpr KeyPositions all_keys{1, -1, 1};
constexpr unsigned stores = flag::write | flag::denyoom;
constexpr BytesView of_all = "O(N) with N members in all sets";
constexpr BytesView of_smallest = "O(N * M) with N members in the smallest of M sets";
constexpr BytesView of_first = "O(N * M) with N members in the first of M sets";

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"sdiff", -2, flag::readonly, all_keys, group, "1.0.0", of_first,
     "Returns the members of the first set that are in no other", read_command<difference>, {}},
    {"sdiffstore", -3, stores, all_keys, group, "1.0.0", of_first,
     "Stores the difference of sets seen here, in one transaction", store_command<difference>, {}},
    {"sinter", -2, flag::readonly, all_keys, group, "1.0.0", of_smallest,
     "Returns the members that are in all sets", read_command<whole_intersection>, {}},
    {"sintercard", -3, flag::readonly, {0, 0, 0, 1}, group, "7.0.0", of_smallest,
     "Counts the members that are in all sets", sintercard_command, {}},
    {"sinterstore", -3, stores, all_keys, group, "1.0.0", of_smallest,
     "Stores the intersection of sets seen here, in one transaction",
     store_command<whole_intersection>, {}},
    {"sunion", -2, flag::readonly, all_keys, group, "1.0.0", of_all,
     "Returns the members that are in any set", read_command<set_union>, {}},
    {"sunionstore", -3, stores, all_keys, group, "1.0.0", of_all,
     "Stores the union of sets seen here, in one transaction", store_command<set_union>, {}},
};
// clang-format on

}  // namespace

std::span<const Command> set_algebra_commands() {
    return commands;
}

}  // namespace syncline
