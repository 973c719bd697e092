// Messages of publish/subscribe pass from replica to replica and leave no trace: nothing of them is
// logged, repeated or waited for. Each replica hands on what it has not seen yet to all its links
// but the one that brought it, so that also those hear it that are not connected to its origin.
#include <utility>

#include "core/engine/replica.hpp"
#include "core/protocol/link.hpp"

namespace syncline {

void Replica::publish(bool sharded, BytesView channel, BytesView message) {
    if (failure_ || links_.empty()) return;
    // Drawn only now, so that what else is drawn does not depend on it.
    while (publication_run_ == 0) publication_run_ = env_.random.next();
    Publication publication;
    publication.origin = options_.identity.node;
    publication.run = publication_run_;
    publication.number = ++publication_number_;
    publication.hops = limits::publication_hops_max;
    publication.sharded = sharded;
    publication.channel = Bytes(channel);
    publication.message = Bytes(message);
    hand_on(publication, std::nullopt);
}

void Replica::take_publication(LinkId from, const Publication& publication) {
    const bool own = publication.origin == options_.identity.node;
    if (own || !seen_publications_.take(publication.origin, publication.run, publication.number)) {
        ++stats_.publications_duplicate;
        return;
    }
    ++stats_.publications_received;
    if (publication.hops > 0) {
        Publication further = publication;
        --further.hops;
        hand_on(further, from);
    }
    publications_.push_back(publication);
}

std::vector<Publication> Replica::take_publications() {
    return std::exchange(publications_, {});
}

void Replica::hand_on(const Publication& publication, std::optional<LinkId> except) {
    std::optional<Bytes> payload;
    for (const auto& [id, link] : links_) {
        if (id == except || !link->takes_publications()) continue;
        if (!payload) payload = encode_message(publication);
        if (link->offer_publication(*payload)) {
            ++stats_.publications_sent;
        } else {
            ++stats_.publications_dropped;
        }
    }
}

}  // namespace syncline
