#include "crdt/decimal.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(decimal)
namespace {

std::string read_and_shown(BytesView text) {
    const std::optional<Decimal> number = Decimal::parse(text);
    return number ? number->text() : "none";
}

Decimal number(BytesView text) {
    return *Decimal::parse(text);
}

BOOST_AUTO_TEST_CASE(texts_are_read_and_shown_at_their_shortest) {
    const std::pair<const char*, const char*> cases[] = {
        {"0", "0"},
        {"-0", "0"},
        {"10.50", "10.5"},
        {"+1", "1"},
        {".5", "0.5"},
        {"5.", "5"},
        {"-0.05", "-0.05"},
        {"007", "7"},
        {"1e3", "1000"},
        {"1.5E-3", "0.0015"},
        {"0e99999999999", "0"},
        {"1e-17", "0.00000000000000001"},
        {"1e-18", "0"},
        {"5e-18", "0.00000000000000001"},
        {"-5e-18", "-0.00000000000000001"},
        {"4e-18", "0"},
        {"0.999999999999999995", "1"},
        {"1e-99999999999", "0"},
        {"123456789012345678901.25", "123456789012345678901.25"},
        {"999999999999999999999", "999999999999999999999"},
        {"9223372036854775808", "9223372036854775808"},
    };
    for (const auto& [text, shown] : cases) {
        BOOST_TEST_CONTEXT(text) BOOST_TEST(read_and_shown(text) == shown);
    }
    BOOST_TEST(read_and_shown(std::string(5000, '0') + "1.5") == "1.5");
}

BOOST_AUTO_TEST_CASE(what_is_no_number_or_too_large_is_refused) {
    const char* const texts[] = {"",    ".",   "e5",  "1e",   "1e+", "1 ",    " 1",   "-",    "+",
                                 "--1", "nan", "inf", "0x10", "1f",  "1.2.3", "1e21", "-1e21"};
    for (const char* const text : texts) {
        BOOST_TEST_CONTEXT(text) BOOST_TEST(read_and_shown(text) == "none");
    }
    BOOST_TEST(read_and_shown("999999999999999999999.999999999999999999") == "none");
    BOOST_TEST(read_and_shown("1e99999999999") == "none");
    BOOST_TEST(read_and_shown(std::string(6000, '1')) == "none");
}

BOOST_AUTO_TEST_CASE(sums_are_exact) {
    BOOST_TEST((number("0.1") + number("0.2")).text() == "0.3");
    Decimal sum;
    for (int i = 0; i < 1000; ++i) sum = sum + number("0.001");
    BOOST_TEST(sum.text() == "1");
    // Binary floating point keeps nothing of the small one beside the large one.
    const Decimal large = number("100000000000000000000");
    BOOST_TEST(((large + number("0.00000000000000001")) - large).text() == "0.00000000000000001");
}

BOOST_AUTO_TEST_CASE(whole_numbers_are_told_from_others) {
    BOOST_TEST(number("-3").integer().value() == -3);
    BOOST_TEST(number("3.0").integer().value() == 3);
    BOOST_TEST(!number("3.5").integer());
    BOOST_TEST(number("9223372036854775807").integer().value() == INT64_MAX);
    BOOST_TEST(number("-9223372036854775808").integer().value() == INT64_MIN);
    BOOST_TEST(!number("9223372036854775808").integer());
    BOOST_TEST(Decimal(INT64_MIN).text() == "-9223372036854775808");
}

BOOST_AUTO_TEST_CASE(numbers_survive_text_and_both_codecs) {
    for (const std::uint64_t seed : test::seeds(500)) {
        test::SeededRandom random(seed);
        Decimal value(static_cast<std::int64_t>(random.next()));
        const std::string behind = std::to_string(random.next()).substr(0, 17);
        value = value + number("0." + behind);
        if (random.below(2) == 0) value = Decimal() - value;
        BOOST_TEST_CONTEXT("SYNCLINE_SEED=" << seed) {
            BOOST_TEST((number(value.text()) == value));
            Bytes written;
            ByteWriter out(written);
            write(out, value);
            ByteReader in(written);
            BOOST_TEST((read_decimal(in) == value));
            BOOST_TEST(in.done());
            Bytes packed;
            Packer packer(packed);
            pack(packer, value);
            Unpacker unpacker(packed);
            BOOST_TEST((unpack_decimal(unpacker) == value));
            BOOST_TEST(unpacker.done());
        }
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
