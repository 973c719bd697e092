#include "crdt/dot.hpp"

#include <fmt/format.h>

#include <limits>

namespace syncline {

namespace {

constexpr std::uint64_t u32_max = std::numeric_limits<std::uint32_t>::max();

std::uint32_t read_u32_varint(ByteReader& in) {
    const std::uint64_t value = in.varint();
    if (value > u32_max) in.fail();
    return static_cast<std::uint32_t>(value);
}

}  // namespace

std::string to_string(const Actor& actor) {
    return fmt::format("{:x}.{:x}", actor.node, actor.incarnation);
}

std::string to_string(const Dot& dot) {
    return fmt::format("{}:{}", to_string(dot.actor), dot.counter);
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
