#include "crdt/dot.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(dot)
namespace {

Dot random_dot(Random& random) {
    const Actor actor{static_cast<std::uint32_t>(test::random_number(random)),
                      static_cast<std::uint32_t>(test::random_number(random))};
    return Dot{actor, test::random_number(random)};
}

BOOST_AUTO_TEST_CASE(golden_bytes_and_text) {
    const Dot dot{{300, 2}, 5};
    Bytes written;
    ByteWriter out(written);
    write(out, dot);
    BOOST_TEST(to_hex(written) == "ac020205");
    Bytes packed;
    Packer packer(packed);
    pack(packer, dot);
    BOOST_TEST(to_hex(packed) == "cd012c0205");
    BOOST_TEST(to_string(dot) == "12c.2:5");
}

BOOST_AUTO_TEST_CASE(dots_survive_both_codecs) {
    for (const std::uint64_t seed : test::seeds(300)) {
        test::SeededRandom random(seed);
        const Dot dot = random_dot(random);
        Bytes written;
        ByteWriter out(written);
        write(out, dot);
        ByteReader reader(written);
        Bytes packed;
        Packer packer(packed);
        pack(packer, dot);
        Unpacker unpacker(packed);
        BOOST_TEST_CONTEXT("SYNCLINE_SEED=" << seed) {
            BOOST_TEST((read_dot(reader) == dot));
            BOOST_TEST(reader.done());
            BOOST_TEST((unpack_dot(unpacker) == dot));
            BOOST_TEST(unpacker.done());
        }
    }
}

BOOST_AUTO_TEST_CASE(compact_actors_have_one_form) {
    for (const std::uint32_t node :
         {0U, 1U, 0xffU, 0x100U, 0xffffU, 0x10000U, 0xffffffU, 0x1000000U, 0xffffffffU}) {
        for (const std::uint32_t incarnation : {0U, 1U, 2U, 0xffffffffU}) {
            const Actor actor{node, incarnation};
            Bytes bytes;
            ByteWriter out(bytes);
            write_compact(out, actor);
            for (std::uint8_t form = 0; form < 16; ++form) {
                ByteReader in(bytes);
                const bool same = read_compact_actor(in, form) == actor && in.done();
                BOOST_TEST(same == (form == compact_form(actor)));
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(a_node_beyond_32_bits_is_refused) {
    Bytes written;
    ByteWriter(written).varint(std::uint64_t{1} << 32);
    written += BytesView("\1\1");
    ByteReader reader(written);
    read_dot(reader);
    BOOST_TEST(!reader.ok());
    Bytes packed;
    Packer packer(packed);
    packer.uint(1);
    packer.uint(std::uint64_t{1} << 32);
    Unpacker unpacker(packed);
    unpack_actor(unpacker);
    BOOST_TEST(!unpacker.ok());
}

BOOST_AUTO_TEST_CASE(dots_are_ordered_by_node_then_incarnation_then_counter) {
    BOOST_TEST((Dot{{1, 9}, 9} < Dot{{2, 0}, 1}));
    BOOST_TEST((Dot{{1, 1}, 9} < Dot{{1, 2}, 1}));
    BOOST_TEST((Dot{{1, 1}, 1} < Dot{{1, 1}, 2}));
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
