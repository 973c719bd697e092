#include "crdt/score.hpp"

#include <bit>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

namespace syncline {
BOOST_AUTO_TEST_SUITE(score)
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

std::uint64_t bits(double number) {
    return std::bit_cast<std::uint64_t>(number);
}

const Dot dot{Actor{1, 1}, 5};

Cell cell_with(std::optional<double> score, const char* added) {
    Cell cell;
    if (score) cell.dots.put(dot, DotValue{Hlc{7}, score_bytes(*score)});
    const auto [actor, entry] =
        cell.counter.increment(dot, Amount(0, *Decimal::parse(added)), false);
    cell.counter.merge(actor, entry);
    return cell;
}

BOOST_AUTO_TEST_CASE(texts_are_those_of_redis) {
    BOOST_TEST((parse_score("1.5") == 1.5));
    BOOST_TEST((parse_score("+2") == 2.0));
    BOOST_TEST((parse_score(".5") == 0.5));
    BOOST_TEST((parse_score("-3e2") == -300.0));
    BOOST_TEST((parse_score("0x10") == 16.0));
    BOOST_TEST((parse_score("-INF") == -infinity));
    BOOST_TEST((parse_score("+infinity") == infinity));
    BOOST_TEST(bits(*parse_score("-0")) == 0U);
    for (const char* const text : {"", "-", "x", "nan", "-nan", "0x", "0x-1", "--1", "1 ", " 1",
                                   "1e400", "1.5x", "infinit", "0xinf", "+-1"}) {
        BOOST_TEST(!parse_score(text).has_value(), text);
    }
    BOOST_TEST(score_text(0.1) == "0.1");
    BOOST_TEST(score_text(-2) == "-2");
    BOOST_TEST(score_text(1e20) == "100000000000000000000");
    BOOST_TEST(score_text(1e300) == "1e+300");
    BOOST_TEST(score_text(-infinity) == "-inf");
}

BOOST_AUTO_TEST_CASE(order_is_that_of_numbers) {
    const double ascending[] = {-infinity, -1e300, -2, -1e-300, 0, 5e-324, 1, 1.5, 1e300, infinity};
    for (std::size_t i = 1; i < std::size(ascending); ++i) {
        BOOST_TEST(score_order(ascending[i - 1]) < score_order(ascending[i]));
        BOOST_TEST((score_bytes(ascending[i - 1]) < score_bytes(ascending[i])));
    }
    for (const double number : ascending) {
        BOOST_TEST((score_from_order(score_order(number)) == number));
        BOOST_TEST((score_from_bytes(score_bytes(number)) == number));
        BOOST_TEST((parse_score(score_text(number)) == number));
    }
    BOOST_TEST(score_order(-0.0) == score_order(0.0));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_score_are_refused) {
    Bytes nan;
    ByteWriter(nan).u64(bits(std::numeric_limits<double>::quiet_NaN()) | std::uint64_t{1} << 63U);
    BOOST_TEST(!score_from_bytes(nan).has_value());
    Bytes negative_zero;
    ByteWriter(negative_zero).u64(~(std::uint64_t{1} << 63U));
    BOOST_TEST(!score_from_bytes(negative_zero).has_value());
    BOOST_TEST(!score_from_bytes("1234567").has_value());
    BOOST_TEST(!score_from_bytes("123456789").has_value());

    // Neither may a row or a delta bring them in.
    Cell cell;
    cell.dots.put(dot, DotValue{Hlc{7}, nan});
    Bytes row;
    ByteWriter out(row);
    write(out, cell, CellType::sorted_set);
    BOOST_TEST(!read_cell(row, CellType::sorted_set).has_value());
    Bytes packed;
    Packer packer(packed);
    pack(packer, CellDelta{true, nan, {}}, CellType::sorted_set);
    Unpacker in(packed);
    unpack_cell_delta(in, CellType::sorted_set);
    BOOST_TEST(!in.ok());
}

BOOST_AUTO_TEST_CASE(additions_are_exact_beside_decimals) {
    BOOST_TEST((score_value(cell_with(0.1, "0.2")) == 0.3));  // 0.1 + 0.2 is not, in doubles
    BOOST_TEST((score_value(cell_with(std::nullopt, "0.7")) == 0.7));
    BOOST_TEST((score_value(cell_with(1e300, "5")) == 1e300));
    BOOST_TEST((score_value(cell_with(1e-30, "1")) == 1.0));
    BOOST_TEST((score_value(cell_with(-infinity, "5")) == -infinity));
    BOOST_TEST(bits(*score_value(cell_with(0.5, "-0.5"))) == 0U);
    BOOST_TEST(!score_value(Cell{}).has_value());
    BOOST_TEST((score_increment(0.1) == Decimal::parse("0.1")));
    BOOST_TEST(!score_increment(1e-30).has_value());
    BOOST_TEST(!score_increment(1e21).has_value());
    BOOST_TEST(!score_increment(infinity).has_value());
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
