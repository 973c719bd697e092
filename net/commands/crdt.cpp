#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/fields.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

Result<void> clock_command(CommandContext& context) {
    const Replica& replica = *context.host.replica();
    Group& group = context.txn().group();
    // Waits, as every reader of the whole does, until all of it is durable.
    SYNCLINE_TRY(const std::uint64_t keys, context.txn().keys_count());
    const LeafSum& root = group.leaf_sums().root();
    RespWriter& reply = context.reply;
    reply.map(8);
    field(reply, "node", context.host.figures().node);
    field(reply, "actor", to_string(replica.actor()));
    field(reply, "vv", group.vv());
    field(reply, "durable_vv", replica.durable_vv());
    field(reply, "hlc", group.clock().last().bits);
    field(reply, "root", to_hex(root.sum));
    field(reply, "rows", root.count);
    field(reply, "keys", keys);
    return {};
}

void reply_peer(RespWriter& reply, const PeerView& peer, const PeerStatus* status) {
    reply.map(status == nullptr ? 9 : 15);
    field(reply, "name", peer.name);
    field(reply, "address", peer.address);
    field(reply, "uuid", peer.uuid.is_nil() ? std::string() : to_string(peer.uuid));
    field(reply, "link", peer.connected ? "up" : peer.blocked ? "blocked" : "down");
    field(reply, "direction", peer.outgoing ? "out" : "in");
    field(reply, "connected_ms", peer.connected_ms);
    field(reply, "bytes_in", peer.bytes_in);
    field(reply, "bytes_out", peer.bytes_out);
    field(reply, "silent_ms", peer.silent_ms);
    if (status == nullptr) return;
    field(reply, "actor", to_string(status->actor));
    field(reply, "ready", status->ready);
    field(reply, "vv", status->vv);
    field(reply, "sent_position", status->sent_position);
    field(reply, "acked_position", status->acked_position);
    field(reply, "state", status->describe);
}

Result<void> peers_command(CommandContext& context) {
    std::vector<PeerStatus> statuses;
    if (Replica* const replica = context.host.replica(); replica != nullptr) {
        statuses = replica->peers();
    }
    const std::vector<PeerView> peers = context.host.peers();
    context.reply.array(peers.size());
    for (const PeerView& peer : peers) {
        const PeerStatus* found = nullptr;
        for (const PeerStatus& status : statuses) {
            if (peer.link == status.link) found = &status;
        }
        reply_peer(context.reply, peer, found);
    }
    return {};
}

/// An argument that names no peer, or a peer without a link: the sentence as it is.
void reply_done(CommandContext& context, const Result<void>& done) {
    if (done) {
        context.reply.simple("OK");
    } else {
        context.reply.error("ERR " + done.error().message);
    }
}

Result<void> link_command(CommandContext& context) {
    const bool up = equal_nocase(context.argument(2), "up");
    if (!up && !equal_nocase(context.argument(2), "down")) {
        context.reply.error(error_text::syntax);
        return {};
    }
    reply_done(context, context.host.set_link(context.argument(1), up));
    return {};
}

Result<void> sync_command(CommandContext& context) {
    reply_done(context, context.host.request_session(context.argument(1)));
    return {};
}

Result<void> health_command(CommandContext& context) {
    const Health health = context.host.health();
    RespWriter& reply = context.reply;
    reply.map(3);
    field(reply, "status", status_name(health.status));
    field(reply, "ready", health.ready());
    reply.bulk("reasons");
    reply.array(health.reasons.size());
    for (const HealthReason& reason : health.reasons) {
        reply.map(3);
        field(reply, "code", reason.code);
        field(reply, "peer", reason.peer);
        field(reply, "text", reason.text);
    }
    return {};
}

Result<void> matrix_command(CommandContext& context) {
    const ReplicationView view = context.host.replication();
    RespWriter& reply = context.reply;
    reply.map(2);
    reply.bulk("nodes");
    reply.array(view.nodes.size());
    for (const ReplicationView::Node& node : view.nodes) {
        reply.map(5);
        field(reply, "name", node.name);
        field(reply, "uuid", to_string(node.uuid));
        field(reply, "connected", node.connected);
        field(reply, "known_ms", node.known_ms);
        field(reply, "events", node.events);
    }
    reply.bulk("pairs");
    reply.array(view.pairs.size());
    for (const ReplicationView::Pair& pair : view.pairs) {
        reply.map(6);
        field(reply, "from", view.nodes[pair.from].name);
        field(reply, "to", view.nodes[pair.to].name);
        field(reply, "from_uuid", to_string(view.nodes[pair.from].uuid));
        field(reply, "to_uuid", to_string(view.nodes[pair.to].uuid));
        field(reply, "lag_events", pair.lag_events);
        field(reply, "lag_ms", pair.lag_ms);
    }
    return {};
}

constexpr BytesView group = "crdt";
constexpr BytesView since = "0.1.0";

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"crdt.clock", 1, flag::readonly | flag::fast, {}, group, since, "O(N) with N actors",
     "Returns the version vector, the clock and the root of the hash tree", clock_command, {}},
    {"crdt.diff", -2, flag::admin | flag::no_multi, {}, group, since, "O(d log N), d rows differ",
     "Compares with a peer and tells what differs, changing nothing", diff_command, {}},
    {"crdt.explain", -2, flag::readonly, {1, 1, 1}, group, since, "O(N) with N cells of the key",
     "Tells why a key, or one field of it, looks as it does", explain_command, {}},
    {"crdt.health", 1, flag::loading | flag::fast, {}, group, since, "O(N) with N peers",
     "Tells whether the replica is well, and if not, why", health_command, {}},
    {"crdt.link", 3, flag::admin | flag::loading, {}, group, since, "O(N) with N peers",
     "Cuts the links to a peer, or allows them again; for drills", link_command, {}},
    {"crdt.matrix", 1, flag::loading, {}, group, since, "O(N^2) with N replicas",
     "Tells how much each replica lacks of what each other wrote, as known here",
     matrix_command, {}},
    {"crdt.peers", 1, flag::loading, {}, group, since, "O(N) with N peers",
     "Describes the peers and the links to them", peers_command, {}},
    {"crdt.sync", 2, flag::admin, {}, group, since, "O(1)",
     "Starts a comparison of hash trees with a peer", sync_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> crdt_commands() {
    return commands;
}

}  // namespace syncline
