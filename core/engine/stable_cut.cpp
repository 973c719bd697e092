#include "core/engine/stable_cut.hpp"

#include <algorithm>

#include "core/base/assert.hpp"
#include "core/base/mutation.hpp"

namespace syncline {

void StableCut::introduce(const Uuid& peer, std::string name) {
    if (!on()) return;
    SYNCLINE_ASSERT(has_room_for(peer));
    peers_[peer].name = std::move(name);
}

void StableCut::set_members(const std::vector<Uuid>& others, bool self, bool joins) {
    replicas_ = others.size() + 1;
    frozen_ = !self;
    std::map<Uuid, Peer> members;
    for (const Uuid& uuid : others) {
        const auto known = peers_.find(uuid);
        if (known == peers_.end()) {
            members[uuid];
        } else if (mutated(Mutation::old_reports)) {
            members.insert(*known);
        } else {
            members[uuid].name = known->second.name;
        }
    }
    peers_ = std::move(members);
    join_target_.reset();
    if (joins) joined_ = false;
}

bool StableCut::forget(std::string_view name_or_uuid) {
    const bool known =
        std::erase_if(peers_, [&](const auto& peer) {
            return peer.second.name == name_or_uuid || to_string(peer.first) == name_or_uuid;
        }) > 0;
    if (!known) return false;
    // A peer may have got something of it since it reported last, made without what all others had:
    // then what it reports from now on has that, and counts when it is here, too.
    for (auto& [uuid, peer] : peers_) {
        peer.known = {};
        peer.ahead.reset();
    }
    return true;
}

void StableCut::report(const Uuid& peer, const VersionVector& durable) {
    const auto found = peers_.find(peer);
    if (found == peers_.end() || found->second.ahead) return;
    found->second.ahead = durable;
}

bool StableCut::advance(const VersionVector& own) {
    if (!on()) return false;
    for (auto& [uuid, peer] : peers_) {
        if (!peer.ahead || !(own.covers(*peer.ahead) || mutated(Mutation::stable_naive))) continue;
        peer.known.join(*peer.ahead);
        peer.ahead.reset();
    }
    if (peers_.size() + 1 != replicas_ || frozen_) return false;
    VersionVector cut;
    for (const auto& [actor, counter] : own.entries()) {
        std::uint64_t least = counter;
        for (const auto& [uuid, peer] : peers_) {
            if (mutated(Mutation::cut_of_one)) break;
            least = std::min(least, peer.known.counter(actor));
        }
        if (least > 0) cut.add(Dot{actor, least});
    }
    if (cut_.covers(cut)) return false;
    cut_.join(cut);
    return true;
}

bool StableCut::adopt(const VersionVector& peer_cut) {
    if (cut_.covers(peer_cut)) return false;
    cut_.join(peer_cut);
    return on();
}

void StableCut::met(const VersionVector& own, const VersionVector& peer,
                    const VersionVector& peer_cut) {
    alone_ = false;
    if (!on() || (joined_ && own.covers(peer_cut))) return;
    if (join_target_) {
        join_target_->join(peer);
    } else {
        join_target_ = peer;
    }
}

bool StableCut::joining(const VersionVector& own) {
    if (alone_) return true;
    if (!join_target_) return false;
    if (!own.covers(*join_target_)) return true;
    join_target_.reset();
    joined_ = true;
    return false;
}

void StableCut::write(ByteWriter& out) const {
    out.u8(joined_ ? 1 : 0);
    syncline::write(out, cut_);
    out.varint(peers_.size());
    for (const auto& [uuid, peer] : peers_) {
        out.raw(to_bytes(uuid));
        out.sized(peer.name);
    }
}

void StableCut::read(ByteReader& in) {
    const std::uint8_t joined = in.u8();
    if (joined > 1) in.fail();
    joined_ = joined == 1;
    cut_ = read_version_vector(in);
    const std::uint64_t count = in.varint();
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        const Result<Uuid> uuid = uuid_from(in.raw(16));
        if (!uuid) return in.fail();
        peers_[*uuid].name = std::string(in.sized());
    }
    if (peers_.size() + 1 > replicas_) peers_.clear();  // another number was declared meanwhile
}

}  // namespace syncline
