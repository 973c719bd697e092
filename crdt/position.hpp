#pragma once
#include <cstdint>
#include <optional>

#include "core/base/bytes.hpp"
#include "crdt/dot.hpp"

namespace syncline {

/// Places of list elements: byte strings between any two of which there is room for another, so
/// that a list needs no tombstones. Their order as bytes is the order of the list, on every
/// replica.
///
/// A position is made of levels. The first is a number that grows at the end of the list and
/// shrinks at its front, then the dot of the transaction and the place within its command. An
/// element put between two whose numbers leave no room hangs on the left one, by a further level:
/// digits that order what hangs there, and again dot and place. Names are unique because dots are.
/// Source: the dense identifiers of Logoot (Weiss, Urso, Molli 2009), with numbers in front so that
/// queues do not grow them.

/// What is common to all values of one command that go between two neighbours; nothing on a side:
/// the list ends there. Precondition: both are positions, left < right, and nothing is between
/// them.
Bytes place_between(std::optional<BytesView> left, std::optional<BytesView> right);
/// The position of the `index`-th value of a command; ascending with it.
Bytes position_at(BytesView place, const Dot& dot, std::uint64_t index);

/// The transaction that put the element there. Precondition: `position` is one.
Dot position_dot(BytesView position);

/// Whether bytes from outside are a position of at most limits::position_bytes_max bytes.
bool is_position(BytesView bytes);

}  // namespace syncline
