#include "storage/overlay_rows.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>

#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(overlay_rows)
namespace {

using test::SeededRandom;
using Model = std::map<Bytes, Position>;

/// Keys all over the order, keys that begin alike, and keys that are shorter than what names a
/// bucket.
Bytes random_key(SeededRandom& random) {
    Bytes key;
    const std::uint64_t length = random.below(10) == 0 ? random.below(8) + 1 : 12;
    for (std::uint64_t index = 0; index < length; ++index) {
        key += static_cast<char>(random.below(256));
    }
    return random.below(5) == 0 ? Bytes(8, '\xA5') + key : key;
}

Bytes key_at(const OverlayRows& rows, OverlayRows::Iterator row) {
    return row == rows.end() ? Bytes() : Bytes(row->key);
}

/// Walks the rows from one end to the other and back.
void check_order(const OverlayRows& rows, const Model& model) {
    auto row = rows.begin();
    for (const auto& [key, position] : model) {
        BOOST_REQUIRE(key_at(rows, row) == key);
        BOOST_REQUIRE(row->entry.position == position);
        ++row;
    }
    BOOST_REQUIRE(row == rows.end());
    for (auto expected = model.rbegin(); expected != model.rend(); ++expected) {
        --row;
        BOOST_REQUIRE(key_at(rows, row) == expected->first);
    }
    BOOST_REQUIRE(row == rows.begin());
}

}  // namespace

BOOST_AUTO_TEST_CASE(rows_stand_in_the_order_of_their_keys) {
    SeededRandom random(test::seeds(1).front());
    for (const std::size_t expected : {0U, 5000U, 1000000U}) {
        OverlayRows rows(expected);
        Model model;
        check_order(rows, model);
        for (Position position = 1; position <= 3000; ++position) {
            const Bytes key = random_key(random);
            if (!model.emplace(key, position).second) continue;
            rows.add(key).entry.position = position;
            if (position < 10 || position % 500 == 0) check_order(rows, model);
            const Bytes sought = random.below(2) == 0 ? key : random_key(random);
            const auto found = model.lower_bound(sought);
            BOOST_REQUIRE(key_at(rows, rows.lower_bound(sought)) ==
                          (found == model.end() ? Bytes() : found->first));
        }
        check_order(rows, model);
    }
}

/// As those of a large list, which is looked at between additions, and of a large set, which is
/// not.
BOOST_AUTO_TEST_CASE(rows_that_begin_alike_stand_in_order) {
    SeededRandom random(test::seeds(1).front());
    for (const std::uint64_t looks : {0U, 1U, 30U, 300U}) {
        OverlayRows rows;
        Model model;
        for (Position position = 1; position <= 4000; ++position) {
            Bytes key(20, 'k');
            // Ends and zeros, which look alike in a number, and more of what is the same.
            key += Bytes(static_cast<std::size_t>(random.below(3)), '\0');
            if (random.below(2) == 0) key += Bytes(8, 'm') + std::to_string(random.below(3000));
            if (random.below(8) == 0)
                key += Bytes(static_cast<std::size_t>(random.below(12)), '\0');
            if (!model.emplace(key, position).second) continue;
            rows.add(key).entry.position = position;
            if (looks == 0 || random.below(looks) != 0) continue;
            const Bytes sought = key.substr(0, 20 + static_cast<std::size_t>(random.below(15)));
            const auto found = model.lower_bound(sought);
            BOOST_REQUIRE(key_at(rows, rows.lower_bound(sought)) ==
                          (found == model.end() ? Bytes() : found->first));
        }
        const std::vector<const OverlayRow*> sorted = rows.sorted();
        BOOST_REQUIRE(sorted.size() == model.size());
        BOOST_TEST(std::equal(sorted.begin(), sorted.end(), model.begin(),
                              [](const OverlayRow* row, const Model::value_type& expected) {
                                  return row->key == expected.first &&
                                         row->entry.position == expected.second;
                              }));
        check_order(rows, model);
    }
}

BOOST_AUTO_TEST_CASE(a_row_stays_where_it_is_and_can_be_changed) {
    OverlayRows rows;
    OverlayRow& row = rows.add("one");
    for (int number = 0; number < 1000; ++number) rows.add("two" + std::to_string(number));
    const auto found = rows.lower_bound("one");
    BOOST_TEST(&*found == &row);
    found->entry.value = "value";
    BOOST_TEST(row.entry.value.value() == "value");
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
