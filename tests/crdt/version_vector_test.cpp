#include "crdt/version_vector.hpp"

#include <boost/test/unit_test.hpp>

#include "core/base/limits.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(version_vector)
namespace {

constexpr Actor a{1, 1};
constexpr Actor b{2, 1};

VersionVector random_vector(Random& random) {
    VersionVector vv;
    const std::size_t count = random.below(6);
    for (std::size_t i = 0; i < count; ++i) {
        const Actor actor{static_cast<std::uint32_t>(random.below(4)),
                          static_cast<std::uint32_t>(random.below(2))};
        vv.add(Dot{actor, random.below(5)});
    }
    return vv;
}

VersionVector joined(VersionVector x, const VersionVector& y) {
    x.join(y);
    return x;
}

Bytes packed_numbers(const std::vector<std::uint64_t>& numbers) {
    Bytes bytes;
    Packer out(bytes);
    out.array(numbers.size());
    for (const std::uint64_t number : numbers) out.uint(number);
    return bytes;
}

bool unpacks(const Bytes& bytes) {
    Unpacker in(bytes);
    unpack_version_vector(in);
    return in.done();
}

BOOST_AUTO_TEST_CASE(covers_everything_up_to_the_counter) {
    VersionVector vv;
    vv.add(Dot{a, 5});
    BOOST_TEST(vv.covers(Dot{a, 1}));
    BOOST_TEST(vv.covers(Dot{a, 5}));
    BOOST_TEST(!vv.covers(Dot{a, 6}));
    BOOST_TEST(!vv.covers(Dot{b, 1}));
    BOOST_TEST(!vv.covers(Dot{Actor{1, 2}, 1}));
    BOOST_TEST(vv.counter(a) == 5U);
    BOOST_TEST(vv.counter(b) == 0U);
}

BOOST_AUTO_TEST_CASE(add_never_lowers) {
    VersionVector vv;
    vv.add(Dot{a, 5});
    vv.add(Dot{a, 3});
    vv.add(Dot{b, 0});
    BOOST_TEST(vv.counter(a) == 5U);
    BOOST_TEST(vv.entries().size() == 1U);
}

BOOST_AUTO_TEST_CASE(events_that_are_lacking_are_counted) {
    VersionVector vv;
    vv.add(Dot{a, 5});
    VersionVector other;
    other.add(Dot{a, 3});
    other.add(Dot{b, 4});
    BOOST_TEST(vv.lacks(other) == 4U);
    BOOST_TEST(other.lacks(vv) == 2U);
}

BOOST_AUTO_TEST_CASE(golden_bytes_and_text) {
    VersionVector vv;
    vv.add(Dot{b, 300});
    vv.add(Dot{a, 1});
    Bytes written;
    ByteWriter out(written);
    write(out, vv);
    BOOST_TEST(to_hex(written) == "020101010201ac02");
    Bytes packed;
    Packer packer(packed);
    pack(packer, vv);
    BOOST_TEST(to_hex(packed) == "960101010201cd012c");
    BOOST_TEST(to_string(vv) == "{1.1:1, 2.1:300}");
    BOOST_TEST(to_string(VersionVector()) == "{}");
}

BOOST_AUTO_TEST_CASE(join_and_order_form_a_lattice) {
    for (const std::uint64_t seed : test::seeds(500)) {
        test::SeededRandom random(seed);
        const VersionVector x = random_vector(random);
        const VersionVector y = random_vector(random);
        const VersionVector z = random_vector(random);
        BOOST_TEST_CONTEXT("SYNCLINE_SEED=" << seed) {
            const VersionVector xy = joined(x, y);
            BOOST_TEST((xy == joined(y, x)));
            BOOST_TEST((joined(xy, z) == joined(x, joined(y, z))));
            BOOST_TEST((joined(x, x) == x));
            BOOST_TEST(xy.covers(x));
            BOOST_TEST(xy.covers(y));
            // The join is the least of the upper bounds, and the order is antisymmetric.
            if (z.covers(x) && z.covers(y)) BOOST_TEST(z.covers(xy));
            if (x.covers(y) && y.covers(x)) BOOST_TEST((x == y));
            BOOST_TEST(x.covers(y) == (xy == x));
            BOOST_TEST(x.covers(y) == (x.lacks(y) == 0U));
            // What x lacks of y is what lies between x and their join.
            BOOST_TEST(x.lacks(y) == x.lacks(xy));
        }
    }
}

BOOST_AUTO_TEST_CASE(vectors_survive_both_codecs) {
    for (const std::uint64_t seed : test::seeds(300)) {
        test::SeededRandom random(seed);
        const VersionVector vv = random_vector(random);
        Bytes written;
        ByteWriter out(written);
        write(out, vv);
        ByteReader reader(written);
        Bytes packed;
        Packer packer(packed);
        pack(packer, vv);
        Unpacker unpacker(packed);
        BOOST_TEST_CONTEXT("SYNCLINE_SEED=" << seed) {
            BOOST_TEST((read_version_vector(reader) == vv));
            BOOST_TEST(reader.done());
            BOOST_TEST((unpack_version_vector(unpacker) == vv));
            BOOST_TEST(unpacker.done());
        }
    }
}

BOOST_AUTO_TEST_CASE(unsorted_repeated_zero_and_partial_entries_are_refused) {
    BOOST_TEST(unpacks(packed_numbers({1, 1, 5, 2, 1, 5})));
    BOOST_TEST(!unpacks(packed_numbers({2, 1, 5, 1, 1, 5})));
    BOOST_TEST(!unpacks(packed_numbers({1, 1, 5, 1, 1, 6})));
    BOOST_TEST(!unpacks(packed_numbers({1, 1, 0})));
    BOOST_TEST(!unpacks(packed_numbers({1, 1})));
    for (const BytesView bytes : {BytesView("\x02\x02\x01\x05\x01\x01\x05", 7),  // unsorted
                                  BytesView("\x01\x01\x01\x00", 4),              // counter 0
                                  BytesView("\x02\x01\x01\x05", 4)}) {           // cut
        ByteReader in(bytes);
        BOOST_TEST(read_version_vector(in).empty());
        BOOST_TEST(!in.ok());
    }
}

BOOST_AUTO_TEST_CASE(too_many_actors_are_refused) {
    VersionVector vv;
    for (std::uint32_t node = 0; node < limits::actors_max; ++node) vv.add(Dot{{node, 1}, 1});
    Bytes most;
    Packer packer(most);
    pack(packer, vv);
    BOOST_TEST(unpacks(most));
    vv.add(Dot{{limits::actors_max, 1}, 1});
    Bytes too_many;
    Packer another(too_many);
    pack(another, vv);
    BOOST_TEST(!unpacks(too_many));
    Bytes written;
    ByteWriter out(written);
    write(out, vv);
    ByteReader in(written);
    BOOST_TEST(read_version_vector(in).empty());
    BOOST_TEST(!in.ok());
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
