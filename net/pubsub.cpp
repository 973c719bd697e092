#include "net/pubsub.hpp"

#include <utility>

#include "net/commands/command.hpp"
#include "net/commands/glob.hpp"

namespace syncline {

std::size_t Subscriptions::count() const {
    std::size_t count = 0;
    for (const std::set<Bytes>& names : names_) count += names.size();
    return count;
}

std::size_t Subscriptions::shown_count(ChannelSpace space) const {
    const std::size_t shards = count(ChannelSpace::shard);
    return space == ChannelSpace::shard ? shards : count() - shards;
}

void PubSub::subscribe(ClientState& client, ChannelSpace space, const Bytes& name) {
    client.subscriptions.names_[static_cast<std::size_t>(space)].insert(name);
    of(space)[name][client.order.id] = &client;
}

void PubSub::unsubscribe(ClientState& client, ChannelSpace space, const Bytes& name) {
    const auto found = of(space).find(name);
    if (found == of(space).end() || found->second.erase(client.order.id) == 0) return;
    if (found->second.empty()) of(space).erase(found);
    client.subscriptions.names_[static_cast<std::size_t>(space)].erase(name);
}

void PubSub::forget(ClientState& client) {
    for (std::size_t i = 0; i < channel_spaces_count; ++i) {
        const std::set<Bytes> names = client.subscriptions.names_[i];
        for (const Bytes& name : names) unsubscribe(client, static_cast<ChannelSpace>(i), name);
    }
}

std::vector<Bytes> PubSub::names(ChannelSpace space, BytesView pattern) const {
    std::vector<Bytes> names;
    for (const auto& [name, subscribers] : of(space)) {
        if (glob_match(pattern, name)) names.push_back(name);
    }
    return names;
}

std::size_t PubSub::names_count(ChannelSpace space) const {
    return of(space).size();
}

std::size_t PubSub::subscribers_count(ChannelSpace space, const Bytes& name) const {
    const auto found = of(space).find(name);
    return found == of(space).end() ? 0 : found->second.size();
}

std::size_t PubSub::visit(bool sharded, const Bytes& channel, const Visit& visit) const {
    std::size_t count = 0;
    const Names& channels = of(sharded ? ChannelSpace::shard : ChannelSpace::plain);
    if (const auto found = channels.find(channel); found != channels.end()) {
        for (const auto& [id, client] : found->second) visit(*client, nullptr);
        count += found->second.size();
    }
    if (sharded) return count;
    for (const auto& [pattern, subscribers] : of(ChannelSpace::pattern)) {
        if (!glob_match(pattern, channel)) continue;
        for (const auto& [id, client] : subscribers) visit(*client, &pattern);
        count += subscribers.size();
    }
    return count;
}

void PubSub::unstage(std::size_t count) {
    if (count < staged_.size()) staged_.resize(count);
}

std::vector<StagedMessage> PubSub::take_staged() {
    return std::exchange(staged_, {});
}

}  // namespace syncline
