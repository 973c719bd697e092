#pragma once
#include <vector>

#include "core/base/result.hpp"
#include "crdt/hlc.hpp"
#include "crdt/version_vector.hpp"

namespace syncline {

/// What every event says before its operations: its name, what it had seen, when.
struct EventHead {
    Dot dot;
    VersionVector past;  ///< past[dot.actor] == dot.counter - 1, which the bytes do not repeat
    Hlc hlc;

    bool operator==(const EventHead&) const = default;
};

/// The dot; for each other actor of the past its counter; the timestamp. One head has one form.
void write(ByteWriter& out, const EventHead& head);
/// Fails the reader for anything write() does not make. Linear in the past.
EventHead read_event_head(ByteReader& in);

/// How events travel in one stream: an event names its actor by a place in a table of heads that
/// went before, and says how it differs from that actor's last one. Sender and receiver each have
/// one, and both begin empty: a stream is read from its beginning, whole and in order.
/// Cost: linear in the event and in the past of its actor's last one. Memory: at most 256 heads of
/// at most 1,024 entries; whoever finds no room travels with a whole head.
/// Thread-safety: confined to one thread.
class EventHeads {
public:
    /// Precondition: the bytes begin with a head as write() makes it, or the error is corrupt.
    Result<Bytes> shorten(BytesView event);
    /// Exactly the bytes that were shortened. Error corrupt for what shorten() does not make of
    /// the same events; the stream ends there.
    Result<Bytes> restore(BytesView shortened);

private:
    EventHead* find(const Actor& actor, std::size_t& place);
    void keep(const EventHead& head);

    std::vector<EventHead> heads_;
};

}  // namespace syncline
