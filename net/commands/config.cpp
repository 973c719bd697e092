#include "net/commands/config.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>
#include <utility>

#include "core/base/limits.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/glob.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;
using Kind = ConfigTable::Kind;

struct Default {
    BytesView name;
    Kind kind;
    BytesView value;
    std::int64_t number_min = 0;
};

/// Settings of Redis that clients and tools read, with what is true here. `fixed`: CONFIG SET
/// refuses them. The server adds its own ports and paths.
constexpr Default defaults[] = {
    {"acl-pubsub-default", Kind::channels, "resetchannels"},
    {"aclfile", Kind::fixed, ""},
    {"acllog-max-len", Kind::number, "128"},
    {"active-expire-effort", Kind::number, "1"},
    {"appendfsync", Kind::fixed, "always"},
    {"appendonly", Kind::fixed, "yes"},
    {"bind", Kind::fixed, ""},
    {"client-output-buffer-limit", Kind::output_limits, ""},
    {"client-query-buffer-limit", Kind::memory, "1073741824"},
    {"daemonize", Kind::fixed, "no"},
    {"databases", Kind::fixed, "1"},
    {"dir", Kind::fixed, ""},
    {"hash-max-listpack-entries", Kind::number, "128"},
    {"hash-max-listpack-value", Kind::number, "64"},
    {"hash-max-ziplist-entries", Kind::number, "128"},
    {"hash-max-ziplist-value", Kind::number, "64"},
    {"hz", Kind::number, "10"},
    {"latency-monitor-threshold", Kind::number, "0"},
    {"lazyfree-lazy-user-del", Kind::text, "no"},
    {"lazyfree-lazy-user-flush", Kind::text, "no"},
    {"list-compress-depth", Kind::number, "0"},
    {"list-max-listpack-size", Kind::text, "-2"},
    {"list-max-ziplist-size", Kind::text, "-2"},
    {"lua-time-limit", Kind::number, "5000"},
    {"map-bytes", Kind::memory, "0"},
    {"maxclients", Kind::number, "10000", 1},
    {"maxmemory", Kind::memory, "0"},
    {"maxmemory-policy", Kind::text, "noeviction"},
    {"maxmemory-samples", Kind::number, "5"},
    {"notify-keyspace-events", Kind::keyspace_events, ""},
    {"port", Kind::fixed, "0"},
    {"protected-mode", Kind::boolean, "yes"},
    {"proto-max-bulk-len", Kind::fixed, "67108864"},
    {"repair-bandwidth", Kind::memory, "0"},
    {"requirepass", Kind::secret, ""},
    {"save", Kind::text, ""},
    {"set-max-intset-entries", Kind::number, "512"},
    {"set-max-listpack-entries", Kind::number, "128"},
    {"slowlog-log-slower-than", Kind::number, "10000", -1},
    {"slowlog-max-len", Kind::number, "128"},
    {"space-stop", Kind::fixed, "85"},
    {"tcp-keepalive", Kind::fixed, "300"},
    {"timeout", Kind::number, "0"},
    {"tls-auth-clients", Kind::fixed, "yes"},
    {"tls-ca-cert-file", Kind::fixed, ""},
    {"tls-cert-file", Kind::fixed, ""},
    {"tls-key-file", Kind::fixed, ""},
    {"tls-port", Kind::fixed, "0"},
    {"zset-max-listpack-entries", Kind::number, "128"},
    {"zset-max-listpack-value", Kind::number, "64"},
    {"zset-max-ziplist-entries", Kind::number, "128"},
    {"zset-max-ziplist-value", Kind::number, "64"},
};

std::string number_refusal(std::int64_t min, BytesView text) {
    const std::optional<std::int64_t> number = parse_integer(text);
    if (!number) return "argument couldn't be parsed into an integer";
    if (*number >= min) return {};
    return "argument must be between " + std::to_string(min) + " and 9223372036854775807 inclusive";
}

/// What is slow. Precondition: the setting is a number.
void apply_threshold(CommandHost& host, BytesView name) {
    const std::int64_t value = parse_integer(host.config().find(name)->value).value_or(0);
    const auto number = static_cast<std::uint64_t>(value);
    Observation& observation = host.observation();
    if (equal_nocase(name, "slowlog-log-slower-than")) {
        observation.slow_log.set_slower_than(value < 0 ? std::nullopt : std::optional(number));
    } else if (equal_nocase(name, "slowlog-max-len")) {
        observation.slow_log.set_length_max(number);
    } else if (equal_nocase(name, "latency-monitor-threshold")) {
        observation.latency.set_threshold(number);
    }
}

/// What is about users. Precondition: the value is not refused.
void apply_access(CommandHost& host, BytesView name, const Bytes& value) {
    if (equal_nocase(name, "requirepass")) {
        host.users().set_default_password(value);
    } else if (equal_nocase(name, "acllog-max-len")) {
        host.users().log().set_length_max(
            static_cast<std::uint64_t>(parse_integer(value).value_or(0)));
    } else if (equal_nocase(name, "acl-pubsub-default")) {
        host.users().set_channels_by_default(equal_nocase(value, "allchannels"));
    }
}

Result<void> get_command(CommandContext& context) {
    std::vector<const ConfigTable::Entry*> found;
    for (const ConfigTable::Entry& entry : context.host.config().entries()) {
        for (std::size_t i = 2; i < context.count(); ++i) {
            if (!glob_match_nocase(context.argument(i), entry.name)) continue;
            found.push_back(&entry);
            break;
        }
    }
    context.reply.map(found.size());
    for (const ConfigTable::Entry* entry : found) {
        context.reply.bulk(entry->name);
        context.reply.bulk(entry->value);
    }
    return {};
}

/// Everything is checked before anything is set.
Bytes refusal_of_all(const CommandContext& context) {
    for (std::size_t i = 2; i < context.count(); i += 2) {
        const Bytes& name = context.argument(i);
        const ConfigTable::Entry* const entry = context.host.config().find(name);
        if (entry == nullptr) {
            return "ERR Unknown option or number of arguments for CONFIG SET - '" + name + "'";
        }
        // What is so already is granted: tools set what they have got.
        const bool same = entry->value == context.argument(i + 1);
        std::string refusal =
            same ? std::string() : ConfigTable::refusal(*entry, context.argument(i + 1));
        for (std::size_t j = 2; j < i; j += 2) {
            if (equal_nocase(context.argument(j), name)) refusal = "duplicate parameter";
        }
        if (!refusal.empty()) {
            return "ERR CONFIG SET failed (possibly related to argument '" + name + "') - " +
                   refusal;
        }
    }
    return {};
}

Result<void> set_command(CommandContext& context) {
    if (context.count() % 2 != 0) {
        reply_wrong_arity(context.reply, "config|set");
        return {};
    }
    const Bytes refusal = refusal_of_all(context);
    if (!refusal.empty()) {
        context.reply.error(refusal);
        return {};
    }
    for (std::size_t i = 2; i < context.count(); i += 2) {
        context.host.config().set(context.argument(i), context.argument(i + 1));
        context.host.setting_changed(context.host.config().find(context.argument(i))->name,
                                     context.argument(i + 1));
        apply_threshold(context.host, context.argument(i));
        apply_access(context.host, context.argument(i), context.argument(i + 1));
    }
    context.reply.simple("OK");
    return {};
}

Result<void> resetstat_command(CommandContext& context) {
    ServerFigures& figures = context.host.figures();
    figures.connections_received = 0;
    figures.connections_rejected = 0;
    figures.commands_processed = 0;
    figures.errors_replied = 0;
    figures.keyspace_hits = 0;
    figures.keyspace_misses = 0;
    figures.bytes_in = 0;
    figures.bytes_out = 0;
    figures.clients_cut = 0;
    context.host.observation().statistics.reset();
    context.reply.simple("OK");
    return {};
}

/// A file that people wrote, with their comments and secrets' places, is left to them.
Result<void> rewrite_command(CommandContext& context) {
    context.reply.error(
        "ERR The server does not write its configuration file; what is set at run time must be set "
        "there to outlast a restart");
    return {};
}

Result<void> help_command(CommandContext& context) {
    constexpr BytesView lines[] = {
        "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET <pattern> [<pattern> ...]",
        "    Settings whose names match a pattern, with their values.",
        "SET <setting> <value> [<setting> <value> ...]",
        "    Gives settings values until the server stops: all of them, or none.",
        "RESETSTAT",
        "    Sets counters of INFO to zero.",
        "REWRITE",
        "    An error: the configuration file is left to who wrote it.",
        "HELP",
        "    These lines.",
    };
    reply_help(context.reply, lines);
    return {};
}

constexpr BytesView group = "server";
constexpr unsigned admin = flag::admin | flag::loading;

// A row is easier to read in few lines.
// clang-format off
constexpr Command subcommands[] = {
    {"get", -3, admin, {}, group, "2.0.0", "O(N) with N patterns",
     "Returns settings whose names match patterns", get_command, {}},
    {"help", 2, flag::loading, {}, group, "5.0.0", "O(1)", "Returns what the subcommands are for",
     help_command, {}},
    {"resetstat", 2, admin, {}, group, "2.0.0", "O(1)", "Sets counters of INFO to zero",
     resetstat_command, {}},
    {"rewrite", 2, admin, {}, group, "2.8.0", "O(1)",
     "An error: nobody but its owner writes the configuration file", rewrite_command, {}},
    {"set", -4, admin, {}, group, "2.0.0", "O(N) with N settings",
     "Notes settings of Redis; some of them change what the server does", set_command, {}},
};
// clang-format on

}  // namespace

std::optional<std::uint64_t> parse_memory(BytesView text) {
    constexpr std::pair<BytesView, std::uint64_t> units[] = {
        {"", 1},           {"b", 1},
        {"k", 1000},       {"kb", limits::kib},
        {"m", 1000000},    {"mb", limits::mib},
        {"g", 1000000000}, {"gb", 1024 * limits::mib}};
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
    if (digits == 0 || error != std::errc()) return std::nullopt;
    for (const auto& [name, bytes] : units) {
        if (!equal_nocase(text.substr(digits), name)) continue;
        if (number > std::numeric_limits<std::uint64_t>::max() / bytes) return std::nullopt;
        return number * bytes;
    }
    return std::nullopt;
}

ConfigTable::ConfigTable() {
    for (const Default& entry : defaults) {
        entries_.push_back(
            Entry{entry.name, entry.kind, std::string(entry.value), entry.number_min});
    }
    set("client-output-buffer-limit", {});
}

const ConfigTable::Entry* ConfigTable::find(BytesView name) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return equal_nocase(entry.name, name);
    });
    return found == entries_.end() ? nullptr : &*found;
}

std::string ConfigTable::refusal(const Entry& entry, BytesView value) {
    switch (entry.kind) {
        case Kind::fixed:
            return "can't set immutable config";
        case Kind::number:
            return number_refusal(entry.number_min, value);
        case Kind::memory:
            return parse_memory(value) ? "" : "argument must be a memory value";
        case Kind::boolean:
            return equal_nocase(value, "yes") || equal_nocase(value, "no")
                       ? ""
                       : "argument must be 'yes' or 'no'";
        case Kind::channels:
            return equal_nocase(value, "allchannels") || equal_nocase(value, "resetchannels")
                       ? ""
                       : "argument(s) must be one of the following: allchannels, resetchannels";
        case Kind::output_limits:
            return OutputLimits().parse(value);
        case Kind::keyspace_events:
            return KeyspaceEvents().parse(value);
        case Kind::text:
        case Kind::secret:
            break;
    }
    return {};
}

void ConfigTable::set(BytesView name, std::string value) {
    for (Entry& entry : entries_) {
        if (!equal_nocase(entry.name, name)) continue;
        if (entry.kind == Kind::output_limits) {
            (void)output_limits_.parse(value);  // it was not refused
            value = to_string(output_limits_);
        } else if (entry.kind == Kind::keyspace_events) {
            (void)keyspace_events_.parse(value);  // likewise
            value = keyspace_events_.text();
        } else if (entry.kind == Kind::memory) {
            if (const auto bytes = parse_memory(value)) value = std::to_string(*bytes);
        }
        if (entry.kind == Kind::boolean || entry.kind == Kind::channels) value = lower(value);
        if (entry.kind != Kind::secret) entry.value = std::move(value);
        return;
    }
}

std::span<const Command> config_subcommands() {
    return subcommands;
}

}  // namespace syncline
