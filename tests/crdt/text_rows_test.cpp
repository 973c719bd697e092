#include "crdt/text_rows.hpp"

#include <boost/test/unit_test.hpp>

#include "crdt/text.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(text_rows)
namespace {

constexpr Actor a{1, 1};
constexpr Actor b{2, 1};
constexpr auto run = TextRowName::Kind::run;
constexpr auto erased = TextRowName::Kind::erased;

template <typename Row>
Bytes written(const TextRowName& name, const Row& row) {
    Bytes bytes;
    ByteWriter out(bytes);
    write(out, name, row);
    return bytes;
}

Bytes written(const TextRowName& name) {
    Bytes bytes;
    ByteWriter out(bytes);
    write(out, name);
    return bytes;
}

void check_golden(const TextRowName& name, const TextRunRow& row, const std::string& hex) {
    BOOST_TEST(to_hex(written(name, row)) == hex);
    const auto again = read_text_run_row(name, from_hex(hex).value());
    BOOST_REQUIRE(again.has_value());
    BOOST_TEST((*again == row));
}

void check_golden(const TextRowName& name, const TextErasedRow& row, const std::string& hex) {
    BOOST_TEST(to_hex(written(name, row)) == hex);
    const auto again = read_text_erased_row(name, from_hex(hex).value());
    BOOST_REQUIRE(again.has_value());
    BOOST_TEST((*again == row));
}

bool run_refused(std::uint64_t first, const std::string& hex) {
    const auto row = read_text_run_row({run, a, first}, from_hex(hex).value());
    return !row && row.error().code == Code::corrupt;
}

bool erased_refused(std::uint64_t first, const std::string& hex) {
    const auto row = read_text_erased_row({erased, a, first}, from_hex(hex).value());
    return !row && row.error().code == Code::corrupt;
}

bool name_refused(const std::string& hex) {
    return !read_text_row_name(from_hex(hex).value());
}

/// A text whose rows have most forms.
Text sample() {
    Text text;
    std::uint64_t counters[2] = {0, 0};
    const auto insert = [&](const Actor& actor, std::uint64_t position, BytesView utf8) {
        const auto op = text.insertion(actor, position, utf8);
        BOOST_REQUIRE(text.apply(*op, {actor, ++counters[actor.node - 1]}).has_value());
    };
    insert(a, 0, "hello");
    insert(a, 5, "!");
    insert(b, 5, " wörld");
    insert(a, 0, Bytes(600, 'x'));
    insert(a, 3, "€");
    insert(b, 4, "y");
    for (const std::uint64_t from : {std::uint64_t{10}, std::uint64_t{570}}) {
        BOOST_REQUIRE(text.apply(*text.erasure(from, 20), {b, ++counters[1]}).has_value());
    }
    return text;
}

std::vector<Text::Row> rows_of(const Text& text) {
    std::vector<Text::Row> rows;
    for (const TextRowName& name : text.rows()) rows.emplace_back(name, text.row(name));
    return rows;
}

bool loads(const std::vector<Text::Row>& rows) {
    const auto text = Text::load(rows);
    if (!text) BOOST_TEST((text.error().code == Code::corrupt));
    return text.has_value();
}

BOOST_AUTO_TEST_CASE(names_have_known_bytes) {
    BOOST_TEST(to_hex(written(TextRowName{run, a, 300})) == "010101ac02");
    BOOST_TEST(to_hex(written(TextRowName{erased, b, 8192})) == "0202018040");
    for (const TextRowName& name : {TextRowName{run, a, 300}, TextRowName{erased, b, 8192}}) {
        BOOST_TEST((read_text_row_name(written(name)).value() == name));
    }
    BOOST_TEST(to_string(TextRowName{run, a, 300}) == "run 1.1#300");
    BOOST_TEST(name_refused(""));
    BOOST_TEST(name_refused("00010100"));  // no kind
    BOOST_TEST(name_refused("03010100"));
    BOOST_TEST(name_refused("0101018200"));  // a long form of 2
    BOOST_TEST(name_refused("02010101"));    // between cuts
    BOOST_TEST(name_refused("0101010000"));
}

BOOST_AUTO_TEST_CASE(runs_have_known_bytes) {
    check_golden({run, a, 0}, TextRunRow{1, {}, Side::right, 1, {}, "x"}, "01010178");
    check_golden({run, a, 0}, TextRunRow{3, {}, Side::right, 1, {{0, 2}}, "xyz"}, "01030178797a");
    check_golden({run, a, 0}, TextRunRow{3, {}, Side::right, 7, {{1, 2}}, "z"}, "0903077a");
    check_golden({run, a, 0}, TextRunRow{3, {}, Side::right, 7, {{5, 1}, {0, 1}}, ""},
                 "11030705010001");
    check_golden({run, a, 512}, TextRunRow{1, ElementId{a, 511}, Side::right, 9, {}, "x"},
                 "00010978");
    check_golden({run, a, 9}, TextRunRow{1, ElementId{a, 8}, Side::left, 9, {}, "x"}, "0201010978");
    check_golden({run, a, 9}, TextRunRow{1, ElementId{a, 6}, Side::right, 9, {}, "x"},
                 "0301030978");
    check_golden({run, a, 9}, TextRunRow{1, ElementId{b, 300}, Side::left, 9, {}, "€"},
                 "04010201ac0209e282ac");
    check_golden({run, a, 9}, TextRunRow{1, ElementId{b, 8}, Side::right, 9, {}, "x"},
                 "0501020108"
                 "0978");
}

BOOST_AUTO_TEST_CASE(erased_rows_have_known_bytes) {
    check_golden({erased, a, 0}, TextErasedRow{{0, 1}}, "0001");
    check_golden({erased, a, 8192}, TextErasedRow{{8192, 5}, {8300, 300}}, "000567ac02");
    check_golden({erased, a, 8192}, TextErasedRow{{8192, 8192}}, "008040");
}

BOOST_AUTO_TEST_CASE(damaged_runs_are_refused) {
    BOOST_TEST(run_refused(0, ""));
    BOOST_TEST(run_refused(0, "01"));
    BOOST_TEST(run_refused(0, "010001"));      // no elements
    BOOST_TEST(run_refused(0, "09810401"));    // 513 elements
    BOOST_TEST(run_refused(510, "09030101"));  // over the cut
    BOOST_TEST(run_refused(0, "010100"));      // no transaction
    BOOST_TEST(run_refused(0, "0101017878"));  // more text than elements
    BOOST_TEST(run_refused(0, "010101ff"));    // no UTF-8
    BOOST_TEST(run_refused(0, "000101"));      // goes on from nothing
    BOOST_TEST(run_refused(9, "000101"));      // where no cut is
    BOOST_TEST(run_refused(9, "03010101"));    // no new run
    BOOST_TEST(run_refused(512, "03010101"));
    BOOST_TEST(run_refused(9, "02010a01"));      // a parent before the first one
    BOOST_TEST(run_refused(9, "02010001"));      // its own parent
    BOOST_TEST(run_refused(9, "050101010801"));  // the own actor as another one
    BOOST_TEST(run_refused(0, "060101"));        // unknown forms
    BOOST_TEST(run_refused(0, "190101"));
    BOOST_TEST(run_refused(0, "090101"));          // steps of one element
    BOOST_TEST(run_refused(0, "1103010002"));      // all steps 0 have a shorter form
    BOOST_TEST(run_refused(0, "1103010102"));      // and so have all steps 1
    BOOST_TEST(run_refused(0, "11030105010501"));  // two equal steps
    BOOST_TEST(run_refused(0, "1103010503"));      // too many
    BOOST_TEST(run_refused(0, "11030105010000"));  // none
    BOOST_TEST(run_refused(0,
                           "1103ffffffffffffffffff010101"
                           "0001"));  // past the last counter
}

BOOST_AUTO_TEST_CASE(damaged_erased_rows_are_refused) {
    BOOST_TEST(erased_refused(0, ""));
    BOOST_TEST(erased_refused(0, "00"));
    BOOST_TEST(erased_refused(0, "0000"));
    BOOST_TEST(erased_refused(0, "00010001"));  // two intervals that are one
    BOOST_TEST(erased_refused(0, "008140"));    // over the cut
    BOOST_TEST(erased_refused(0, "814001"));
    BOOST_TEST(erased_refused(0, "00ffffffffffffffffff01"));
    BOOST_TEST(erased_refused(~std::uint64_t{0} - 8191, "008040"));  // past the last index
}

BOOST_AUTO_TEST_CASE(rows_load_in_any_order) {
    const Text text = sample();
    text.check_invariants();
    std::vector<Text::Row> rows = rows_of(text);
    BOOST_TEST(rows.size() == 8U);
    std::reverse(rows.begin(), rows.end());
    const auto again = Text::load(rows);
    BOOST_REQUIRE(again.has_value());
    BOOST_TEST(again->text() == text.text());
    BOOST_TEST((rows_of(*again) == rows_of(text)));
}

BOOST_AUTO_TEST_CASE(rows_that_do_not_fit_together_do_not_load) {
    const std::vector<Text::Row> rows = rows_of(sample());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        std::vector<Text::Row> without = rows;
        without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
        // An actor's last run may be missing: nobody hangs on it, and none of it is erased.
        BOOST_TEST(loads(without) == (rows[i].first == TextRowName{run, b, 6}));
        std::vector<Text::Row> twice = rows;
        twice.push_back(rows[i]);
        BOOST_TEST(!loads(twice));
    }
}

/// a0 below b0 and b0 below a0.
BOOST_AUTO_TEST_CASE(elements_that_hang_on_each_other_do_not_load) {
    const TextRowName first{run, a, 0};
    const TextRowName second{run, b, 0};
    const TextRunRow below_b{1, ElementId{b, 0}, Side::right, 1, {}, "x"};
    const TextRunRow below_a{1, ElementId{a, 0}, Side::left, 1, {}, "y"};
    BOOST_TEST(!loads({{first, written(first, below_b)}, {second, written(second, below_a)}}));
    const TextRunRow at_root{1, std::nullopt, Side::right, 1, {}, "x"};
    BOOST_TEST(loads({{first, written(first, at_root)}, {second, written(second, below_a)}}));
}

BOOST_AUTO_TEST_CASE(counters_of_later_runs_are_not_smaller) {
    const TextRowName first{run, a, 0};
    const TextRowName second{run, a, 1};
    const TextRunRow at_root{1, std::nullopt, Side::right, 5, {}, "x"};
    TextRunRow left{1, ElementId{a, 0}, Side::left, 4, {}, "y"};
    BOOST_TEST(!loads({{first, written(first, at_root)}, {second, written(second, left)}}));
    left.counter = 5;
    BOOST_TEST(loads({{first, written(first, at_root)}, {second, written(second, left)}}));
}

/// What loads after damage is a text, and its rows are canonical.
BOOST_AUTO_TEST_CASE(random_damage_is_refused_or_gives_another_text) {
    test::SeededRandom random(11);
    const std::vector<Text::Row> rows = rows_of(sample());
    std::size_t accepted = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::vector<Text::Row> damaged = rows;
        Bytes& bytes = damaged[random.below(damaged.size())].second;
        const std::size_t place = random.below(bytes.size());
        bytes[place] = static_cast<char>(random.below(256));
        if (random.below(4) == 0) bytes.resize(place);
        const auto text = Text::load(damaged);
        if (!text) continue;
        ++accepted;
        BOOST_REQUIRE((rows_of(*text) == damaged));
    }
    BOOST_TEST(accepted > 0U);
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
