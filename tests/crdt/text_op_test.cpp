#include "crdt/text_op.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(text_op)
namespace {

constexpr Actor a{1, 1};
constexpr Actor b{2, 1};

Bytes packed(const TextOp& op) {
    Bytes bytes;
    Packer out(bytes);
    pack(out, op);
    return bytes;
}

std::optional<TextOp> unpacked(BytesView bytes) {
    Unpacker in(bytes);
    TextOp op = unpack_text_op(in, a);
    if (!in.done()) return std::nullopt;
    return op;
}

void check_golden(const TextOp& op, const std::string& hex) {
    BOOST_TEST(to_hex(packed(op)) == hex);
    const auto again = unpacked(packed(op));
    BOOST_REQUIRE(again.has_value());
    BOOST_TEST((*again == op));
}

bool refused(const std::string& hex) {
    return !unpacked(from_hex(hex).value()).has_value();
}

BOOST_AUTO_TEST_CASE(operations_have_known_bytes) {
    check_golden(TextInsertion{{a, 0}, std::nullopt, Side::right, "x"}, "930200c40178");
    check_golden(TextInsertion{{a, 9}, ElementId{a, 8}, Side::right, "x"}, "930109c40178");
    check_golden(TextInsertion{{a, 9}, ElementId{a, 7}, Side::right, "x"}, "960409c40178010107");
    check_golden(TextInsertion{{a, 9}, ElementId{a, 8}, Side::left, "x"}, "960309c40178010108");
    check_golden(TextInsertion{{a, 9}, ElementId{b, 8}, Side::right, "€"},
                 "960409c403e282ac020108");
    check_golden(TextErasure{{{{a, 3}, 2}}}, "950001010302");
    check_golden(TextErasure{{{{a, 3}, 2}, {{b, 200}, 1}}}, "9900010103020201ccc801");
}

BOOST_AUTO_TEST_CASE(keystrokes_are_short) {
    const ElementId late{{1000, 3}, 1'000'000'000};
    BOOST_TEST(
        packed(TextInsertion{{a, 200'000}, ElementId{a, 199'999}, Side::right, "x"}).size() == 10U);
    BOOST_TEST(packed(TextInsertion{late, late, Side::left, "x"}).size() <= 24U);
    BOOST_TEST(packed(TextErasure{{{late, 1}}}).size() <= 12U);
}

BOOST_AUTO_TEST_CASE(damaged_operations_are_refused) {
    BOOST_TEST(refused(""));
    BOOST_TEST(refused("90"));
    BOOST_TEST(refused("9100"));                          // erases nothing
    BOOST_TEST(refused("9400010103"));                    // half a range
    BOOST_TEST(refused("950001010300"));                  // an empty range
    BOOST_TEST(refused("95000101cfffffffffffffffff01"));  // past the last index
    BOOST_TEST(refused("930100c40178"));                  // continues nothing
    BOOST_TEST(refused("930109c400"));                    // no text
    BOOST_TEST(refused("930109c401ff"));                  // no UTF-8
    BOOST_TEST(refused("930109c403eda080"));              // a surrogate
    BOOST_TEST(refused("930309c40178"));                  // no parent
    BOOST_TEST(refused("960109c40178010108"));            // a parent too many
    BOOST_TEST(refused("960409c40178010108"));            // a continuation has a shorter form
    BOOST_TEST(refused("930509c40178"));                  // an unknown form
    BOOST_TEST(refused("c0"));
    BOOST_TEST(refused("dd00ffffffff"));  // more numbers than bytes
}

BOOST_AUTO_TEST_CASE(random_damage_is_refused_or_gives_another_operation) {
    test::SeededRandom random(7);
    const TextOp ops[] = {TextInsertion{{a, 9}, ElementId{b, 8}, Side::right, "€ and so on"},
                          TextInsertion{{a, 70000}, ElementId{a, 69999}, Side::right, "x"},
                          TextErasure{{{{a, 3}, 2}, {{b, 200}, 1}}}};
    for (int i = 0; i < 30'000; ++i) {
        Bytes bytes = packed(ops[i % 3]);
        const std::size_t place = random.below(bytes.size());
        bytes[place] = static_cast<char>(random.below(256));
        if (random.below(4) == 0) bytes.resize(place);
        const auto op = unpacked(bytes);
        if (op) BOOST_REQUIRE(unpacked(packed(*op)) == op);
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
