#include "net/acl/key_uses.hpp"

#include <algorithm>
#include <iterator>

#include "net/commands/arguments.hpp"

namespace syncline {
namespace {

constexpr unsigned reads = key_access::read;
constexpr unsigned writes = key_access::write;
constexpr unsigned both = reads | writes;

/// What commands do to their first key and to the others, as far as it does not follow from their
/// flags: one that reads values reads, one that writes reads and writes. As Redis's key
/// specifications have it: who only asks whether something is there reads nothing.
struct Uses {
    BytesView full_name;
    unsigned first;
    unsigned others;
};
// In order of the names, for lookups.
constexpr Uses exceptions[] = {
    {"append", writes, writes},
    {"bitop", writes, reads},
    {"blmove", both, writes},
    {"brpoplpush", both, writes},
    {"copy", reads, writes},
    {"del", writes, writes},
    {"exists", 0, 0},
    {"expire", writes, writes},
    {"expireat", writes, writes},
    {"hdel", writes, writes},
    {"hexists", 0, 0},
    {"hlen", 0, 0},
    {"hmset", writes, writes},
    {"hset", writes, writes},
    {"hsetnx", writes, writes},
    {"hstrlen", 0, 0},
    {"linsert", writes, writes},
    {"llen", 0, 0},
    {"lmove", both, writes},
    {"lpush", writes, writes},
    {"lpushx", writes, writes},
    {"lrem", writes, writes},
    {"lset", writes, writes},
    {"ltrim", writes, writes},
    {"memory|usage", 0, 0},
    {"mset", writes, writes},
    {"msetnx", writes, writes},
    {"object|encoding", 0, 0},
    {"object|freq", 0, 0},
    {"object|idletime", 0, 0},
    {"object|refcount", 0, 0},
    {"persist", writes, writes},
    {"pexpire", writes, writes},
    {"pexpireat", writes, writes},
    {"psetex", writes, writes},
    {"rename", both, writes},
    {"renamenx", both, writes},
    {"restore", writes, writes},
    {"rpoplpush", both, writes},
    {"rpush", writes, writes},
    {"rpushx", writes, writes},
    {"sadd", writes, writes},
    {"scard", 0, 0},
    {"sdiffstore", writes, reads},
    {"setex", writes, writes},
    {"setnx", writes, writes},
    {"setrange", writes, writes},
    {"sinterstore", writes, reads},
    {"sismember", 0, 0},
    {"smove", both, writes},
    {"sort", reads, reads},
    {"srem", writes, writes},
    {"strlen", 0, 0},
    {"sunionstore", writes, reads},
    {"text.append", writes, writes},
    {"text.erase", writes, writes},
    {"text.insert", writes, writes},
    {"touch", 0, 0},
    {"type", 0, 0},
    {"unlink", writes, writes},
    {"zadd", writes, writes},
    {"zcard", 0, 0},
    {"zdiffstore", writes, reads},
    {"zinterstore", writes, reads},
    {"zrangestore", writes, reads},
    {"zrem", writes, writes},
    {"zremrangebylex", writes, writes},
    {"zremrangebyrank", writes, writes},
    {"zremrangebyscore", writes, writes},
    {"zunionstore", writes, reads},
};

Uses uses_of(const Command& command, const Bytes& full_name) {
    const auto found =
        std::lower_bound(std::begin(exceptions), std::end(exceptions), BytesView(full_name),
                         [](const Uses& uses, BytesView name) { return uses.full_name < name; });
    if (found != std::end(exceptions) && found->full_name == full_name) return *found;
    const bool write = command.has(command_flag::write);
    const unsigned access = write ? both : command.has(command_flag::readonly) ? reads : 0;
    return {full_name, access, access};
}

bool is_word(std::span<const Bytes> arguments, std::size_t index, BytesView word) {
    return index < arguments.size() && equal_nocase(arguments[index], word);
}

/// BITFIELD writes only when it sets something; what is wrong counts as a write.
bool only_reads_fields(std::span<const Bytes> arguments) {
    std::size_t i = 2;
    while (i < arguments.size()) {
        const std::size_t values = is_word(arguments, i, "get")        ? 2
                                   : is_word(arguments, i, "overflow") ? 1
                                                                       : 0;
        if (values == 0 || i + values >= arguments.size()) return false;
        i += values + 1;
    }
    return true;
}

/// SET reads only with GET.
unsigned access_by_options(BytesView name, std::span<const Bytes> arguments, unsigned access) {
    if (name == "bitfield") return only_reads_fields(arguments) ? reads : both;
    if (name != "set") return access;
    for (std::size_t i = 3; i < arguments.size(); ++i) {
        if (is_word(arguments, i, "get")) return both;
    }
    return writes;
}

/// SORT key ... STORE key: the second one has no fixed place.
void add_sort_destination(KeyUses& uses, std::span<const Bytes> arguments) {
    for (std::size_t i = 2; i < arguments.size(); ++i) {
        if (is_word(arguments, i, "limit")) {
            i += 2;
        } else if (is_word(arguments, i, "get") || is_word(arguments, i, "by")) {
            ++i;
        } else if (is_word(arguments, i, "store") && i + 1 < arguments.size()) {
            uses.keys.push_back({++i, writes});
        }
    }
}

/// CRDT.CONFLICTS of one key shows values of that key, else values of any.
void add_conflict_keys(KeyUses& uses, std::span<const Bytes> arguments) {
    bool one = false;
    bool prefix = false;
    for (std::size_t i = 1; i + 1 < arguments.size(); ++i) {
        if (is_word(arguments, i, "rev")) continue;
        if (is_word(arguments, i, "key")) {
            uses.keys.push_back({i + 1, reads});
            one = true;
        }
        prefix = prefix || is_word(arguments, i, "prefix");
        ++i;  // all options but REV have a value
    }
    if (!one || prefix) uses.everything = reads;
}

void add_unnamed_keys(KeyUses& uses, BytesView name, std::span<const Bytes> arguments) {
    if (name == "sort") add_sort_destination(uses, arguments);
    if (name == "crdt.conflicts") add_conflict_keys(uses, arguments);
    if (name == "crdt.diff") uses.everything = reads;
    if (name == "crdt.resubmit") uses.everything = writes;
}

struct ChannelRow {
    BytesView name;
    bool all;  ///< arguments; else the first one alone
    bool patterns;
};
constexpr ChannelRow channel_rows[] = {
    {"publish", false, false},   {"spublish", false, false}, {"subscribe", true, false},
    {"ssubscribe", true, false}, {"psubscribe", true, true},
};

}  // namespace

KeyUses key_uses(const CommandName& name, std::span<const Bytes> arguments) {
    KeyUses uses;
    const Command& command = *name.command;
    if (command.keys.any()) {
        const Bytes full_name = name.full_name();
        const Uses each = uses_of(command, full_name);
        const std::optional<std::vector<std::size_t>> indices = key_indices(command, arguments);
        for (std::size_t i = 0; indices && i < indices->size(); ++i) {
            const unsigned access = i == 0 ? each.first : each.others;
            uses.keys.push_back({(*indices)[i], access_by_options(full_name, arguments, access)});
        }
    }
    if (name.parent == nullptr) add_unnamed_keys(uses, command.name, arguments);
    return uses;
}

ChannelUses channel_uses(const CommandName& name, std::span<const Bytes> arguments) {
    if (!name.command->has(command_flag::pubsub) || name.parent != nullptr) return {};
    for (const ChannelRow& row : channel_rows) {
        if (row.name != name.command->name) continue;
        return {1, row.all ? arguments.size() : std::min<std::size_t>(2, arguments.size()),
                row.patterns};
    }
    return {};
}

}  // namespace syncline
