#include "net/replication.hpp"

#include <algorithm>

namespace syncline {
namespace {

constexpr std::size_t samples_max = 64;

/// Transactions of a node in a vector, all its incarnations together: counters have no gaps.
std::uint64_t events_of(const VersionVector& vv, std::uint32_t node) {
    std::uint64_t events = 0;
    for (const auto& [actor, counter] : vv.entries()) {
        if (actor.node == node) events += counter;
    }
    return events;
}

}  // namespace

void ReplicationTracker::take(const Seen& seen) {
    Node& node = nodes_[seen.uuid];
    node.id = node_id_of(seen.uuid);
    VersionVector vv = std::move(node.seen.vv);
    vv.join(seen.vv);
    const std::uint64_t heard_ms = std::max(node.seen.heard_ms, seen.heard_ms);
    node.seen = seen;
    node.seen.vv = std::move(vv);
    node.seen.heard_ms = heard_ms;
}

void ReplicationTracker::update(std::uint64_t now_ms, const Seen& self,
                                const std::vector<Seen>& peers) {
    self_ = self.uuid;
    take(self);
    for (const Seen& peer : peers) {
        if (!peer.uuid.is_nil() && peer.uuid != self.uuid) take(peer);
    }
    missing_events_ = 0;
    const VersionVector& own = nodes_[self_].seen.vv;
    for (auto& [uuid, node] : nodes_) {
        node.events = 0;
        for (const auto& [other, knowing] : nodes_) {
            node.events = std::max(node.events, events_of(knowing.seen.vv, node.id));
        }
        if (node.seen.connected) missing_events_ += own.lacks(node.seen.vv);
    }
    for (const auto& [from, writer] : nodes_) {
        for (const auto& [to, reader] : nodes_) {
            if (from == to) continue;
            Samples& samples = lacking_[{from, to}];
            const std::uint64_t has = events_of(reader.seen.vv, writer.id);
            const bool grew =
                samples.empty() ? writer.events > has : writer.events > samples.back().events;
            if (grew && samples.size() == samples_max) {
                samples.back().events = writer.events;
            } else if (grew) {
                samples.push_back({now_ms, writer.events});
            }
            while (!samples.empty() && samples.front().events <= has) samples.pop_front();
        }
    }
}

std::optional<std::uint64_t> ReplicationTracker::lag(const Uuid& from, const Uuid& to,
                                                     std::uint64_t now_ms) const {
    const auto found = lacking_.find({from, to});
    if (found == lacking_.end()) return std::nullopt;
    return found->second.empty() ? 0 : now_ms - found->second.front().at_ms;
}

std::optional<std::uint64_t> ReplicationTracker::lag_to(const Uuid& peer,
                                                        std::uint64_t now_ms) const {
    return lag(self_, peer, now_ms);
}

std::optional<std::uint64_t> ReplicationTracker::lag_from(const Uuid& peer,
                                                          std::uint64_t now_ms) const {
    return lag(peer, self_, now_ms);
}

ReplicationView ReplicationTracker::view(std::uint64_t now_ms) const {
    ReplicationView view;
    std::vector<const Node*> order;
    const auto add = [&](const Node& node) {
        const bool own = node.seen.uuid == self_;
        view.nodes.push_back({node.seen.name, node.seen.uuid,
                              own ? 0 : now_ms - std::min(now_ms, node.seen.heard_ms), node.events,
                              own || node.seen.connected});
        order.push_back(&node);
    };
    for (const auto& [uuid, node] : nodes_) {
        if (uuid == self_) add(node);
    }
    for (const auto& [uuid, node] : nodes_) {
        if (uuid != self_) add(node);
    }
    for (std::size_t from = 0; from < order.size(); ++from) {
        for (std::size_t to = 0; to < order.size(); ++to) {
            if (from == to) continue;
            const std::uint64_t has = events_of(order[to]->seen.vv, order[from]->id);
            view.pairs.push_back(
                {from, to, order[from]->events - std::min(has, order[from]->events),
                 lag(order[from]->seen.uuid, order[to]->seen.uuid, now_ms).value_or(0)});
        }
    }
    return view;
}

}  // namespace syncline
