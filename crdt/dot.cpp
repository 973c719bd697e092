#include "crdt/dot.hpp"

#include <fmt/format.h>

#include <charconv>
#include <limits>

namespace syncline {

namespace {

constexpr std::uint64_t u32_max = std::numeric_limits<std::uint32_t>::max();

std::uint32_t read_u32_varint(ByteReader& in) {
    const std::uint64_t value = in.varint();
    if (value > u32_max) in.fail();
    return static_cast<std::uint32_t>(value);
}

/// The form of a compact actor: bytes of the node less one, and whether the incarnation follows.
constexpr std::uint8_t node_bytes_mask = 3;
constexpr std::uint8_t with_incarnation = 4;

unsigned node_bytes(std::uint32_t node) {
    unsigned count = 1;
    while (count < sizeof node && (node >> (8 * count)) != 0) ++count;
    return count;
}

}  // namespace

std::string to_string(const Actor& actor) {
    return fmt::format("{:x}.{:x}", actor.node, actor.incarnation);
}

std::string to_string(const Dot& dot) {
    return fmt::format("{}:{}", to_string(dot.actor), dot.counter);
}

std::optional<Dot> dot_from(BytesView text) {
    Dot dot;
    const char* at = text.data();
    const char* const end = at + text.size();
    const auto number = [&](auto& value, int base, char after) {
        const std::from_chars_result read = std::from_chars(at, end, value, base);
        at = read.ptr;
        if (read.ec != std::errc()) return false;
        return after == '\0' ? at == end : at != end && *at++ == after;
    };
    const bool whole = number(dot.actor.node, 16, '.') && number(dot.actor.incarnation, 16, ':') &&
                       number(dot.counter, 10, '\0');
    if (!whole || to_string(dot) != text) return std::nullopt;
    return dot;
}

std::optional<Actor> actor_from(BytesView text) {
    const std::optional<Dot> dot = dot_from(Bytes(text) + ":0");
    return dot ? std::optional(dot->actor) : std::nullopt;
}

void write(ByteWriter& out, const Actor& actor) {
    out.varint(actor.node);
    out.varint(actor.incarnation);
}

void write(ByteWriter& out, const Dot& dot) {
    write(out, dot.actor);
    out.varint(dot.counter);
}

Actor read_actor(ByteReader& in) {
    Actor actor;
    actor.node = read_u32_varint(in);
    actor.incarnation = read_u32_varint(in);
    return actor;
}

Dot read_dot(ByteReader& in) {
    Dot dot;
    dot.actor = read_actor(in);
    dot.counter = in.varint();
    return dot;
}

std::uint8_t compact_form(const Actor& actor) {
    const unsigned form = node_bytes(actor.node) - 1;
    return static_cast<std::uint8_t>(form | (actor.incarnation == 1 ? 0 : with_incarnation));
}

void write_compact(ByteWriter& out, const Actor& actor) {
    for (unsigned left = node_bytes(actor.node); left-- > 0;) {
        out.u8(static_cast<std::uint8_t>(actor.node >> (8 * left)));
    }
    if (actor.incarnation != 1) out.varint(actor.incarnation);
}

Actor read_compact_actor(ByteReader& in, std::uint8_t form) {
    Actor actor{0, 1};
    for (const char byte : in.raw((form & node_bytes_mask) + 1U)) {
        actor.node = (actor.node << 8) | static_cast<unsigned char>(byte);
    }
    if ((form & with_incarnation) != 0) actor.incarnation = read_u32_varint(in);
    if (compact_form(actor) != form) in.fail();
    return actor;
}

void pack(Packer& out, const Actor& actor) {
    out.uint(actor.node);
    out.uint(actor.incarnation);
}

void pack(Packer& out, const Dot& dot) {
    pack(out, dot.actor);
    out.uint(dot.counter);
}

Actor unpack_actor(Unpacker& in) {
    Actor actor;
    actor.node = static_cast<std::uint32_t>(in.uint_at_most(u32_max));
    actor.incarnation = static_cast<std::uint32_t>(in.uint_at_most(u32_max));
    return actor;
}

Dot unpack_dot(Unpacker& in) {
    Dot dot;
    dot.actor = unpack_actor(in);
    dot.counter = in.uint();
    return dot;
}

}  // namespace syncline
