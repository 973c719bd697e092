#include "net/commands/key_interest.hpp"

namespace syncline {
namespace {

template <typename Entries, typename Value>
void erase_entry(Entries& entries, BytesView key, const Value& value) {
    const auto [first, last] = entries.equal_range(key);
    for (auto it = first; it != last; ++it) {
        if (it->second != value) continue;
        entries.erase(it);
        return;
    }
}

}  // namespace

void KeyInterest::watch(ClientState& client, BytesView key, bool visible) {
    if (client.watched.contains(key)) return;
    client.watched.emplace(key, visible);
    watched_.emplace(key, &client);
}

void KeyInterest::unwatch(ClientState& client) {
    for (const auto& [key, visible] : client.watched) erase_entry(watched_, key, &client);
    client.watched.clear();
    client.watch_lost = false;
}

void KeyInterest::block(ClientState& client) {
    SYNCLINE_ASSERT(client.blocked && client.blocked->place == 0);
    ClientState::Blocked& wait = *client.blocked;
    wait.place = ++last_place_;
    blocked_.emplace(wait.place, &client);
    for (const Bytes& key : wait.keys) awaited_.emplace(key, wait.place);
    if (wait.deadline_ms) deadlines_.emplace(*wait.deadline_ms, wait.place);
}

void KeyInterest::unblock(ClientState& client) {
    if (!client.blocked) return;
    const ClientState::Blocked& wait = *client.blocked;
    for (const Bytes& key : wait.keys) erase_entry(awaited_, key, wait.place);
    if (wait.deadline_ms) deadlines_.erase({*wait.deadline_ms, wait.place});
    ready_.erase(wait.place);
    blocked_.erase(wait.place);
    client.blocked.reset();
}

void KeyInterest::end(ClientState& client, Bytes reply) {
    client.blocked->reply = std::move(reply);
    ready_.insert(client.blocked->place);
}

void KeyInterest::forget(ClientState& client) {
    unwatch(client);
    unblock(client);
}

void KeyInterest::note_key(BytesView key, bool removes) {
    const auto [first, last] = watched_.equal_range(key);
    for (auto it = first; it != last; ++it) {
        ClientState& client = *it->second;
        if (!removes || client.watched.find(key)->second) client.watch_lost = true;
    }
    const auto [from, to] = awaited_.equal_range(key);
    for (auto it = from; it != to; ++it) ready_.insert(it->second);
}

void KeyInterest::note(const Event& event) {
    if (watched_.empty() && awaited_.empty()) return;
    for (const Op& op : event.ops) {
        if (const auto* const buckets = std::get_if<ClearBuckets>(&op)) {
            for (const auto& [key, client] : watched_) {
                if (lies_in(*buckets, key) && client->watched.at(key)) client->watch_lost = true;
            }
        } else {
            note_key(*key_of(op), std::holds_alternative<ClearKey>(op));
        }
    }
}

void KeyInterest::note_all() {
    for (const auto& [key, client] : watched_) client->watch_lost = true;
    for (const auto& [place, client] : blocked_) ready_.insert(place);
}

ClientState* KeyInterest::take_ready() {
    if (ready_.empty()) return nullptr;
    const std::uint64_t place = *ready_.begin();
    ready_.erase(ready_.begin());
    return blocked_.at(place);
}

ClientState* KeyInterest::take_late(std::uint64_t now_ms) {
    if (deadlines_.empty() || deadlines_.begin()->first > now_ms) return nullptr;
    const std::uint64_t place = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    return blocked_.at(place);
}

std::optional<std::uint64_t> KeyInterest::next_deadline() const {
    if (deadlines_.empty()) return std::nullopt;
    return deadlines_.begin()->first;
}

std::vector<ClientState*> KeyInterest::blocked() const {
    std::vector<ClientState*> clients;
    for (const auto& [place, client] : blocked_) clients.push_back(client);
    return clients;
}

}  // namespace syncline
