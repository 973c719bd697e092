#include "tools/piece_cutter.hpp"

#include <boost/test/unit_test.hpp>

namespace syncline {
BOOST_AUTO_TEST_SUITE(piece_cutter)
namespace {

std::vector<KeyPiece> pieces_of(const char* type, std::vector<std::vector<Bytes>> values) {
    std::vector<KeyPiece> pieces;
    const PieceCutter::Take take = [&](const KeyPiece& piece) -> Result<void> {
        pieces.push_back(piece);
        return {};
    };
    KeyPiece head;
    head.key = "k";
    head.type = type;
    PieceCutter cutter(head, 42, take);
    for (std::vector<Bytes>& some : values) BOOST_REQUIRE(cutter.add(std::move(some)));
    BOOST_REQUIRE(cutter.finish());
    return pieces;
}

}  // namespace

BOOST_AUTO_TEST_CASE(only_the_last_piece_has_the_end) {
    const std::vector<KeyPiece> pieces = pieces_of("set", {{"a"}, {}, {"b", "c"}});
    BOOST_REQUIRE_EQUAL(pieces.size(), 2U);
    BOOST_TEST(pieces[0].part == 1U);
    BOOST_TEST(!pieces[0].last);
    BOOST_TEST(!pieces[0].ends_ms.has_value());
    BOOST_TEST(pieces[1].part == 2U);
    BOOST_TEST(pieces[1].last);
    BOOST_TEST(pieces[1].ends_ms.value() == 42);
}

BOOST_AUTO_TEST_CASE(a_piece_has_bounded_bytes_and_whole_pairs) {
    const Bytes half(piece_bytes_max / 2, 'x');
    const std::vector<KeyPiece> pieces = pieces_of("hash", {{"f", half, "g", half, "h", "1"}});
    BOOST_REQUIRE_EQUAL(pieces.size(), 2U);
    BOOST_TEST(pieces[0].values.size() == 2U);
    BOOST_TEST(pieces[1].values.size() == 4U);
    BOOST_TEST(pieces[1].values[0] == "g");
}

BOOST_AUTO_TEST_CASE(what_is_longer_than_a_piece_goes_alone) {
    const std::vector<KeyPiece> pieces =
        pieces_of("list", {{"a", Bytes(piece_bytes_max + 1, 'x'), "b"}});
    BOOST_REQUIRE_EQUAL(pieces.size(), 3U);
    BOOST_TEST(pieces[1].values[0].size() == piece_bytes_max + 1);
}

BOOST_AUTO_TEST_CASE(nothing_makes_no_piece) {
    BOOST_TEST(pieces_of("set", {}).empty());
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
