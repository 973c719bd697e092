#include "tests/sim/network.hpp"

#include <algorithm>

#include "core/base/hash.hpp"

namespace syncline::sim {
namespace {

constexpr std::uint64_t network_stream = 2;
/// How often each connection is looked at: half-open ones are closed, closed ones made anew.
constexpr Micros supervision_gap = 300 * micros_per_ms;

}  // namespace

Network::Network(const Plan& plan, Timeline& timeline, Coverage& coverage)
    : plan_(plan), timeline_(timeline), coverage_(coverage), random_(plan.seed, network_stream) {}

void Network::start(std::vector<Station*> stations) {
    stations_ = std::move(stations);
    for (std::size_t a = 0; a < stations_.size(); ++a) {
        for (std::size_t b = a + 1; b < stations_.size(); ++b) {
            Link link;
            link.ends[0].replica = a;
            link.ends[1].replica = b;
            links_.push_back(link);
        }
    }
    for (std::size_t i = 0; i < links_.size(); ++i) supervise(i);
}

// --- Connections

void Network::supervise(std::size_t index) {
    const Link& link = links_[index];
    const bool both_run =
        stations_[link.ends[0].replica]->up() && stations_[link.ends[1].replica]->up();
    if (!link.ends[0].up && !link.ends[1].up) {
        if (both_run) connect(index);
    } else if (!link.ends[0].up || !link.ends[1].up) {
        bring_down(index, link.ends[0].up ? 0 : 1, random_.below(500 * micros_per_ms));
    }
    timeline_.after(random_.around(supervision_gap), [this, index] { supervise(index); });
}

void Network::connect(std::size_t index) {
    Link& link = links_[index];
    const std::uint64_t life = ++link.life;
    link.truncated = false;
    for (std::size_t side = 0; side < 2; ++side) {
        End& end = link.ends[side];
        ends_.erase(end.id);
        end.id = ++last_id_;
        ends_[end.id] = {index, side};
        link.arrival[side] = timeline_.now();
        const LinkId id = end.id;
        const std::size_t peer = link.ends[1 - side].replica;
        stations_[end.replica]->run([this, index, side, life, id, peer](Replica& replica) {
            Link& now = links_[index];
            if (now.life != life || now.ends[side].up) return;
            now.ends[side].up = true;
            timeline_.note("link up", now.ends[side].replica, id,
                           [&] { return std::to_string(id) + " to r" + std::to_string(peer); });
            replica.link_up(id, stations_[peer]->uuid());
        });
    }
}

void Network::bring_down(std::size_t index, std::size_t side, Micros delay) {
    const LinkId id = links_[index].ends[side].id;
    timeline_.after(delay, [this, index, side, id] {
        End& end = links_[index].ends[side];
        if (end.id != id || !end.up) return;
        stations_[end.replica]->run([this, index, side, id](Replica& replica) {
            End& now = links_[index].ends[side];
            if (now.id != id || !now.up) return;
            now.up = false;
            timeline_.note("link down", now.replica, id, [&] { return std::to_string(id); });
            replica.link_down(id);
        });
    });
}

void Network::reset(std::size_t index) {
    timeline_.note("reset", Timeline::nobody, index, [&] {
        return "link r" + std::to_string(links_[index].ends[0].replica) + "-r" +
               std::to_string(links_[index].ends[1].replica);
    });
    for (std::size_t side = 0; side < 2; ++side) {
        bring_down(index, side, random_.below(100 * micros_per_ms));
    }
}

bool Network::closed_by(std::size_t replica, LinkId id) {
    const auto found = ends_.find(id);
    if (found == ends_.end()) return true;  // of a connection that is gone
    const auto [index, side] = found->second;
    Link& link = links_[index];
    if (link.ends[side].replica != replica) return false;
    bring_down(index, side, 0);
    return link.truncated;
}

void Network::crashed(std::size_t replica) {
    for (Link& link : links_) {
        for (End& end : link.ends) {
            if (end.replica == replica) end.up = false;
        }
    }
}

// --- Frames

void Network::send(std::size_t from, const Outgoing& frame) {
    const auto found = ends_.find(frame.link);
    if (found == ends_.end()) return;
    const auto [index, side] = found->second;
    if (links_[index].ends[side].replica != from || !links_[index].ends[side].up) return;
    ++coverage_.frames;
    transmit(index, side, frame);
    const bool twice = !healed_ && random_.per_mille(plan_.duplicate_per_mille);
    if (!twice) return;
    coverage_.count(Fault::duplicate);
    transmit(index, side, frame);
}

void Network::transmit(std::size_t index, std::size_t side, const Outgoing& frame) {
    Link& link = links_[index];
    if (link.cut[side]) return;
    if (streams_cut_ && frame.type == static_cast<std::uint8_t>(MessageType::batch)) return;
    if (!healed_ && random_.per_mille(plan_.loss_per_mille)) {
        coverage_.count(Fault::loss);
        return;
    }
    Micros arrival = timeline_.now() + plan_.delay + random_.below(plan_.jitter + 1);
    if (link.slow) arrival += random_.around(plan_.slow_delay);
    if (!healed_ && random_.per_mille(plan_.reorder_per_mille)) {
        coverage_.count(Fault::reorder);
        arrival += random_.below(4 * (plan_.delay + plan_.jitter) + 20 * micros_per_ms);
    } else {
        arrival = std::max(arrival, link.arrival[side]);
        link.arrival[side] = arrival;
    }
    Bytes payload = frame.payload;
    if (!healed_ && !payload.empty() && random_.below(1000000) < plan_.truncate_per_million) {
        coverage_.count(Fault::truncate);
        payload.resize(random_.below(payload.size()));
        link.truncated = true;
    }
    timeline_.after(
        arrival - timeline_.now(),
        [this, index, to = 1 - side, life = link.life, type = frame.type,
         sent_in = stations_[link.ends[side].replica]->term(),
         bytes = std::move(payload)] { deliver(index, to, life, type, bytes, sent_in); });
}

void Network::deliver(std::size_t index, std::size_t to, std::uint64_t life, std::uint8_t type,
                      const Bytes& payload, const TermId& sent_in) {
    if (links_[index].life != life) return;
    stations_[links_[index].ends[to].replica]->run(
        [this, index, to, life, type, payload, sent_in](Replica& replica) {
            const Link& link = links_[index];
            if (link.life != life || !link.ends[to].up) return;
            timeline_.note("frame", link.ends[to].replica, hash64(payload, type), [&] {
                return "type " + std::to_string(type) + ", " + std::to_string(payload.size()) +
                       " B from r" + std::to_string(link.ends[1 - to].replica);
            });
            stations_[link.ends[to].replica]->receive(replica, link.ends[to].id, type, payload,
                                                      sent_in);
        });
}

// --- Faults

void Network::cut(std::size_t index, bool forward, bool backward) {
    links_[index].cut[0] = forward;
    links_[index].cut[1] = backward;
    timeline_.note("cut", Timeline::nobody, index * 4 + (forward ? 2 : 0) + (backward ? 1 : 0),
                   [&] {
                       const Link& link = links_[index];
                       return "r" + std::to_string(link.ends[0].replica) +
                              (forward && backward ? " xx "
                               : forward           ? " x> "
                               : backward          ? " <x "
                                                   : " -- ") +
                              "r" + std::to_string(link.ends[1].replica);
                   });
}

void Network::heal() {
    healed_ = true;
    streams_cut_ = false;
    for (Link& link : links_) {
        link.cut[0] = link.cut[1] = false;
        link.slow = false;
    }
}

bool Network::is_cut(std::size_t replica) const {
    return std::any_of(links_.begin(), links_.end(), [&](const Link& link) {
        const bool here = link.ends[0].replica == replica || link.ends[1].replica == replica;
        return here && (link.cut[0] || link.cut[1]);
    });
}

bool Network::is_slow(std::size_t replica) const {
    return std::any_of(links_.begin(), links_.end(), [&](const Link& link) {
        const bool here = link.ends[0].replica == replica || link.ends[1].replica == replica;
        return here && link.slow;
    });
}

std::vector<LinkId> Network::links_of(std::size_t replica) const {
    std::vector<LinkId> ids;
    for (const Link& link : links_) {
        for (const End& end : link.ends) {
            if (end.replica == replica && end.up) ids.push_back(end.id);
        }
    }
    return ids;
}

}  // namespace syncline::sim
