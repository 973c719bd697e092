// Primary-backup mode as clients see it: ROLE, INFO replication, promotion, the suffix.
#include <algorithm>
#include <variant>

#include "core/engine/event_text.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

struct HostPort {
    std::string host;
    std::string port;
};

HostPort split(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    if (colon == std::string::npos) return {"?", "0"};
    return {address.substr(0, colon), address.substr(colon + 1)};
}

/// A peer in the same term, with what is known of it.
struct Backup {
    HostPort at;
    std::string name;
    std::uint64_t offset = 0;  ///< in the primary's log
    std::uint64_t lag_s = 0;   ///< since it was last heard
    std::uint64_t lag_events = 0;
};

std::vector<Backup> backups_of(const CommandContext& context, Replica& replica) {
    std::vector<Backup> backups;
    const std::uint64_t now_ms = context.host.env().clock.steady_ms();
    for (const PeerStatus& peer : replica.peers()) {
        if (!peer.admitted) continue;
        Backup backup;
        for (const PrimaryBackup::Member& member : replica.primary_backup().members()) {
            if (member.uuid != peer.uuid) continue;
            backup.name = member.name;
            backup.at = split(member.address);
        }
        backup.offset = std::max(replica.primary_backup().held_by(peer.uuid), peer.acked_position);
        backup.lag_s = peer.heard_ms == 0 ? 0 : (now_ms - peer.heard_ms) / 1000;
        backup.lag_events = peer.vv.lacks(replica.durable_vv());
        backups.push_back(std::move(backup));
    }
    return backups;
}

/// Reads show all that each replica known here had made durable so many milliseconds ago: its age
/// is that of the oldest knowledge of one, or of the oldest write that is known of and lacking.
std::uint64_t read_freshness_ms(const ReplicationView& view) {
    std::uint64_t age_ms = 0;
    for (const ReplicationView::Node& node : view.nodes) age_ms = std::max(age_ms, node.known_ms);
    for (const ReplicationView::Pair& pair : view.pairs) {
        if (pair.to == 0) age_ms = std::max(age_ms, pair.lag_ms);
    }
    return age_ms;
}

bool primary_connected(const Replica& replica) {
    const std::vector<PeerStatus> peers = replica.peers();
    return std::any_of(peers.begin(), peers.end(), [&](const PeerStatus& peer) {
        return peer.admitted && peer.uuid == replica.primary_backup().term().id.primary;
    });
}

void reply_master(CommandContext& context, const std::vector<Backup>& backups,
                  std::uint64_t offset) {
    RespWriter& reply = context.reply;
    reply.array(3);
    reply.bulk("master");
    reply.integer(static_cast<std::int64_t>(offset));
    reply.array(backups.size());
    for (const Backup& backup : backups) {
        reply.array(3);
        reply.bulk(backup.at.host);
        reply.bulk(backup.at.port);
        reply.bulk(std::to_string(backup.offset));
    }
}

/// The promotion that this client asked for is over, or still under way: then nothing is replied.
Result<void> reply_promoted(CommandContext& context, const Replica& replica) {
    const PrimaryBackup& mode = replica.primary_backup();
    context.client.awaits_decision = mode.standing();
    if (mode.standing()) return {};
    if (mode.role() == PrimaryBackup::Role::primary) {
        context.reply.simple("OK");
    } else {
        context.reply.error("NOQUORUM " + mode.candidacy_failure());
    }
    return {};
}

Result<void> promote_command(CommandContext& context) {
    Replica& replica = *context.host.replica();
    if (context.client.awaits_decision) return reply_promoted(context, replica);
    const bool force = context.count() == 2 && equal_nocase(context.argument(1), "force");
    if (context.count() > 2 || (context.count() == 2 && !force)) {
        context.reply.error(error_text::syntax);
        return {};
    }
    if (const Result<void> begun = replica.promote(force); !begun) {
        const bool quorum = begun.error().code == Code::unavailable;
        context.reply.error((quorum ? "NOQUORUM " : "ERR ") + begun.error().message);
        return {};
    }
    return reply_promoted(context, replica);
}

Result<void> forget_command(CommandContext& context) {
    const Result<void> done = context.host.replica()->forget(context.argument(1));
    if (done) {
        context.reply.simple("OK");
    } else {
        context.reply.error("ERR " + done.error().message);
    }
    return {};
}

constexpr std::size_t suffix_count_default = 100;
constexpr std::uint64_t suffix_count_max = 10000;

Result<void> suffix_list_command(CommandContext& context) {
    Replica& replica = *context.host.replica();
    std::uint64_t count = suffix_count_default;
    if (context.count() == 3) {
        const Result<std::int64_t> given = integer_argument(context.argument(2));
        if (!given || *given < 1) {
            context.reply.error(error_text::not_positive);
            return {};
        }
        count = std::min<std::uint64_t>(static_cast<std::uint64_t>(*given), suffix_count_max);
    }
    SYNCLINE_TRY(const std::vector<Event> events, replica.suffix_events(count));
    const bool held = replica.primary_backup().holds_suffix();
    RespWriter& reply = context.reply;
    reply.array(events.size());
    for (const Event& event : events) {
        const bool elsewhere = replica.known_elsewhere(event.dot);
        reply.map(4);
        reply.bulk("dot");
        reply.bulk(to_string(event.dot));
        reply.bulk("time_ms");
        reply.integer(static_cast<std::int64_t>(event.hlc.ms()));
        reply.bulk("state");
        reply.bulk(elsewhere ? "replicated" : held ? "held" : "merging");
        reply.bulk("operations");
        reply.array(event.ops.size());
        for (const Op& op : event.ops) reply.bulk(describe(op));
    }
    return {};
}

Result<void> suffix_merge_command(CommandContext& context) {
    const Result<void> done = context.host.replica()->merge_suffix();
    if (done) {
        context.reply.simple("OK");
    } else {
        context.reply.error("ERR " + done.error().message);
    }
    return {};
}

constexpr BytesView group = "crdt";
constexpr BytesView since = "0.2.0";

// A row is easier to read in few lines.
// clang-format off
constexpr Command suffix_commands[] = {
    {"list", -2, flag::admin, {}, group, since, "O(N) with N events of log since then",
     "Lists own events that a new primary did not have", suffix_list_command, {}},
    {"merge", 2, flag::admin, {}, group, since, "O(1)",
     "Sends held events to the other replicas after all", suffix_merge_command, {}},
};
constexpr Command commands[] = {
    {"crdt.forget", 2, flag::admin | flag::no_multi, {}, group, since, "O(N) with N members",
     "Strikes a replica that will not come back from those that are counted", forget_command, {}},
    {"crdt.promote", -1, flag::admin | flag::no_multi, {}, group, since, "O(N) with N peers",
     "Makes this backup the primary of a new term", promote_command, {}},
    {"crdt.suffix", -2, flag::admin, {}, group, since, "Depends on the subcommand",
     "Looks at events that were not replicated before another was promoted", nullptr,
     suffix_commands},
};
// clang-format on

}  // namespace

std::span<const Command> replication_commands() {
    return commands;
}

/// In multi-master mode every replica is a master without replicas: all of them take writes.
Result<void> role_command(CommandContext& context) {
    Replica* const replica = context.host.replica();
    if (replica == nullptr || !replica->primary_backup().on()) {
        reply_master(context, {}, 0);
        return {};
    }
    const PrimaryBackup& mode = replica->primary_backup();
    if (mode.role() == PrimaryBackup::Role::primary) {
        reply_master(context, backups_of(context, *replica), replica->log().durable());
        return {};
    }
    const PrimaryBackup::Member* const primary = mode.primary();
    const HostPort at = primary == nullptr ? HostPort{"?", "0"} : split(primary->address);
    RespWriter& reply = context.reply;
    reply.array(5);
    reply.bulk("slave");
    reply.bulk(at.host);
    const Result<std::int64_t> port = integer_argument(at.port);
    reply.integer(port ? *port : 0);
    reply.bulk(primary_connected(*replica) ? "connected" : "connect");
    reply.integer(static_cast<std::int64_t>(replica->log().durable()));
    return {};
}

void replication_section(const CommandContext& context, InfoLines& lines) {
    lines.title("Replication");
    Replica* const replica = context.host.replica();
    const bool on = replica != nullptr && replica->primary_backup().on();
    const bool backup = on && replica->primary_backup().read_only();
    lines.add("role", backup ? "slave" : "master");
    const std::vector<Backup> backups =
        on && !backup ? backups_of(context, *replica) : std::vector<Backup>();
    lines.add("connected_slaves", backups.size());
    for (std::size_t i = 0; i < backups.size(); ++i) {
        lines.add("slave" + std::to_string(i),
                  "ip=" + backups[i].at.host + ",port=" + backups[i].at.port +
                      ",state=online,offset=" + std::to_string(backups[i].offset) +
                      ",lag=" + std::to_string(backups[i].lag_s) + ",name=" + backups[i].name +
                      ",lag_events=" + std::to_string(backups[i].lag_events));
    }
    if (backup) {
        const PrimaryBackup::Member* const primary = replica->primary_backup().primary();
        const HostPort at = primary == nullptr ? HostPort{"?", "0"} : split(primary->address);
        lines.add("master_host", at.host);
        lines.add("master_port", at.port);
        lines.add("master_link_status", primary_connected(*replica) ? "up" : "down");
        lines.add("slave_read_only", 1);
    }
    lines.add("master_replid", context.host.figures().node);
    lines.add("master_repl_offset", replica == nullptr ? 0 : replica->log().durable());
    lines.add("read_freshness_ms", read_freshness_ms(context.host.replication()));
    if (replica != nullptr) membership_lines(*replica, lines);
    if (!on) return;
    const PrimaryBackup& mode = replica->primary_backup();
    const PrimaryBackup::Member* const primary = mode.primary();
    std::uint64_t suffix_events = 0;
    for (const auto& suffix : mode.suffixes()) suffix_events += suffix.count();
    lines.add("replication_mode", to_string(mode.options().mode));
    lines.add("term", mode.term().id.number);
    lines.add("term_primary", to_string(mode.term().id.primary));
    lines.add("term_primary_name", !backup              ? context.host.figures().node
                                   : primary == nullptr ? std::string()
                                                        : primary->name);
    lines.add("replicas_known", mode.replicas_count());
    lines.add("acks_needed", mode.acks_needed());
    lines.add("confirmed_offset", std::min(mode.released(), replica->log().durable()));
    lines.add("replies_unconfirmed", replica->stats().replies_unconfirmed);
    lines.add("batches_refused", replica->stats().batches_refused);
    lines.add("suffix_events", suffix_events);
    lines.add("suffix_held", mode.holds_suffix() ? 1 : 0);
}

}  // namespace syncline
