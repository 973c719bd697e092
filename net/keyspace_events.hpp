#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"

namespace syncline {

struct Event;
class PubSub;
class Replica;

/// The setting notify-keyspace-events: which changes of keys are published, and on which channels.
class KeyspaceEvents {
public:
    /// Redis's letters. What is wrong with them, in its words; empty if nothing is, and only then
    /// something has changed.
    std::string parse(BytesView letters);
    /// The letters in Redis's order.
    [[nodiscard]] std::string text() const;

    /// Whose a transaction is. What a peer's tells is what has changed; which command did it, and
    /// whether a key went because its time had come, is known only here.
    enum class Origin : std::uint8_t { command, expiry, peer };

    /// Stages a message for each change of a key that the transaction made, whichever replica ran
    /// it; nothing while nobody listens to anything. Cost: O(changes * log(changes)).
    void stage(const Event& event, Origin origin, PubSub& pubsub);

    /// A command of this replica has run: if a transaction follows of Origin::command, its changes
    /// get the names that Redis gives them. Cost: O(1) while there are no events.
    void note(std::span<const Bytes> arguments);
    /// No transaction came of what ran until now.
    void forget_notes() { notes_.clear(); }

private:
    /// How a command calls its change of a key.
    struct Note {
        Bytes key;
        char letter;
        BytesView name;
    };

    std::uint32_t classes_ = 0;
    std::vector<Note> notes_;
};

/// Of an event that the replica is applying.
KeyspaceEvents::Origin origin_of(const Event& event, const Replica& replica);

}  // namespace syncline
