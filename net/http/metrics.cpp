#include "net/http/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <utility>

namespace syncline {
namespace {

using prometheus::MetricType;
using Labels = std::vector<prometheus::ClientMetric::Label>;

class Families {
public:
    /// Adds one series; series of one name must follow each other.
    void add(const char* name, MetricType type, const char* help, double value,
             Labels labels = {}) {
        if (families_.empty() || families_.back().name != name) {
            families_.push_back({name, help, type, {}});
        }
        prometheus::ClientMetric metric;
        metric.label = std::move(labels);
        metric.counter.value = type == MetricType::Counter ? value : 0;
        metric.gauge.value = type == MetricType::Gauge ? value : 0;
        families_.back().metric.push_back(std::move(metric));
    }
    void counter(const char* name, const char* help, std::uint64_t value) {
        add(name, MetricType::Counter, help, static_cast<double>(value));
    }
    void gauge(const char* name, const char* help, std::uint64_t value) {
        add(name, MetricType::Gauge, help, static_cast<double>(value));
    }
    [[nodiscard]] Bytes text() const {
        return prometheus::TextSerializer().prometheus::Serializer::Serialize(families_);
    }

private:
    std::vector<prometheus::MetricFamily> families_;
};

void add_server(CommandHost& host, const HttpFigures& http, Families& out) {
    const ServerFigures& figures = host.figures();
    const std::uint64_t up_ms = host.env().clock.steady_ms() - figures.started_ms;
    out.add("syncline_build_info", MetricType::Gauge, "Always 1; the labels say what runs", 1,
            {{"version", figures.version}, {"commit", figures.commit}, {"node", figures.node}});
    out.add("syncline_uptime_seconds", MetricType::Gauge, "Time since the start",
            static_cast<double>(up_ms) / 1000);
    const Health health = host.health();
    out.gauge("syncline_ready", "1 if /readyz answers 200", health.ready() ? 1 : 0);
    out.gauge("syncline_health_reasons", "Reasons that /readyz lists", health.reasons.size());
    out.gauge("syncline_clients", "Connected clients", host.clients().size());
    out.counter("syncline_connections_total", "Client connections accepted",
                figures.connections_received);
    out.counter("syncline_connections_rejected_total", "Client connections beyond the limit",
                figures.connections_rejected);
    out.counter("syncline_commands_total", "Requests of clients", figures.commands_processed);
    out.counter("syncline_error_replies_total", "Requests answered with an error",
                figures.errors_replied);
    out.counter("syncline_keyspace_hits_total", "Reads of keys that exist", figures.keyspace_hits);
    out.counter("syncline_keyspace_misses_total", "Reads of keys that do not exist",
                figures.keyspace_misses);
    out.counter("syncline_client_input_bytes_total", "Bytes that clients sent", figures.bytes_in);
    out.counter("syncline_client_output_bytes_total", "Bytes of replies", figures.bytes_out);
    out.counter("syncline_log_flushes_total", "Writes of the log made durable", figures.flushes);
    out.gauge("syncline_base_bytes", "Size of the base's file", figures.base_bytes);
    out.counter("syncline_http_requests_total", "Requests to the HTTP port", http.requests);
    out.gauge("syncline_http_connections", "Connections to the HTTP port", http.connections);
    out.gauge("syncline_http_streams", "Connections that receive events", http.streams);
}

void add_replica(Replica& replica, Families& out) {
    const ReplicaStats& stats = replica.stats();
    Group& group = replica.group();
    const Log& log = replica.log();
    out.gauge("syncline_keys", "Existing keys", group.keys_count());
    out.gauge("syncline_rows", "Rows, removed elements that are still remembered included",
              group.leaf_sums().root().count);
    out.counter("syncline_events_local_total", "Transactions made here", stats.events_local);
    out.counter("syncline_events_applied_total", "Transactions of peers applied",
                stats.events_applied);
    out.counter("syncline_events_duplicate_total", "Transactions that came once more",
                stats.events_duplicate);
    out.counter("syncline_batches_sent_total", "Batches sent to peers", stats.batches_sent);
    out.counter("syncline_batches_received_total", "Batches of peers", stats.batches_received);
    out.counter("syncline_compressible_bytes_total",
                "Bytes of messages to peers that went compressed, before they were",
                stats.compressible_bytes);
    out.counter("syncline_compressed_bytes_total", "Bytes of the same messages as they went",
                stats.compressed_bytes);
    out.counter("syncline_sessions_completed_total", "Merkle sessions that ended well",
                stats.sessions_completed);
    out.counter("syncline_sessions_failed_total", "Merkle sessions given up",
                stats.sessions_failed);
    out.counter("syncline_sessions_served_total", "Merkle sessions of peers served",
                stats.sessions_served);
    out.gauge("syncline_session_active", "1 while a Merkle session pulls",
              replica.session_active() ? 1 : 0);
    out.counter("syncline_session_rows_received_total", "Rows that came in Merkle sessions",
                stats.session_rows_received);
    out.counter("syncline_session_metadata_bytes_total", "Bytes of Merkle sessions without rows",
                stats.session_metadata_bytes);
    out.counter("syncline_repair_sent_bytes_total", "Bytes of rows sent in sessions and copies",
                replica.repair_budget().spent_bytes());
    out.gauge("syncline_repair_bandwidth_bytes",
              "Cap of the same, in bytes a second (repair-bandwidth); 0: none",
              replica.repair_budget().rate());
    out.counter("syncline_checkpoints_total", "Checkpoints finished", stats.checkpoints);
    out.counter("syncline_divergence_alarms_total", "Unequal data at equal version vectors",
                stats.divergence_alarms);
    out.counter("syncline_list_elements_removed_again_total",
                "Removals of list elements that another replica had removed: handed out twice",
                stats.elements_removed_again);
    out.counter("syncline_causality_errors_total", "Transactions that came before their past",
                stats.causality_errors);
    out.counter("syncline_clock_pauses_total", "Links paused for a clock too far ahead",
                stats.clock_pauses);
    out.gauge("syncline_log_bytes", "Log kept, from its first record to its end",
              log.end() - log.base());
    out.gauge("syncline_log_unflushed_bytes", "Log that is not durable yet",
              log.end() - log.durable());
    out.gauge("syncline_overlay_bytes", "Changes in memory that wait for a checkpoint",
              group.store().overlay_bytes());
}

void add_membership(const Membership& membership, Families& out) {
    out.gauge("syncline_membership_epoch", "Of the membership record; 0: there is none",
              membership.epoch());
    out.gauge("syncline_membership_members", "Replicas that the membership record names",
              membership.record().members.size());
}

void add_damage(const Replica& replica, Families& out) {
    const ScrubStatus status = replica.scrub_status();
    out.gauge("syncline_damaged_buckets",
              "Buckets of rows not shown to anybody until a peer's rows replace them",
              status.damaged);
    out.counter("syncline_damages_total", "Faults found in what is stored", status.damages);
    out.counter("syncline_repaired_buckets_total", "Buckets repaired by a peer's rows",
                status.repaired);
    out.counter("syncline_scrub_rows_total", "Rows looked at by scrubs", status.rows_ever);
    out.counter("syncline_scrub_passes_total", "Scrubs that have come to their end", status.passes);
    out.gauge("syncline_scrub_last_seconds", "When the last scrub ended; 0: none did",
              status.last_ms / 1000);
}

void add_space(const Replica& replica, Families& out) {
    const SpaceUse& use = replica.space().use();
    out.gauge("syncline_space_closed", "1 while writes that add something are refused",
              replica.refuses_growth() ? 1 : 0);
    out.gauge("syncline_map_bytes_max", "Limit of the rows on disk (map-bytes); 0: none",
              replica.space().options().map_bytes);
    out.gauge("syncline_map_bytes", "Address space for the rows on disk", use.base.map_bytes);
    out.gauge("syncline_map_used_bytes", "Rows on disk, pages that hold something",
              use.base.used_bytes());
    out.gauge("syncline_map_reserved_bytes", "Disk set aside for the rows",
              use.base.reserved_bytes);
    out.gauge("syncline_disk_bytes", "Size of the data directory's file system",
              use.disk.total_bytes);
    out.gauge("syncline_disk_free_bytes", "Free on the data directory's file system",
              use.disk.free_bytes);
    out.gauge("syncline_oldest_reader_commits",
              "Commits that the oldest read view of the rows outlived, at the last one",
              use.base.reader_commits);
    out.counter("syncline_turns_long_total", "Turns of more than a second",
                replica.stats().turns_long);
    out.counter("syncline_writes_refused_total", "Writes refused for want of space",
                replica.stats().writes_refused);
    out.counter("syncline_storage_waits_total", "Flushes and checkpoints that found no space",
                replica.stats().storage_waits);
}

struct PeerSeries {
    const char* name;
    MetricType type;
    const char* help;
    /// Nothing: not known, no sample.
    std::optional<double> (*value)(const PeerView&, const PeerStatus*, const Replica*);
};

constexpr PeerSeries peer_series[] = {
    {"syncline_peer_up", MetricType::Gauge, "1 while there is a link to the peer",
     [](const PeerView& peer, const PeerStatus*, const Replica*) -> std::optional<double> {
         return peer.connected ? 1 : 0;
     }},
    {"syncline_peer_last_contact_seconds", MetricType::Gauge,
     "Time since anything was heard from the peer",
     [](const PeerView& peer, const PeerStatus*, const Replica*) -> std::optional<double> {
         if (!peer.silent_ms) return std::nullopt;
         return static_cast<double>(*peer.silent_ms) / 1000;
     }},
    {"syncline_peer_input_bytes_total", MetricType::Counter, "Bytes from the peer",
     [](const PeerView& peer, const PeerStatus*, const Replica*) -> std::optional<double> {
         return static_cast<double>(peer.bytes_in);
     }},
    {"syncline_peer_output_bytes_total", MetricType::Counter, "Bytes to the peer",
     [](const PeerView& peer, const PeerStatus*, const Replica*) -> std::optional<double> {
         return static_cast<double>(peer.bytes_out);
     }},
    {"syncline_peer_unacknowledged_bytes", MetricType::Gauge,
     "Durable log that a connected peer has not consumed",
     [](const PeerView&, const PeerStatus* status,
        const Replica* replica) -> std::optional<double> {
         if (status == nullptr || replica == nullptr || status->sent_position == 0) {
             return std::nullopt;
         }
         return static_cast<double>(replica->log().durable() - status->acked_position);
     }},
};

void add_peers(CommandHost& host, Families& out) {
    const std::vector<PeerView> peers = host.peers();
    const Replica* const replica = host.replica();
    const std::vector<PeerStatus> statuses =
        replica == nullptr ? std::vector<PeerStatus>() : replica->peers();
    const auto labels = [](const PeerView& peer) {
        return Labels{{"peer", peer.name.empty() ? peer.address : peer.name},
                      {"uuid", peer.uuid.is_nil() ? std::string() : to_string(peer.uuid)}};
    };
    for (const PeerSeries& series : peer_series) {
        for (const PeerView& peer : peers) {
            const auto status =
                std::find_if(statuses.begin(), statuses.end(),
                             [&](const PeerStatus& one) { return peer.link == one.link; });
            const std::optional<double> value =
                series.value(peer, status == statuses.end() ? nullptr : &*status, replica);
            if (value) out.add(series.name, series.type, series.help, *value, labels(peer));
        }
    }
}

void add_lags(CommandHost& host, Families& out) {
    const ReplicationView view = host.replication();
    const auto labels = [&](const ReplicationView::Pair& pair) {
        return Labels{{"from", view.nodes[pair.from].name},
                      {"to", view.nodes[pair.to].name},
                      {"from_uuid", to_string(view.nodes[pair.from].uuid)},
                      {"to_uuid", to_string(view.nodes[pair.to].uuid)}};
    };
    for (const ReplicationView::Pair& pair : view.pairs) {
        out.add("syncline_replication_lag_events", MetricType::Gauge,
                "Transactions of `from` that `to` lacks, as known here",
                static_cast<double>(pair.lag_events), labels(pair));
    }
    for (const ReplicationView::Pair& pair : view.pairs) {
        out.add("syncline_replication_lag_seconds", MetricType::Gauge,
                "Age of the oldest transaction of `from` that `to` lacks, as known here",
                static_cast<double>(pair.lag_ms) / 1000, labels(pair));
    }
}

}  // namespace

Bytes metrics_text(CommandHost& host, const HttpFigures& http) {
    Families families;
    add_server(host, http, families);
    if (Replica* const replica = host.replica(); replica != nullptr) {
        add_replica(*replica, families);
        add_space(*replica, families);
        add_membership(replica->membership(), families);
        add_damage(*replica, families);
    }
    add_peers(host, families);
    add_lags(host, families);
    return families.text();
}

}  // namespace syncline
