#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "../core/base/bytes.hpp"
#include "../core/base/pack.hpp"

namespace syncline {

/// Who makes events: a node and its incarnation. A new incarnation begins whenever history may have
/// been rolled back, so that no (actor, counter) pair is ever used twice.
struct Actor {
    std::uint32_t node = 0;
    std::uint32_t incarnation = 0;

    auto operator<=>(const Actor&) const = default;
};

/// The name of one transaction: the counter-th one of its actor. Counters start at 1 and have no
/// gaps. Ordered by actor, then counter.
struct Dot {
    Actor actor;
    std::uint64_t counter = 0;

    auto operator<=>(const Dot&) const = default;
};

std::string to_string(const Actor& actor);  ///< "node.incarnation" in hexadecimal
std::string to_string(const Dot& dot);      ///< "node.incarnation:counter"
/// Nothing unless the text is what to_string() makes.
std::optional<Actor> actor_from(BytesView text);
std::optional<Dot> dot_from(BytesView text);

void write(ByteWriter& out, const Actor& actor);
void write(ByteWriter& out, const Dot& dot);
Actor read_actor(ByteReader& in);
Dot read_dot(ByteReader& in);

/// An actor as cells at rest hold it: its form, below 8, which stands in a byte with other things;
/// then the node in as few bytes as hold it, and the incarnation if it is not 1.
std::uint8_t compact_form(const Actor& actor);
void write_compact(ByteWriter& out, const Actor& actor);
/// Fails when the bytes are not those that write_compact makes for this form.
Actor read_compact_actor(ByteReader& in, std::uint8_t form);

void pack(Packer& out, const Actor& actor);  ///< two unsigned numbers
void pack(Packer& out, const Dot& dot);      ///< three unsigned numbers
Actor unpack_actor(Unpacker& in);
Dot unpack_dot(Unpacker& in);

}  // namespace syncline
