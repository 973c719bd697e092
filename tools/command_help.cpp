// What the shell knows of commands: the server's own table, and beside it how arguments are
// written.
#include "tools/command_help.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <set>

#include "net/commands/table.hpp"

namespace syncline {
namespace {

struct SyntaxRow {
    std::string_view name;
    std::string_view arguments;
};

// A row is easier to find in few lines.
// clang-format off
constexpr SyntaxRow syntax_rows[] = {
    {"acl", "subcommand [argument ...]"},
    {"acl|cat", "[category]"},
    {"acl|deluser", "username [username ...]"},
    {"acl|dryrun", "username command [argument ...]"},
    {"acl|genpass", "[bits]"},
    {"acl|getuser", "username"},
    {"acl|list", ""},
    {"acl|load", ""},
    {"acl|log", "[count|RESET]"},
    {"acl|save", ""},
    {"acl|setuser", "username [rule ...]"},
    {"acl|users", ""},
    {"acl|whoami", ""},
    {"append", "key value"},
    {"auth", "[username] password"},
    {"bc.decr", "key amount"},
    {"bc.get", "key"},
    {"bc.incr", "key amount"},
    {"bc.rights", "key"},
    {"bc.transfer", "key amount actor"},
    {"bgrewriteaof", ""},
    {"bgsave", "[SCHEDULE]"},
    {"bitcount", "key [start end [BYTE|BIT]]"},
    {"bitfield",
     "key [GET encoding offset | SET encoding offset value | INCRBY encoding offset "
     "increment | OVERFLOW WRAP|SAT|FAIL ...]"},
    {"bitfield_ro", "key [GET encoding offset ...]"},
    {"bitop", "AND|OR|XOR|NOT destination key [key ...]"},
    {"bitpos", "key bit [start [end [BYTE|BIT]]]"},
    {"blmove", "source destination LEFT|RIGHT LEFT|RIGHT timeout"},
    {"blmpop", "timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]"},
    {"blpop", "key [key ...] timeout"},
    {"brpop", "key [key ...] timeout"},
    {"brpoplpush", "source destination timeout"},
    {"bzmpop", "timeout numkeys key [key ...] MIN|MAX [COUNT count]"},
    {"bzpopmax", "key [key ...] timeout"},
    {"bzpopmin", "key [key ...] timeout"},
    {"client", "subcommand [argument ...]"},
    {"client|getname", ""},
    {"client|id", ""},
    {"client|info", ""},
    {"client|kill",
     "address | [ID id] [ADDR ip:port] [LADDR ip:port] [TYPE type] [USER user] "
     "[SKIPME yes|no]"},
    {"client|no-evict", "ON|OFF"},
    {"client|no-touch", "ON|OFF"},
    {"client|list", "[TYPE type] [ID id [id ...]]"},
    {"client|reply", "ON|OFF|SKIP"},
    {"client|setinfo", "LIB-NAME|LIB-VER value"},
    {"client|setname", "name"},
    {"client|unblock", "id [TIMEOUT|ERROR]"},
    {"cluster", "subcommand [argument ...]"},
    {"command", "[subcommand [argument ...]]"},
    {"command|count", ""},
    {"command|docs", "[command ...]"},
    {"command|getkeys", "command argument [argument ...]"},
    {"command|getkeysandflags", "command argument [argument ...]"},
    {"command|info", "[command ...]"},
    {"command|list", "[FILTERBY MODULE name | ACLCAT category | PATTERN pattern]"},
    {"config", "subcommand [argument ...]"},
    {"config|get", "pattern [pattern ...]"},
    {"config|resetstat", ""},
    {"config|set", "parameter value [parameter value ...]"},
    {"copy", "source destination [DB database] [REPLACE]"},
    {"crdt.backup", "path [RATE bytes] | STATUS | CANCEL"},
    {"crdt.clock", ""},
    {"crdt.conflicts", "[AFTER seq] [COUNT count] [KEY key | PREFIX prefix] [KIND kind] [REV]"},
    {"crdt.demand", "token [milliseconds] | OFF"},
    {"crdt.diff", "peer [PREFIX prefix] [COUNT count]"},
    {"crdt.explain", "key [field]"},
    {"crdt.forget", "peer"},
    {"crdt.health", ""},
    {"crdt.link", "peer up|down"},
    {"crdt.matrix", ""},
    {"crdt.membership", "subcommand [argument ...]"},
    {"crdt.membership|apply", "epoch change [member ...]"},
    {"crdt.membership|plan", "change [member ...]"},
    {"crdt.membership|status", ""},
    {"crdt.peers", ""},
    {"crdt.promote", "[FORCE]"},
    {"crdt.resolve", "key [field] dot"},
    {"crdt.resubmit", "transaction [past]"},
    {"crdt.scrub", "START|STOP|STATUS|REPAIR"},
    {"crdt.suffix", "subcommand [argument ...]"},
    {"crdt.suffix|list", "[AFTER position] [COUNT count]"},
    {"crdt.suffix|merge", ""},
    {"crdt.sync", "peer"},
    {"crdt.token", ""},
    {"crdt.wait", "token [milliseconds]"},
    {"dbsize", ""},
    {"decr", "key"},
    {"decrby", "key decrement"},
    {"del", "key [key ...]"},
    {"discard", ""},
    {"dump", "key"},
    {"echo", "message"},
    {"exec", ""},
    {"exists", "key [key ...]"},
    {"expire", "key seconds [NX|XX|GT|LT]"},
    {"expireat", "key unix-seconds [NX|XX|GT|LT]"},
    {"expiretime", "key"},
    {"flag.disable", "key"},
    {"flag.enable", "key"},
    {"flag.get", "key"},
    {"flushall", "[ASYNC|SYNC]"},
    {"flushdb", "[ASYNC|SYNC]"},
    {"function", "subcommand [argument ...]"},
    {"function|flush", "[ASYNC|SYNC]"},
    {"function|list", "[LIBRARYNAME pattern] [WITHCODE]"},
    {"get", "key"},
    {"getbit", "key offset"},
    {"getdel", "key"},
    {"getex",
     "key [EX seconds | PX milliseconds | EXAT unix-seconds | PXAT unix-milliseconds | "
     "PERSIST]"},
    {"getrange", "key start end"},
    {"getset", "key value"},
    {"hdel", "key field [field ...]"},
    {"hello", "[protocol [AUTH username password] [SETNAME name]]"},
    {"hexists", "key field"},
    {"hget", "key field"},
    {"hgetall", "key"},
    {"hincrby", "key field increment"},
    {"hincrbyfloat", "key field increment"},
    {"hkeys", "key"},
    {"hlen", "key"},
    {"hmget", "key field [field ...]"},
    {"hmset", "key field value [field value ...]"},
    {"hrandfield", "key [count [WITHVALUES]]"},
    {"hscan", "key cursor [MATCH pattern] [COUNT count]"},
    {"hset", "key field value [field value ...]"},
    {"hsetnx", "key field value"},
    {"hstrlen", "key field"},
    {"hvals", "key"},
    {"incr", "key"},
    {"incrby", "key increment"},
    {"incrbyfloat", "key increment"},
    {"info", "[section ...]"},
    {"keys", "pattern"},
    {"lastsave", ""},
    {"latency", "subcommand [argument ...]"},
    {"latency|doctor", ""},
    {"latency|histogram", "[command ...]"},
    {"latency|history", "event"},
    {"latency|latest", ""},
    {"latency|reset", "[event ...]"},
    {"lcs", "key1 key2 [LEN] [IDX] [MINMATCHLEN length] [WITHMATCHLEN]"},
    {"lindex", "key index"},
    {"linsert", "key BEFORE|AFTER pivot element"},
    {"llen", "key"},
    {"lmove", "source destination LEFT|RIGHT LEFT|RIGHT"},
    {"lmpop", "numkeys key [key ...] LEFT|RIGHT [COUNT count]"},
    {"lolwut", "[VERSION version]"},
    {"lpop", "key [count]"},
    {"lpos", "key element [RANK rank] [COUNT count] [MAXLEN length]"},
    {"lpush", "key element [element ...]"},
    {"lpushx", "key element [element ...]"},
    {"lrange", "key start stop"},
    {"lrem", "key count element"},
    {"lset", "key index element"},
    {"ltrim", "key start stop"},
    {"memory", "subcommand [argument ...]"},
    {"memory|doctor", ""},
    {"memory|stats", ""},
    {"memory|usage", "key [SAMPLES count]"},
    {"mget", "key [key ...]"},
    {"module", "subcommand [argument ...]"},
    {"monitor", ""},
    {"move", "key database"},
    {"mset", "key value [key value ...]"},
    {"msetnx", "key value [key value ...]"},
    {"multi", ""},
    {"mv.get", "key"},
    {"mv.set", "key value [CONTEXT context]"},
    {"object", "subcommand [argument ...]"},
    {"object|encoding", "key"},
    {"object|freq", "key"},
    {"object|idletime", "key"},
    {"object|refcount", "key"},
    {"persist", "key"},
    {"pexpire", "key milliseconds [NX|XX|GT|LT]"},
    {"pexpireat", "key unix-milliseconds [NX|XX|GT|LT]"},
    {"pexpiretime", "key"},
    {"ping", "[message]"},
    {"psetex", "key milliseconds value"},
    {"psubscribe", "pattern [pattern ...]"},
    {"pttl", "key"},
    {"publish", "channel message"},
    {"pubsub", "subcommand [argument ...]"},
    {"pubsub|channels", "[pattern]"},
    {"pubsub|numpat", ""},
    {"pubsub|numsub", "[channel ...]"},
    {"pubsub|shardchannels", "[pattern]"},
    {"pubsub|shardnumsub", "[channel ...]"},
    {"punsubscribe", "[pattern ...]"},
    {"quit", ""},
    {"randomkey", ""},
    {"rename", "key new-key"},
    {"renamenx", "key new-key"},
    {"reset", ""},
    {"restore", "key milliseconds value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]"},
    {"role", ""},
    {"rpop", "key [count]"},
    {"rpoplpush", "source destination"},
    {"rpush", "key element [element ...]"},
    {"rpushx", "key element [element ...]"},
    {"sadd", "key member [member ...]"},
    {"save", ""},
    {"scan", "cursor [MATCH pattern] [COUNT count] [TYPE type]"},
    {"scard", "key"},
    {"sdiff", "key [key ...]"},
    {"sdiffstore", "destination key [key ...]"},
    {"select", "database"},
    {"set",
     "key value [NX|XX] [GET] [EX seconds | PX milliseconds | EXAT unix-seconds | PXAT "
     "unix-milliseconds | KEEPTTL]"},
    {"setbit", "key offset value"},
    {"setex", "key seconds value"},
    {"setnx", "key value"},
    {"setrange", "key offset value"},
    {"shutdown", "[SAVE|NOSAVE] [NOW] [FORCE] | ABORT"},
    {"sinter", "key [key ...]"},
    {"sintercard", "numkeys key [key ...] [LIMIT limit]"},
    {"sinterstore", "destination key [key ...]"},
    {"sismember", "key member"},
    {"slowlog", "subcommand [argument ...]"},
    {"slowlog|get", "[count]"},
    {"slowlog|len", ""},
    {"slowlog|reset", ""},
    {"smembers", "key"},
    {"smismember", "key member [member ...]"},
    {"smove", "source destination member"},
    {"sort",
     "key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC|DESC] [ALPHA] [STORE "
     "destination]"},
    {"sort_ro", "key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC|DESC] [ALPHA]"},
    {"spop", "key [count]"},
    {"spublish", "channel message"},
    {"srandmember", "key [count]"},
    {"srem", "key member [member ...]"},
    {"sscan", "key cursor [MATCH pattern] [COUNT count]"},
    {"ssubscribe", "channel [channel ...]"},
    {"strlen", "key"},
    {"subscribe", "channel [channel ...]"},
    {"substr", "key start end"},
    {"sunion", "key [key ...]"},
    {"sunionstore", "destination key [key ...]"},
    {"sunsubscribe", "[channel ...]"},
    {"swapdb", "index1 index2"},
    {"text.append", "key text"},
    {"text.erase", "key position count"},
    {"text.generations", "key"},
    {"text.get", "key [position count]"},
    {"text.insert", "key position text"},
    {"text.len", "key"},
    {"text.mark", "key position"},
    {"text.position", "key mark"},
    {"time", ""},
    {"touch", "key [key ...]"},
    {"ttl", "key"},
    {"type", "key"},
    {"unlink", "key [key ...]"},
    {"unsubscribe", "[channel ...]"},
    {"unwatch", ""},
    {"wait", "peers milliseconds"},
    {"watch", "key [key ...]"},
    {"zadd", "key [NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]"},
    {"zcard", "key"},
    {"zcount", "key min max"},
    {"zdiff", "numkeys key [key ...] [WITHSCORES]"},
    {"zdiffstore", "destination numkeys key [key ...]"},
    {"zincrby", "key increment member"},
    {"zinter", "numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]"},
    {"zintercard", "numkeys key [key ...] [LIMIT limit]"},
    {"zinterstore",
     "destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM|MIN|MAX]"},
    {"zlexcount", "key min max"},
    {"zmpop", "numkeys key [key ...] MIN|MAX [COUNT count]"},
    {"zmscore", "key member [member ...]"},
    {"zpopmax", "key [count]"},
    {"zpopmin", "key [count]"},
    {"zrandmember", "key [count [WITHSCORES]]"},
    {"zrange", "key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]"},
    {"zrangebylex", "key min max [LIMIT offset count]"},
    {"zrangebyscore", "key min max [WITHSCORES] [LIMIT offset count]"},
    {"zrangestore", "destination source start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count]"},
    {"zrank", "key member"},
    {"zrem", "key member [member ...]"},
    {"zremrangebylex", "key min max"},
    {"zremrangebyrank", "key start stop"},
    {"zremrangebyscore", "key min max"},
    {"zrevrange", "key start stop [WITHSCORES]"},
    {"zrevrangebylex", "key max min [LIMIT offset count]"},
    {"zrevrangebyscore", "key max min [WITHSCORES] [LIMIT offset count]"},
    {"zrevrank", "key member"},
    {"zscan", "key cursor [MATCH pattern] [COUNT count]"},
    {"zscore", "key member"},
    {"zunion", "numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]"},
    {"zunionstore",
     "destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM|MIN|MAX]"},
};
// clang-format on

std::string in_case(std::string_view text, int (*change)(int)) {
    std::string changed;
    for (const char byte : text) {
        changed += static_cast<char>(change(static_cast<unsigned char>(byte)));
    }
    return changed;
}

std::string lower(std::string_view text) {
    return in_case(text, ::tolower);
}

/// "config|get" as it is typed.
std::string shown(std::string_view full_name) {
    std::string name = in_case(full_name, ::toupper);
    std::replace(name.begin(), name.end(), '|', ' ');
    return name;
}

std::string_view arguments_of(std::string_view full_name) {
    const auto* const row =
        std::find_if(std::begin(syntax_rows), std::end(syntax_rows),
                     [&](const SyntaxRow& candidate) { return candidate.name == full_name; });
    return row == std::end(syntax_rows) ? std::string_view() : row->arguments;
}

std::string line_of(const CommandName& name) {
    const std::string_view arguments = arguments_of(name.full_name());
    return shown(name.full_name()) + (arguments.empty() ? "" : " ") + std::string(arguments);
}

void add_fitting(std::vector<std::string>& found, std::string_view name, const std::string& word) {
    if (lower(word) != name.substr(0, word.size())) return;
    const bool small = std::any_of(word.begin(), word.end(),
                                   [](unsigned char byte) { return std::islower(byte) != 0; });
    found.push_back(in_case(name, small ? ::tolower : ::toupper));
}

}  // namespace

std::string command_syntax(std::string_view full_name) {
    const CommandName name = find_full_name(lower(full_name));
    return name.command == nullptr ? std::string() : line_of(name);
}

std::string command_in(const std::vector<std::string>& words) {
    if (words.empty()) return {};
    const Command* const command = find_command(words[0]);
    if (command == nullptr) return {};
    const Command* const sub = words.size() > 1 ? find_subcommand(*command, words[1]) : nullptr;
    return sub == nullptr ? Bytes(command->name) : CommandName{sub, command}.full_name();
}

std::vector<std::string> command_completions(const std::vector<std::string>& words) {
    std::vector<std::string> found;
    if (words.size() == 1) {
        for (const Command* const command : all_commands()) {
            add_fitting(found, command->name, words[0]);
        }
    }
    const Command* const container = words.size() == 2 ? find_command(words[0]) : nullptr;
    if (container == nullptr) return found;
    for (const Command& sub : container->subcommands) add_fitting(found, sub.name, words[1]);
    return found;
}

std::string command_help(const std::vector<std::string>& words) {
    const std::string full_name = command_in(words);
    const CommandName name = find_full_name(full_name);
    const std::size_t named = full_name.find('|') == std::string::npos ? 1 : 2;
    if (name.command == nullptr || words.size() > named) return {};
    const Command& command = *name.command;
    std::string text = fmt::format(
        "{}\n  summary: {}\n  since: {}\n  group: {}\n  complexity: {}\n", line_of(name),
        command.summary, command.since, command.group, command.complexity);
    for (const Command& sub : command.subcommands) {
        text += fmt::format("  {}\n", line_of(CommandName{&sub, &command}));
    }
    return text;
}

std::string group_help(std::string_view group) {
    std::string text;
    std::set<std::string_view> groups;
    for (const Command* const command : all_commands()) {
        groups.insert(command->group);
        if (command->group != group) continue;
        text += fmt::format("{}\n  {}\n", line_of(CommandName{command, nullptr}), command->summary);
    }
    if (!group.empty()) return text;
    for (const std::string_view name : groups) text += fmt::format("  @{}\n", name);
    return text;
}

}  // namespace syncline
