#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "net/commands/arguments.hpp"
#include "net/commands/dispatcher.hpp"
#include "net/commands/memory_use.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

/// "1.50M", as Redis writes sizes for people.
std::string human(std::uint64_t bytes) {
    constexpr BytesView units[] = {"B", "K", "M", "G", "T"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < std::size(units); ++unit) value /= 1024;
    char text[32];
    (void)std::snprintf(text, sizeof text, unit == 0 ? "%.0f" : "%.2f", value);  // always fits
    return text + std::string(units[unit]);
}

void server_section(const CommandContext& context, InfoLines& lines) {
    const ServerFigures& figures = context.host.figures();
    const Env env = context.host.env();
    utsname system{};
    (void)uname(&system);  // cannot fail with a valid buffer
    const std::uint64_t uptime_s = (env.clock.steady_ms() - figures.started_ms) / 1000;
    lines.title("Server");
    lines.add("redis_version", redis_version);
    lines.add("redis_mode", "standalone");
    lines.add("syncline_version", figures.version);
    lines.add("syncline_commit", figures.commit);
    lines.add("os", std::string(system.sysname) + " " + system.release + " " + system.machine);
    lines.add("arch_bits", 8 * sizeof(void*));
    lines.add("process_id", static_cast<std::uint64_t>(getpid()));
    lines.add("run_id", figures.node);
    lines.add("tcp_port", figures.port);
    lines.add("http_port", figures.http_port);
    lines.add("server_time_usec", env.clock.wall_ms() * 1000);
    lines.add("uptime_in_seconds", uptime_s);
    lines.add("uptime_in_days", uptime_s / 86400);
    lines.add("hz", 10);
}

void clients_section(const CommandContext& context, InfoLines& lines) {
    lines.title("Clients");
    lines.add("connected_clients", context.host.clients().size());
    lines.add("maxclients", context.host.config().find("maxclients")->value);
    lines.add("blocked_clients", context.dispatcher.interest().blocked_count());
}

void memory_section(const CommandContext& context, InfoLines& lines) {
    const MemoryUse use = memory_use();
    lines.title("Memory");
    lines.add("used_memory", use.used);
    lines.add("used_memory_human", human(use.used));
    lines.add("used_memory_rss", use.resident);
    lines.add("used_memory_peak", use.peak);
    lines.add("used_memory_peak_human", human(use.peak));
    lines.add("mem_allocator", use.allocator);
    lines.add("maxmemory", 0);
    lines.add("maxmemory_policy", "noeviction");
    if (Replica* const replica = context.host.replica(); replica != nullptr) {
        lines.add("overlay_bytes", replica->group().store().overlay_bytes());
    }
}

void add_space(const Replica& replica, InfoLines& lines) {
    const SpaceUse& use = replica.space().use();
    lines.add("space_closed_by", name_of(replica.space().closed()));
    lines.add("space_waits", replica.waits_for_space() ? 1 : 0);
    lines.add("map_bytes_max", replica.space().options().map_bytes);
    lines.add("map_bytes", use.base.map_bytes);
    lines.add("map_file_bytes", use.base.file_bytes);
    lines.add("map_used_bytes", use.base.used_bytes());
    lines.add("map_reserved_bytes", use.base.reserved_bytes);
    lines.add("disk_bytes", use.disk.total_bytes);
    lines.add("disk_free_bytes", use.disk.free_bytes);
    lines.add("oldest_reader_commits", use.base.reader_commits);
    lines.add("readers_freed", replica.stats().readers_freed);
    lines.add("turn_ms_max", replica.stats().turn_ms_max);
    lines.add("writes_refused", replica.stats().writes_refused);
}

void add_damage(const Replica& replica, InfoLines& lines) {
    const ScrubStatus status = replica.scrub_status();
    lines.add("damaged_buckets", status.damaged);
    lines.add("damages_found", status.damages);
    lines.add("repaired_buckets", status.repaired);
    lines.add("scrub_in_progress", status.running ? 1 : 0);
    lines.add("scrub_passes", status.passes);
    lines.add("scrub_rows", status.rows_ever);
    lines.add("scrub_last_ms", status.last_ms);
    lines.add("scrub_last_faults", status.last_faults);
}

/// In Redis's names, but in rows: how many bytes they have is known when they have come.
void add_copy(const CommandContext& context, const CopyProgress& copy, InfoLines& lines) {
    const std::uint64_t took_ms = context.host.env().clock.steady_ms() - copy.begun_ms;
    const std::uint64_t left = copy.rows_expected - std::min(copy.rows, copy.rows_expected);
    lines.add("loading_rows", copy.rows);
    lines.add("loading_rows_expected", copy.rows_expected);
    lines.add("loading_loaded_bytes", copy.bytes);
    lines.add("loading_loaded_perc", copy.percent());
    lines.add("loading_eta_seconds", copy.rows == 0 ? 0 : took_ms * left / copy.rows / 1000);
}

void persistence_section(const CommandContext& context, InfoLines& lines) {
    Replica* const replica = context.host.replica();
    lines.title("Persistence");
    lines.add("loading", replica == nullptr ? 1 : 0);
    if (const std::optional<CopyProgress> copy = context.host.copying())
        add_copy(context, *copy, lines);
    lines.add("rdb_bgsave_in_progress", 0);
    lines.add("aof_enabled", 1);
    lines.add("aof_rewrite_in_progress", 0);
    const bool waits = replica != nullptr && replica->waits_for_space();
    lines.add("aof_last_write_status", waits ? "err" : "ok");
    if (replica == nullptr) return;
    lines.add("checkpoint_in_progress", replica->group().store().checkpoint_under_way() ? 1 : 0);
    lines.add("checkpoints", replica->stats().checkpoints);
    lines.add("log_base", replica->log().base());
    lines.add("log_end", replica->log().end());
    lines.add("log_durable", replica->log().durable());
    lines.add("log_flushes", context.host.figures().flushes);
    add_space(*replica, lines);
    add_damage(*replica, lines);
}

void stats_section(const CommandContext& context, InfoLines& lines) {
    const ServerFigures& figures = context.host.figures();
    lines.title("Stats");
    lines.add("total_connections_received", figures.connections_received);
    lines.add("total_commands_processed", figures.commands_processed);
    lines.add("instantaneous_ops_per_sec", figures.commands_per_second);
    lines.add("total_net_input_bytes", figures.bytes_in);
    lines.add("total_net_output_bytes", figures.bytes_out);
    lines.add("rejected_connections", figures.connections_rejected);
    const Replica* const replica = context.host.replica();
    lines.add("expired_keys", replica == nullptr ? 0 : replica->stats().keys_expired);
    lines.add("evicted_keys", 0);
    lines.add("keyspace_hits", figures.keyspace_hits);
    lines.add("keyspace_misses", figures.keyspace_misses);
    lines.add("pubsub_channels", context.host.pubsub().names_count(ChannelSpace::plain));
    lines.add("pubsub_patterns", context.host.pubsub().names_count(ChannelSpace::pattern));
    lines.add("pubsubshard_channels", context.host.pubsub().names_count(ChannelSpace::shard));
    lines.add("total_error_replies", figures.errors_replied);
    lines.add("client_output_buffer_limit_disconnections", figures.clients_cut);
}

void cpu_section(const CommandContext& /*context*/, InfoLines& lines) {
    rusage usage{};
    (void)getrusage(RUSAGE_SELF, &usage);  // cannot fail with a valid buffer
    const auto seconds = [](const timeval& time) {
        std::string micros = std::to_string(time.tv_usec);
        micros.insert(0, 6 - std::min<std::size_t>(micros.size(), 6), '0');
        return std::to_string(time.tv_sec) + "." + micros;
    };
    lines.title("CPU");
    lines.add("used_cpu_sys", seconds(usage.ru_stime));
    lines.add("used_cpu_user", seconds(usage.ru_utime));
}

void keyspace_section(const CommandContext& context, InfoLines& lines) {
    lines.title("Keyspace");
    Replica* const replica = context.host.replica();
    if (replica == nullptr || replica->group().keys_count() == 0) return;
    lines.add("db0",
              "keys=" + std::to_string(replica->group().keys_count()) + ",expires=0,avg_ttl=0");
}

void add_replica(const Replica& replica, Group& group, InfoLines& lines) {
    const ReplicaStats& stats = replica.stats();
    const LeafSum& root = group.leaf_sums().root();
    lines.add("actor", to_string(replica.actor()));
    lines.add("root", to_hex(root.sum));
    lines.add("rows", root.count);
    lines.add("version_vector", to_string(group.vv()));
    lines.add("durable_version_vector", to_string(replica.durable_vv()));
    lines.add("clock_ms", group.clock().last().ms());
    lines.add("session_active", replica.session_active() ? 1 : 0);
    const std::pair<BytesView, std::uint64_t> counters[] = {
        {"events_local", stats.events_local},
        {"events_applied", stats.events_applied},
        {"events_duplicate", stats.events_duplicate},
        {"batches_sent", stats.batches_sent},
        {"batches_received", stats.batches_received},
        {"messages_compressed", stats.messages_compressed},
        {"compressible_bytes", stats.compressible_bytes},
        {"compressed_bytes", stats.compressed_bytes},
        {"sessions_completed", stats.sessions_completed},
        {"sessions_failed", stats.sessions_failed},
        {"sessions_served", stats.sessions_served},
        {"session_rows_received", stats.session_rows_received},
        {"session_metadata_bytes", stats.session_metadata_bytes},
        {"session_messages", stats.session_messages},
        {"repair_bandwidth", replica.repair_budget().rate()},
        {"repair_bytes_sent", replica.repair_budget().spent_bytes()},
        {"rows_collected", stats.rows_collected},
        {"list_elements_removed_again", stats.elements_removed_again},
        {"divergence_alarms", stats.divergence_alarms},
        {"causality_errors", stats.causality_errors},
        {"clock_pauses", stats.clock_pauses},
        {"publications_sent", stats.publications_sent},
        {"publications_received", stats.publications_received},
        {"publications_duplicate", stats.publications_duplicate},
    };
    for (const auto& [name, value] : counters) lines.add(name, value);
}

void syncline_section(const CommandContext& context, InfoLines& lines) {
    const ServerFigures& figures = context.host.figures();
    const std::vector<PeerView> peers = context.host.peers();
    lines.title("Syncline");
    lines.add("node", figures.node);
    lines.add("cluster", figures.cluster.empty() ? "waiting" : figures.cluster);
    lines.add("peers", peers.size());
    lines.add("peers_connected", static_cast<std::uint64_t>(std::count_if(
                                     peers.begin(), peers.end(),
                                     [](const PeerView& peer) { return peer.connected; })));
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    Replica* const replica = context.host.replica();
    std::uint64_t dropped = replica == nullptr ? 0 : replica->stats().publications_dropped;
    for (const PeerView& peer : peers) {
        dropped += peer.publications_dropped;
        bytes_in += peer.bytes_in;
        bytes_out += peer.bytes_out;
    }
    lines.add("peer_bytes_in", bytes_in);
    lines.add("peer_bytes_out", bytes_out);
    if (replica != nullptr) add_replica(*replica, replica->group(), lines);
    lines.add("publications_dropped", dropped);
    for (std::size_t i = 0; i < peers.size(); ++i) {
        const PeerView& peer = peers[i];
        lines.add("peer" + std::to_string(i), "name=" + peer.name + ",address=" + peer.address +
                                                  ",link=" +
                                                  (peer.connected ? "up"
                                                   : peer.blocked ? "blocked"
                                                                  : "down") +
                                                  ",bytes_in=" + std::to_string(peer.bytes_in) +
                                                  ",bytes_out=" + std::to_string(peer.bytes_out));
    }
}

void conflicts_section(const CommandContext& context, InfoLines& lines) {
    lines.title("Conflicts");
    Replica* const replica = context.host.replica();
    if (replica == nullptr) return;
    const ConflictRing& ring = replica->group().conflicts();
    lines.add("conflicts_recorded", ring.recorded());
    lines.add("conflicts_dropped", ring.dropped());
    lines.add("conflicts_bytes", ring.bytes());
    for (const ConflictKind kind : conflict_kinds) {
        std::string name = "conflicts_" + std::string(conflict_kind_name(kind));
        std::replace(name.begin(), name.end(), '-', '_');
        lines.add(name, ring.recorded(kind));
    }
}

std::string decimal(double value, int digits) {
    char text[64];
    (void)std::snprintf(text, sizeof text, "%.*f", digits, value);  // always fits
    return text;
}

void errorstats_section(const CommandContext& context, InfoLines& lines) {
    lines.title("Errorstats");
    for (const auto& [code, count] : context.host.observation().statistics.errors()) {
        lines.add("errorstat_" + code, "count=" + std::to_string(count));
    }
}

void commandstats_section(const CommandContext& context, InfoLines& lines) {
    lines.title("Commandstats");
    for (const CallFigures* const figures : context.host.observation().statistics.commands()) {
        const double per_call = figures->calls == 0 ? 0
                                                    : static_cast<double>(figures->us) /
                                                          static_cast<double>(figures->calls);
        lines.add("cmdstat_" + figures->full_name,
                  "calls=" + std::to_string(figures->calls) + ",usec=" +
                      std::to_string(figures->us) + ",usec_per_call=" + decimal(per_call, 2) +
                      ",rejected_calls=" + std::to_string(figures->rejected) +
                      ",failed_calls=" + std::to_string(figures->failed));
    }
}

void latencystats_section(const CommandContext& context, InfoLines& lines) {
    lines.title("Latencystats");
    for (const CallFigures* const figures : context.host.observation().statistics.commands()) {
        if (!figures->durations) continue;
        const auto percentile = [&](double percent) {
            return decimal(static_cast<double>(figures->durations->percentile(percent)), 3);
        };
        lines.add(
            "latency_percentiles_usec_" + figures->full_name,
            "p50=" + percentile(50) + ",p99=" + percentile(99) + ",p99.9=" + percentile(99.9));
    }
}

struct Section {
    BytesView name;
    void (*write)(const CommandContext&, InfoLines&);
    bool by_default = true;
};
constexpr Section sections[] = {
    {"server", server_section},
    {"clients", clients_section},
    {"memory", memory_section},
    {"persistence", persistence_section},
    {"stats", stats_section},
    {"replication", replication_section},
    {"cpu", cpu_section},
    {"keyspace", keyspace_section},
    {"syncline", syncline_section},
    {"conflicts", conflicts_section},
    {"errorstats", errorstats_section},
    {"commandstats", commandstats_section, false},
    {"latencystats", latencystats_section, false},
};
/// Names that stand for all sections, and for those that are shown without a name.
constexpr BytesView all_names[] = {"all", "everything"};
constexpr BytesView default_name = "default";

bool wanted(const CommandContext& context, const Section& section) {
    for (std::size_t i = 1; i < context.count(); ++i) {
        const Bytes& name = context.argument(i);
        if (equal_nocase(name, section.name)) return true;
        if (section.by_default && equal_nocase(name, default_name)) return true;
        for (const BytesView all : all_names) {
            if (equal_nocase(name, all)) return true;
        }
    }
    return section.by_default && context.count() == 1;
}

}  // namespace

Result<void> info_command(CommandContext& context) {
    InfoLines lines;
    for (const Section& section : sections) {
        if (wanted(context, section)) section.write(context, lines);
    }
    context.reply.verbatim(lines.text());
    return {};
}

}  // namespace syncline
