#include "net/acl/key_uses.hpp"

#include <algorithm>
#include <iterator>

#include "net/commands/arguments.hpp"

namespace syncline {
namespace {

constexpr unsigned reads = key_access::read;
constexpr unsigned writes = key_access::write;

constexpr BytesView read_flags = "RO access";
constexpr BytesView change_flags = "RW access update";
constexpr BytesView set_flags = "OW update";

bool has_flag(BytesView flags, BytesView flag) {
    return flags.find(flag) != BytesView::npos;
}

/// Who inserts, deletes or updates writes; who only asks whether something is there reads nothing.
unsigned access_of(BytesView flags) {
    const bool write =
        has_flag(flags, "insert") || has_flag(flags, "delete") || has_flag(flags, "update");
    return (has_flag(flags, "access") ? reads : 0) | (write ? writes : 0);
}

/// What commands do to their first key and to the others, as far as it does not follow from their
/// flags: one that reads values reads, one that writes reads and writes. In the words of Redis's
/// key specifications.
struct Uses {
    BytesView full_name;
    BytesView first;
    BytesView others;
};
// In order of the names, for lookups.
constexpr Uses exceptions[] = {
    {"append", "RW insert", "RW insert"},
    {"bitop", "OW update", "RO access"},
    {"blmove", "RW access delete", "RW insert"},
    {"blmpop", "RW access delete", "RW access delete"},
    {"blpop", "RW access delete", "RW access delete"},
    {"brpop", "RW access delete", "RW access delete"},
    {"brpoplpush", "RW access delete", "RW insert"},
    {"bzmpop", "RW access delete", "RW access delete"},
    {"bzpopmax", "RW access delete", "RW access delete"},
    {"bzpopmin", "RW access delete", "RW access delete"},
    {"copy", "RO access", "OW update"},
    {"del", "RM delete", "RM delete"},
    {"exists", "RO", "RO"},
    {"expire", "RW update", "RW update"},
    {"expireat", "RW update", "RW update"},
    {"getdel", "RW access delete", "RW access delete"},
    {"hdel", "RW delete", "RW delete"},
    {"hexists", "RO", "RO"},
    {"hlen", "RO", "RO"},
    {"hmset", "RW update", "RW update"},
    {"hset", "RW update", "RW update"},
    {"hsetnx", "RW insert", "RW insert"},
    {"hstrlen", "RO", "RO"},
    {"linsert", "RW insert", "RW insert"},
    {"llen", "RO", "RO"},
    {"lmove", "RW access delete", "RW insert"},
    {"lmpop", "RW access delete", "RW access delete"},
    {"lpop", "RW access delete", "RW access delete"},
    {"lpush", "RW insert", "RW insert"},
    {"lpushx", "RW insert", "RW insert"},
    {"lrem", "RW delete", "RW delete"},
    {"lset", "RW update", "RW update"},
    {"ltrim", "RW delete", "RW delete"},
    {"memory|usage", "RO", "RO"},
    {"mset", "OW update", "OW update"},
    {"msetnx", "OW insert", "OW insert"},
    {"object|encoding", "RO", "RO"},
    {"object|freq", "RO", "RO"},
    {"object|idletime", "RO", "RO"},
    {"object|refcount", "RO", "RO"},
    {"persist", "RW update", "RW update"},
    {"pexpire", "RW update", "RW update"},
    {"pexpireat", "RW update", "RW update"},
    {"psetex", "OW update", "OW update"},
    {"rename", "RW access delete", "OW update"},
    {"renamenx", "RW access delete", "OW insert"},
    {"restore", "OW update", "OW update"},
    {"rpop", "RW access delete", "RW access delete"},
    {"rpoplpush", "RW access delete", "RW insert"},
    {"rpush", "RW insert", "RW insert"},
    {"rpushx", "RW insert", "RW insert"},
    {"sadd", "RW insert", "RW insert"},
    {"scard", "RO", "RO"},
    {"sdiffstore", "OW update", "RO access"},
    {"setex", "OW update", "OW update"},
    {"setnx", "OW insert", "OW insert"},
    {"setrange", "RW update", "RW update"},
    {"sinterstore", "RW update", "RO access"},
    {"sismember", "RO", "RO"},
    {"smove", "RW access delete", "RW insert"},
    {"sort", "RO access", "OW update"},
    {"spop", "RW access delete", "RW access delete"},
    {"srem", "RW delete", "RW delete"},
    {"strlen", "RO", "RO"},
    {"sunionstore", "OW update", "RO access"},
    {"text.append", "RW insert", "RW insert"},
    {"text.erase", "RW delete", "RW delete"},
    {"text.insert", "RW insert", "RW insert"},
    {"touch", "RO", "RO"},
    {"type", "RO", "RO"},
    {"unlink", "RM delete", "RM delete"},
    {"watch", "RO", "RO"},
    {"zadd", "RW update", "RW update"},
    {"zcard", "RO", "RO"},
    {"zdiffstore", "OW update", "RO access"},
    {"zinterstore", "OW update", "RO access"},
    {"zmpop", "RW access delete", "RW access delete"},
    {"zpopmax", "RW access delete", "RW access delete"},
    {"zpopmin", "RW access delete", "RW access delete"},
    {"zrangestore", "OW update", "RO access"},
    {"zrem", "RW delete", "RW delete"},
    {"zremrangebylex", "RW delete", "RW delete"},
    {"zremrangebyrank", "RW delete", "RW delete"},
    {"zremrangebyscore", "RW delete", "RW delete"},
    {"zunionstore", "OW update", "RO access"},
};

Uses uses_of(const Command& command, const Bytes& full_name) {
    const auto found =
        std::lower_bound(std::begin(exceptions), std::end(exceptions), BytesView(full_name),
                         [](const Uses& uses, BytesView name) { return uses.full_name < name; });
    if (found != std::end(exceptions) && found->full_name == full_name) return *found;
    const BytesView flags = command.has(command_flag::write) ? change_flags : read_flags;
    return {full_name, flags, flags};
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
BytesView flags_by_options(BytesView name, std::span<const Bytes> arguments, BytesView flags) {
    if (name == "bitfield") return only_reads_fields(arguments) ? read_flags : change_flags;
    if (name != "set") return flags;
    for (std::size_t i = 3; i < arguments.size(); ++i) {
        if (is_word(arguments, i, "get")) return change_flags;
    }
    return set_flags;
}

/// SORT key ... STORE key: the second one has no fixed place.
void add_sort_destination(KeyUses& uses, std::span<const Bytes> arguments) {
    for (std::size_t i = 2; i < arguments.size(); ++i) {
        if (is_word(arguments, i, "limit")) {
            i += 2;
        } else if (is_word(arguments, i, "get") || is_word(arguments, i, "by")) {
            ++i;
        } else if (is_word(arguments, i, "store") && i + 1 < arguments.size()) {
            uses.keys.resize(1);  // the last one counts
            uses.keys.push_back({++i, writes, set_flags});
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
            uses.keys.push_back({i + 1, reads, read_flags});
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
            const BytesView flags =
                flags_by_options(full_name, arguments, i == 0 ? each.first : each.others);
            uses.keys.push_back({(*indices)[i], access_of(flags), flags});
        }
    }
    if (name.parent == nullptr) add_unnamed_keys(uses, command.name, arguments);
    return uses;
}

KeyFlags key_flags(const CommandName& name) {
    const Bytes full_name = name.full_name();
    const Uses uses = uses_of(*name.command, full_name);
    return {uses.first, uses.others, full_name == "set" || full_name == "bitfield"};
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
