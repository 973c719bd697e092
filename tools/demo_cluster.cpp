#include "tools/demo_cluster.hpp"

#include "tools/reply.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t demo_command_ms_max = 30000;

}  // namespace

Result<std::unique_ptr<DemoCluster>> DemoCluster::start(bool keep) {
    SYNCLINE_TRY(std::unique_ptr<LocalCluster> processes,
                 LocalCluster::start({"syncline-demo", {"a", "b", "c"}, {}, keep}));
    std::unique_ptr<DemoCluster> cluster(new DemoCluster(std::move(processes)));
    for (std::size_t i = 0; i < replay_replicas; ++i) {
        const LocalCluster::Node& process = cluster->processes_->nodes()[i];
        Node& node = cluster->nodes_.emplace_back();
        node.name = process.name;
        node.port = process.port;
        node.http_port = process.http_port;
        SYNCLINE_TRY(node.client, cluster->processes_->connect(i, demo_command_ms_max));
        SYNCLINE_TRY(const RespValue clock, cluster->command(i, {"CRDT.CLOCK"}));
        const RespValue* const actor = reply_field(clock, "actor");
        if (actor == nullptr) return Error{Code::corrupt, "CRDT.CLOCK has no actor"};
        node.actor = actor->text;
    }
    return cluster;
}

Result<RespValue> DemoCluster::command(std::size_t replica, const std::vector<Bytes>& arguments) {
    SYNCLINE_TRY(RespValue reply, nodes_[replica].client->command(arguments));
    if (!reply.is_error()) return reply;
    return Error{Code::unavailable, "replica " + nodes_[replica].name + " answered " + reply.text};
}

Result<void> DemoCluster::submit(std::size_t replica, const std::vector<Write>& writes) {
    Node& node = nodes_[replica];
    node.client->queue({"MULTI"});
    for (const auto& [key, value] : writes) {
        if (value) {
            node.client->queue({"SET", key, *value});
        } else {
            node.client->queue({"DEL", key});
        }
    }
    node.client->queue({"EXEC"});
    node.client->queue({"CRDT.CLOCK"});
    node.awaited = writes.size() + 3;
    return node.client->flush();
}

Result<Seen> DemoCluster::await(std::size_t replica) {
    Node& node = nodes_[replica];
    RespValue reply;
    for (; node.awaited > 0; --node.awaited) {
        SYNCLINE_TRY(reply, node.client->receive());
        if (reply.is_error()) {
            return Error{Code::unavailable, "replica " + node.name + " answered " + reply.text};
        }
        for (const RespValue& element : reply.elements) {
            if (element.is_error()) return Error{Code::unavailable, element.text};
        }
    }
    return parse_seen(reply);
}

Result<Seen> DemoCluster::seen(std::size_t replica) {
    SYNCLINE_TRY(const RespValue clock, command(replica, {"CRDT.CLOCK"}));
    return parse_seen(clock);
}

Result<Seen> DemoCluster::parse_seen(const RespValue& clock) const {
    const RespValue* const vv = reply_field(clock, "vv");
    if (vv == nullptr) return Error{Code::corrupt, "CRDT.CLOCK has no version vector"};
    Seen seen{};
    for (std::size_t i = 0; i < replay_replicas; ++i) {
        if (const RespValue* const counter = reply_field(*vv, nodes_[i].actor)) {
            seen[i] = static_cast<std::uint64_t>(counter->integer);
        }
    }
    return seen;
}

Result<void> DemoCluster::set_isolated(std::size_t replica, bool isolated) {
    const Bytes state = isolated ? "down" : "up";
    for (std::size_t other = 0; other < replay_replicas; ++other) {
        if (other == replica) continue;
        SYNCLINE_CHECK(command(other, {"CRDT.LINK", nodes_[replica].name, state}));
        SYNCLINE_CHECK(command(replica, {"CRDT.LINK", nodes_[other].name, state}));
    }
    return {};
}

Result<std::map<Bytes, Bytes>> DemoCluster::state(std::size_t replica) {
    std::map<Bytes, Bytes> state;
    Bytes cursor = "0";
    do {
        SYNCLINE_TRY(const RespValue page, command(replica, {"SCAN", cursor, "COUNT", "1000"}));
        if (page.elements.size() != 2) return Error{Code::corrupt, "SCAN answers nonsense"};
        cursor = page.elements[0].text;
        for (const RespValue& key : page.elements[1].elements) {
            SYNCLINE_TRY(const RespValue value, command(replica, {"GET", key.text}));
            state[key.text] = value.text;
        }
    } while (cursor != "0");
    return state;
}

Result<std::string> DemoCluster::root(std::size_t replica) {
    SYNCLINE_TRY(const RespValue clock, command(replica, {"CRDT.CLOCK"}));
    const RespValue* const root = reply_field(clock, "root");
    if (root == nullptr) return Error{Code::corrupt, "CRDT.CLOCK has no root"};
    return root->text;
}

Result<std::vector<Sibling>> DemoCluster::siblings(std::size_t replica, BytesView key) {
    SYNCLINE_TRY(const RespValue explained, command(replica, {"CRDT.EXPLAIN", Bytes(key)}));
    std::vector<Sibling> siblings;
    const RespValue* const cells = reply_field(explained, "cells");
    if (cells == nullptr) return siblings;
    for (const RespValue& cell : cells->elements) {
        const RespValue* const dots = reply_field(cell, "dots");
        if (dots == nullptr) continue;
        for (const RespValue& dot : dots->elements) {
            const auto text = [&](std::string_view name) {
                const RespValue* const value = reply_field(dot, name);
                return value == nullptr ? Bytes() : value->text;
            };
            const RespValue* const winner = reply_field(dot, "winner");
            siblings.push_back(Sibling{text("dot"), text("time"), text("value"),
                                       winner != nullptr && winner->integer == 1});
        }
    }
    return siblings;
}

Result<std::uint64_t> DemoCluster::peer_bytes() {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < replay_replicas; ++i) {
        SYNCLINE_TRY(const RespValue peers, command(i, {"CRDT.PEERS"}));
        for (const RespValue& peer : peers.elements) {
            if (const RespValue* const sent = reply_field(peer, "bytes_out")) {
                bytes += static_cast<std::uint64_t>(sent->integer);
            }
        }
    }
    return bytes;
}

void DemoCluster::pass(std::uint64_t ms) {
    sleep_ms(ms);
}

std::uint64_t DemoCluster::now_ms() {
    return steady_ms();
}

}  // namespace syncline
