#pragma once
#include <cstdint>
#include <string>

#include "core/base/bytes.hpp"

namespace syncline {

struct Event;
class PubSub;

/// The setting notify-keyspace-events: which changes of keys are published, and on which channels.
class KeyspaceEvents {
public:
    /// Redis's letters. What is wrong with them, in its words; empty if nothing is, and only then
    /// something has changed.
    std::string parse(BytesView letters);
    /// The letters in Redis's order.
    [[nodiscard]] std::string text() const;

    /// Stages a message for each change of a key that the transaction made, whichever replica ran
    /// it; nothing while nobody listens to anything. Cost: O(changes * log(changes)).
    void stage(const Event& event, PubSub& pubsub) const;

private:
    std::uint32_t classes_ = 0;
};

}  // namespace syncline
