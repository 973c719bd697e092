#include "crdt/text.hpp"

#include <boost/test/unit_test.hpp>
#include <map>

#include "tests/crdt/spec_text.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(text)
namespace {

constexpr Actor a{1, 1};
constexpr Actor b{2, 1};
constexpr Actor c{3, 1};

/// One who edits, and what he has shipped.
struct Writer {
    Actor actor;
    Text text;
    std::uint64_t counter = 0;
    std::vector<std::pair<Dot, TextOp>> shipped;

    void run(const TextOp& op) {
        const Dot dot{actor, ++counter};
        BOOST_REQUIRE(text.apply(op, dot).has_value());
        shipped.emplace_back(dot, op);
    }
    void insert(std::uint64_t position, BytesView utf8) {
        const auto op = text.insertion(actor, position, utf8);
        BOOST_REQUIRE(op.has_value());
        run(*op);
    }
    void erase(std::uint64_t position, std::uint64_t count) {
        const auto op = text.erasure(position, count);
        BOOST_REQUIRE(op.has_value());
        run(*op);
    }
    void take(const Writer& other, std::size_t from = 0) {
        for (std::size_t i = from; i < other.shipped.size(); ++i) {
            const auto& [dot, op] = other.shipped[i];
            BOOST_REQUIRE(text.apply(op, dot).has_value());
        }
    }
};

Code refusal(const Text& text, const TextOp& op, const Dot& dot) {
    Text copy = text;
    const auto applied = copy.apply(op, dot);
    BOOST_REQUIRE(!applied.has_value());
    BOOST_TEST((text.check(op, dot).error().code == applied.error().code));
    BOOST_TEST(copy.text() == text.text());
    return applied.error().code;
}

TextOp insertion(const ElementId& first, std::optional<ElementId> parent, Side side, Bytes text) {
    return TextInsertion{first, parent, side, std::move(text)};
}

TextOp erasure(const ElementId& first, std::uint64_t count) {
    return TextErasure{{{first, count}}};
}

BOOST_AUTO_TEST_CASE(a_new_text_is_empty) {
    const Text text;
    BOOST_TEST(text.size() == 0U);
    BOOST_TEST(text.text() == "");
    BOOST_TEST(text.text(0, 10) == "");
    BOOST_TEST(text.rows().empty());
    BOOST_TEST(!text.id_at(0).has_value());
    BOOST_TEST(!text.position_of({a, 0}).has_value());
    BOOST_TEST(Text::load({}).value().size() == 0U);
}

BOOST_AUTO_TEST_CASE(positions_count_code_points) {
    Writer writer{a, {}, 0, {}};
    writer.insert(0, "aé€𝄞z");
    BOOST_TEST(writer.text.size() == 5U);
    BOOST_TEST(writer.text.text(1, 3) == "é€𝄞");
    writer.insert(3, "ß");
    BOOST_TEST(writer.text.text() == "aé€ß𝄞z");
    writer.erase(1, 2);
    BOOST_TEST(writer.text.text() == "aß𝄞z");
    BOOST_TEST(writer.text.text(2, 100) == "𝄞z");
    BOOST_TEST(writer.text.text(4, 1) == "");
}

BOOST_AUTO_TEST_CASE(local_edits_out_of_range_are_refused) {
    Writer writer{a, {}, 0, {}};
    writer.insert(0, "abc");
    const Text& text = writer.text;
    const auto code = [](const auto& result) {
        BOOST_REQUIRE(!result.has_value());
        return result.error().code;
    };
    BOOST_TEST((code(text.insertion(a, 4, "x")) == Code::invalid_argument));
    BOOST_TEST((code(text.insertion(a, 0, "")) == Code::invalid_argument));
    BOOST_TEST((code(text.insertion(a, 0, "\xc3")) == Code::invalid_argument));
    BOOST_TEST((code(text.insertion(a, 0, "\xed\xa0\x80")) == Code::invalid_argument));
    BOOST_TEST((code(text.erasure(0, 0)) == Code::invalid_argument));
    BOOST_TEST((code(text.erasure(3, 1)) == Code::invalid_argument));
    BOOST_TEST((code(text.erasure(1, 3)) == Code::invalid_argument));
    const auto all = ~std::uint64_t{0};
    BOOST_TEST((code(text.erasure(1, all)) == Code::invalid_argument));
    BOOST_TEST((code(text.insertion(a, all, "x")) == Code::invalid_argument));
    BOOST_TEST(text.text(1, all) == "bc");
}

BOOST_AUTO_TEST_CASE(operations_that_no_replica_makes_are_refused) {
    Writer writer{a, {}, 0, {}};
    writer.insert(0, "abc");
    const Text& text = writer.text;
    const Dot next{a, 2};
    const ElementId fresh{a, 3};
    const auto right = Side::right;
    const auto corrupt = Code::corrupt;
    const auto causality = Code::causality;
    const ElementId last{a, 2};
    BOOST_TEST((refusal(text, insertion(fresh, last, right, "x"), {b, 1}) == corrupt));
    BOOST_TEST((refusal(text, insertion(fresh, last, right, ""), next) == corrupt));
    BOOST_TEST((refusal(text, insertion(fresh, {}, Side::left, "x"), next) == corrupt));
    BOOST_TEST((refusal(text, insertion(last, last, right, "x"), next) == corrupt));
    BOOST_TEST((refusal(text, insertion({a, 4}, last, right, "x"), next) == causality));
    BOOST_TEST((refusal(text, insertion(fresh, fresh, right, "x"), next) == corrupt));
    BOOST_TEST((refusal(text, insertion(fresh, ElementId{b, 0}, right, "x"), next) == causality));
    BOOST_TEST((refusal(text, insertion(fresh, last, right, "x"), {a, 0}) == corrupt));
    BOOST_TEST((refusal(text, erasure(fresh, 1), next) == causality));
    BOOST_TEST((refusal(text, erasure({a, 1}, 3), next) == causality));
    BOOST_TEST((refusal(text, erasure({a, 1}, ~std::uint64_t{0}), next) == causality));
    BOOST_TEST((refusal(text, erasure({b, 0}, 1), next) == causality));
    BOOST_TEST((refusal(text, erasure({a, 0}, 0), next) == corrupt));
    BOOST_TEST((refusal(text, TextErasure{}, next) == corrupt));
    writer.insert(3, "d");
    BOOST_TEST((refusal(text, insertion({a, 4}, last, right, "x"), {a, 1}) == corrupt));
}

BOOST_AUTO_TEST_CASE(one_bad_range_leaves_the_others_alone) {
    Writer writer{a, {}, 0, {}};
    writer.insert(0, "abc");
    const TextErasure op{{{{a, 0}, 2}, {{a, 2}, 2}}};
    BOOST_TEST((refusal(writer.text, op, {a, 2}) == Code::causality));
}

BOOST_AUTO_TEST_CASE(words_typed_at_one_place_do_not_interleave) {
    Writer x{a, {}, 0, {}};
    Writer y{b, {}, 0, {}};
    x.insert(0, "[]");
    y.take(x);
    for (const char letter : std::string("milk")) x.insert(x.text.size() - 1, Bytes(1, letter));
    for (const char letter : std::string("eggs")) y.insert(y.text.size() - 1, Bytes(1, letter));
    x.take(y);
    y.take(x, 1);
    BOOST_TEST(x.text.text() == "[milkeggs]");
    BOOST_TEST(y.text.text() == x.text.text());
}

BOOST_AUTO_TEST_CASE(words_typed_backwards_at_one_place_do_not_interleave) {
    Writer x{a, {}, 0, {}};
    Writer y{b, {}, 0, {}};
    x.insert(0, "[]");
    y.take(x);
    for (const char letter : std::string("klim")) x.insert(1, Bytes(1, letter));
    for (const char letter : std::string("sgge")) y.insert(1, Bytes(1, letter));
    x.take(y);
    y.take(x, 1);
    BOOST_TEST(x.text.text() == "[milkeggs]");
    BOOST_TEST(y.text.text() == x.text.text());
}

/// a0 has two right children: its continuation a1 and b0. c0 stands behind them all.
BOOST_AUTO_TEST_CASE(a_forked_chain_ends_where_its_last_child_ends) {
    Writer x{a, {}, 0, {}};
    Writer y{b, {}, 0, {}};
    Writer z{c, {}, 0, {}};
    x.insert(0, "1");
    y.take(x);
    x.insert(1, "2");
    y.insert(1, "3");
    z.insert(0, "4");
    Writer first_fork{{9, 1}, {}, 0, {}};
    for (const Writer* writer : {&x, &y, &z}) first_fork.take(*writer);
    BOOST_TEST(first_fork.text.text() == "1234");
    y.take(x, 1);
    y.take(z);
    BOOST_TEST(y.text.text() == "1234");
}

BOOST_AUTO_TEST_CASE(an_insertion_beside_an_erased_character_finds_its_place) {
    Writer x{a, {}, 0, {}};
    Writer y{b, {}, 0, {}};
    x.insert(0, "abc");
    y.take(x);
    x.erase(1, 1);
    y.insert(2, "+");
    x.take(y);
    y.take(x, 1);
    BOOST_TEST(x.text.text() == "a+c");
    BOOST_TEST(y.text.text() == "a+c");
    BOOST_TEST(x.text.position_of({a, 1}).value() == 1U);
    BOOST_TEST(x.text.position_of({b, 0}).value() == 1U);
    BOOST_TEST(x.text.position_of({a, 2}).value() == 2U);
    BOOST_TEST((x.text.id_at(1) == ElementId{b, 0}));
}

BOOST_AUTO_TEST_CASE(erasing_twice_is_erasing_once) {
    Writer x{a, {}, 0, {}};
    Writer y{b, {}, 0, {}};
    x.insert(0, "abcdef");
    y.take(x);
    x.erase(1, 3);
    y.erase(2, 3);
    x.take(y);
    y.take(x, 1);
    BOOST_TEST(x.text.text() == "af");
    BOOST_TEST(y.text.text() == "af");
}

BOOST_AUTO_TEST_CASE(rows_of_erased_characters_have_no_text) {
    Writer x{a, {}, 0, {}};
    x.insert(0, "a secret");
    x.erase(2, 6);
    for (const TextRowName& name : x.text.rows()) {
        BOOST_TEST(x.text.row(name).find("ecre") == Bytes::npos);
    }
}

BOOST_AUTO_TEST_CASE(texts_that_contradict_each_other_are_not_joined) {
    Writer x{a, {}, 0, {}};
    Writer y{a, {}, 0, {}};
    x.insert(0, "ab");
    y.insert(0, "ba");
    BOOST_TEST((x.text.join(y.text).error().code == Code::corrupt));
    BOOST_TEST(x.text.text() == "ab");
    Writer z{a, {}, 5, {}};
    z.insert(0, "ab");
    BOOST_TEST((x.text.join(z.text).error().code == Code::corrupt));
    Writer w{a, {}, 0, {}};
    w.insert(0, "b");
    w.insert(0, "a");
    BOOST_TEST((z.text.join(w.text).error().code == Code::corrupt));
}

/// Long texts, with spans cut and leaves split everywhere, against a vector of characters.
BOOST_AUTO_TEST_CASE(a_long_text_of_one_writer_is_what_he_sees) {
    for (const std::uint64_t seed : test::seeds(5)) {
        BOOST_TEST_CONTEXT("SYNCLINE_SEED=" << seed) {
            test::SeededRandom random(seed);
            Writer writer{a, {}, 0, {}};
            std::vector<std::string> expected;
            const auto at = [&](std::uint64_t i) {
                return expected.begin() + static_cast<std::ptrdiff_t>(i);
            };
            for (std::uint64_t step = 0; step < 4000; ++step) {
                const std::uint64_t size = expected.size();
                if (size > 0 && random.below(3) == 0) {
                    const std::uint64_t from = random.below(size);
                    const std::uint64_t count =
                        1 + random.below(std::min(size - from, step % 9 + 1));
                    writer.erase(from, count);
                    expected.erase(at(from), at(from + count));
                    continue;
                }
                std::string word;
                for (std::uint64_t i = 1 + random.below(step % 500 == 0 ? 2000 : 4); i > 0; --i) {
                    word += random.below(4) == 0 ? "€"
                                                 : std::string(1, static_cast<char>('a' + i % 26));
                }
                const std::uint64_t to = random.below(size + 1);
                const auto characters = test::spec::characters_of(word);
                writer.insert(to, word);
                expected.insert(at(to), characters.begin(), characters.end());
            }
            std::string whole;
            for (const std::string& character : expected) whole += character;
            BOOST_TEST((writer.text.text() == whole));
            writer.text.check_invariants();
            Text remote;
            for (const auto& [dot, op] : writer.shipped) {
                BOOST_REQUIRE(remote.apply(op, dot).has_value());
            }
            BOOST_TEST((remote.text() == whole));
            for (std::uint64_t i = 0; i < expected.size(); i += 97) {
                BOOST_TEST(remote.position_of(*remote.id_at(i)).value() == i);
            }
        }
    }
}

/// Rounds of concurrent edits that are exchanged after each round, in another order everywhere.
BOOST_AUTO_TEST_CASE(three_writers_of_a_long_text_agree) {
    test::SeededRandom random(3);
    Writer writers[3] = {{a, {}, 0, {}}, {b, {}, 0, {}}, {c, {}, 0, {}}};
    for (int round = 0; round < 30; ++round) {
        std::size_t before[3];
        for (std::size_t i = 0; i < 3; ++i) before[i] = writers[i].shipped.size();
        for (Writer& writer : writers) {
            for (std::uint64_t edits = random.below(120); edits > 0; --edits) {
                const std::uint64_t size = writer.text.size();
                if (size > 10 && random.below(4) == 0) {
                    writer.erase(random.below(size - 5), 1 + random.below(5));
                } else {
                    const std::uint64_t near = std::min<std::uint64_t>(size, 20);
                    const bool anywhere = random.below(2) == 0;
                    writer.insert(random.below((anywhere ? size : near) + 1),
                                  random.below(5) == 0 ? "–" : "word");
                }
            }
        }
        for (std::size_t i = 0; i < 3; ++i) {
            for (const std::size_t k : {1U, 2U}) {
                const std::size_t other = (i + (round % 2 == 0 ? k : 3 - k)) % 3;
                writers[i].take(writers[other], before[other]);
            }
        }
    }
    test::spec::TextEvents events;
    for (const Writer& writer : writers) {
        for (const auto& [dot, op] : writer.shipped) events.push_back({dot, {}, {}, {op}});
        writer.text.check_invariants();
    }
    std::string expected;
    for (const auto& character : test::spec::text(test::spec::text_tree(events))) {
        expected += character;
    }
    for (const Writer& writer : writers) BOOST_TEST((writer.text.text() == expected));
    BOOST_TEST(expected.size() > 5000U);
}

BOOST_AUTO_TEST_CASE(a_long_insertion_reads_back_and_comes_in_runs_of_512) {
    Bytes long_text;
    for (int i = 0; i < 3000; ++i) long_text += i % 7 == 0 ? "ü" : "u";
    Writer writer{a, {}, 0, {}};
    writer.insert(0, "()");
    writer.insert(1, long_text);
    BOOST_TEST((writer.text.text() == "(" + long_text + ")"));
    BOOST_TEST(writer.text.rows().size() == 7U);  // 0, 2, 512, ..., 2560
    writer.text.check_invariants();
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
