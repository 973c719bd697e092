#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/base/bytes.hpp"

namespace syncline {

struct ClientState;

/// What a subscription names; each has names of its own.
enum class ChannelSpace : std::uint8_t {
    plain,    ///< a channel, of PUBLISH
    pattern,  ///< all channels of PUBLISH that it matches
    shard,    ///< a channel, of SPUBLISH
};
constexpr std::size_t channel_spaces_count = 3;

/// What one client is subscribed to. Changed by PubSub only.
class Subscriptions {
public:
    [[nodiscard]] const std::set<Bytes>& names(ChannelSpace space) const {
        return names_[static_cast<std::size_t>(space)];
    }
    [[nodiscard]] std::size_t count(ChannelSpace space) const { return names(space).size(); }
    /// Of all spaces.
    [[nodiscard]] std::size_t count() const;
    /// The number that replies of (P)SUBSCRIBE, or of SSUBSCRIBE, tell.
    [[nodiscard]] std::size_t shown_count(ChannelSpace space) const;

private:
    friend class PubSub;
    std::array<std::set<Bytes>, channel_spaces_count> names_;
};

/// A message that a command has published, or a key's change.
struct StagedMessage {
    bool sharded = false;
    Bytes channel;
    Bytes message;
    bool for_peers = true;     ///< false: each replica tells its own clients
    std::uint64_t except = 0;  ///< a client that has it already; 0: none
};

/// Who of this replica's clients listens to which channels. It sends nothing: see
/// Dispatcher::release_messages().
///
/// Memory: that of the names and an entry for each subscription, until it ends or its client is
/// forgotten. Confined to the loop's thread.
class PubSub {
public:
    /// Tells what the receiver is to be sent: for a pattern's sake, or (null) the channel's.
    using Visit = std::function<void(ClientState& receiver, const Bytes* pattern)>;

    /// The client must be forgotten before it ends. O(log N).
    void subscribe(ClientState& client, ChannelSpace space, const Bytes& name);
    /// O(log N). Nothing happens when it is not subscribed.
    void unsubscribe(ClientState& client, ChannelSpace space, const Bytes& name);
    /// All its subscriptions end.
    void forget(ClientState& client);

    /// Names that somebody is subscribed to and `pattern` matches, ascending.
    [[nodiscard]] std::vector<Bytes> names(ChannelSpace space, BytesView pattern) const;
    [[nodiscard]] std::size_t names_count(ChannelSpace space) const;
    [[nodiscard]] std::size_t subscribers_count(ChannelSpace space, const Bytes& name) const;

    /// Each receiver, once for the channel and once for each of its patterns: O(receivers + number
    /// of patterns). Subscriptions must not change meanwhile. How many were visited.
    std::size_t visit(bool sharded, const Bytes& channel, const Visit& visit) const;

    /// Keeps a message until the command is over that published it.
    void stage(StagedMessage message) { staged_.push_back(std::move(message)); }
    [[nodiscard]] std::size_t staged_count() const { return staged_.size(); }
    /// Drops what was staged beyond so many: its command has failed.
    void unstage(std::size_t count);
    std::vector<StagedMessage> take_staged();

private:
    using Subscribers = std::map<std::uint64_t, ClientState*>;  // by number, oldest first
    using Names = std::map<Bytes, Subscribers>;

    [[nodiscard]] Names& of(ChannelSpace space) { return names_[static_cast<std::size_t>(space)]; }
    [[nodiscard]] const Names& of(ChannelSpace space) const {
        return names_[static_cast<std::size_t>(space)];
    }

    std::array<Names, channel_spaces_count> names_;
    std::vector<StagedMessage> staged_;
};

}  // namespace syncline
