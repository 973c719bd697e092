#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/engine/event.hpp"
#include "net/commands/command.hpp"

namespace syncline {

/// Which clients want to hear of which keys: those that watch them for EXEC, and those that are
/// blocked until one of them has something to pop. It is told of every event, local or from a peer;
/// while nobody wants to hear of anything that costs next to nothing, else O(log N) for each
/// operation with N keys that are wanted, and O(N) for a range of buckets.
/// Clients must be forgotten before they die. Thread-safety: confined to one thread.
class KeyInterest {
public:
    /// `visible`: the key exists as the client sees it now; one that does not is not changed by a
    /// removal.
    void watch(ClientState& client, BytesView key, bool visible);
    void unwatch(ClientState& client);
    /// Precondition: client.blocked says for what and how long, and it is not blocked yet.
    void block(ClientState& client);
    /// Of one that is not blocked nothing happens.
    void unblock(ClientState& client);
    /// Ends a wait: the client is ready, and this is its reply. Precondition: it is blocked.
    void end(ClientState& client, Bytes reply);
    /// It watches nothing and waits for nothing.
    void forget(ClientState& client);

    /// The event has been applied: whoever watches a key that it may have changed has lost its
    /// transaction, and who is blocked on one is ready.
    void note(const Event& event);
    /// Any key may have changed.
    void note_all();

    /// A client that is ready, the one first that has been blocked for longest; it is ready no more
    /// and still blocked. Null: none is.
    ClientState* take_ready();
    /// A client whose time has come. Null: none.
    ClientState* take_late(std::uint64_t now_ms);
    /// When the next client's time comes.
    [[nodiscard]] std::optional<std::uint64_t> next_deadline() const;
    [[nodiscard]] std::size_t blocked_count() const { return blocked_.size(); }
    /// Of all that are blocked.
    [[nodiscard]] std::vector<ClientState*> blocked() const;

private:
    void note_key(BytesView key, bool removes);

    std::multimap<Bytes, ClientState*, std::less<>> watched_;
    std::multimap<Bytes, std::uint64_t, std::less<>> awaited_;  // by the client's place
    std::map<std::uint64_t, ClientState*> blocked_;             // by their places, in that order
    std::set<std::uint64_t> ready_;
    std::set<std::pair<std::uint64_t, std::uint64_t>> deadlines_;  // with the place
    std::uint64_t last_place_ = 0;
};

}  // namespace syncline
