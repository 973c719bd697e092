// Elements of long lists are found by their index: what is counted in pieces is what walking says.
#include "core/engine/rank_index.hpp"

#include <boost/test/unit_test.hpp>
#include <random>

#include "core/base/limits.hpp"
#include "tests/support/cluster.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(rank_index)
namespace {

const Bytes prefix = "list/";

std::string to_text(const RankIndex::Pieces& known) {
    std::string text;
    for (const RankIndex::Piece& piece : known.pieces) {
        text += "(" + piece.after + " " + std::to_string(piece.rows) + ")";
    }
    return text;
}

RankIndex::Pieces cut(const std::string& names, std::uint64_t rows_wanted) {
    RankIndex::Cutter cutter({}, rows_wanted);
    for (const char name : names) cutter.add(BytesView(&name, 1));
    return RankIndex::Pieces{Table::cells, rows_wanted, cutter.take(), 5};
}

BOOST_AUTO_TEST_CASE(rows_are_cut_into_pieces_behind_the_last_row_of_the_one_in_front) {
    BOOST_TEST(to_text(cut("", 2)) == "( 0)");
    BOOST_TEST(to_text(cut("bd", 2)) == "( 2)");
    BOOST_TEST(to_text(cut("bdfhj", 2)) == "( 2)(d 2)(h 1)");
}

BOOST_AUTO_TEST_CASE(counts_follow_rows_that_come_and_go) {
    RankIndex ranks;
    ranks.changed(prefix, "list/b", 1, 4);  // nothing is known, nothing is kept
    BOOST_TEST(ranks.find(prefix) == nullptr);

    ranks.learn(prefix, cut("bdfhj", 2));
    BOOST_TEST(ranks.find(prefix)->changed == 5U);
    ranks.changed(prefix, "list/a", 1, 6);
    ranks.changed(prefix, "list/d", 0, 7);  // of the first piece still
    ranks.changed(prefix, "list/e", 1, 8);
    ranks.changed(prefix, "list/z", 1, 9);
    BOOST_TEST(to_text(*ranks.find(prefix)) == "( 3)(d 3)(h 2)");
    BOOST_TEST(ranks.find(prefix)->changed == 9U);
}

BOOST_AUTO_TEST_CASE(the_place_of_an_empty_piece_is_another_ones) {
    RankIndex ranks;
    ranks.learn(prefix, cut("bdfhj", 2));
    ranks.changed(prefix, "list/f", -1, 6);
    ranks.changed(prefix, "list/h", -1, 6);
    BOOST_TEST(to_text(*ranks.find(prefix)) == "( 2)(h 1)");
    ranks.changed(prefix, "list/f", 1, 6);
    BOOST_TEST(to_text(*ranks.find(prefix)) == "( 3)(h 1)");
    for (const char* const row : {"list/b", "list/d", "list/f"}) ranks.changed(prefix, row, -1, 7);
    BOOST_TEST(to_text(*ranks.find(prefix)) == "( 1)");
    ranks.changed(prefix, "list/j", -1, 8);
    BOOST_TEST(to_text(*ranks.find(prefix)) == "( 0)");
    ranks.changed(prefix, "list/c", 1, 9);
    BOOST_TEST(to_text(*ranks.find(prefix)) == "( 1)");
}

BOOST_AUTO_TEST_CASE(a_long_piece_is_split) {
    RankIndex ranks;
    ranks.learn(prefix, cut("bdf", 2));
    for (const char* const row : {"list/g", "list/h", "list/i"}) ranks.changed(prefix, row, 1, 6);
    BOOST_TEST(!RankIndex::too_long(*ranks.find(prefix), 1));
    ranks.changed(prefix, "list/j", 1, 6);
    BOOST_TEST(RankIndex::too_long(*ranks.find(prefix), 1));
    RankIndex::Cutter cutter("d", 2);
    for (const char* const name : {"f", "g", "h", "i", "j"}) cutter.add(name);
    ranks.split(prefix, 1, cutter.take());
    BOOST_TEST(to_text(*ranks.find(prefix)) == "( 2)(d 2)(g 2)(i 1)");
}

BOOST_AUTO_TEST_CASE(memory_is_bounded) {
    RankIndex ranks;
    for (std::size_t i = 0; i <= limits::rank_pieces_max; ++i) {
        ranks.learn("list" + std::to_string(i), cut("", 2));
    }
    BOOST_TEST(ranks.collections().size() == 1U);
    // One that outgrows its pieces is forgotten, and then gets longer ones.
    BOOST_TEST(RankIndex::rows_wanted(1000) == 128U);
    BOOST_TEST(RankIndex::rows_wanted(limits::rank_pieces_max * 250) == 1000U);
}

/// A list beside the elements that it must have, changed at random places.
class Lists {
public:
    explicit Lists(std::uint32_t seed) : random_(seed) {
        cluster.connect(0, 1);
        std::vector<Bytes> values;
        for (int i = 0; i < 2000; ++i) values.push_back(next_value());
        cluster.at(0).run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_CHECK(operations::list_push(txn, key, operations::ListEnd::back, values));
            return {};
        });
        expected = values;
    }

    /// Some changes in one transaction, each seeing those before it.
    void change(std::size_t at, std::size_t changes) {
        cluster.at(at).run([&](Transaction& txn) -> Result<void> {
            for (std::size_t i = 0; i < changes; ++i) SYNCLINE_CHECK(change_one(txn));
            return {};
        });
    }

    /// An element, and some in a row.
    void look(std::size_t at) {
        cluster.at(at).run([&](Transaction& txn) -> Result<void> {
            const std::size_t index = below(expected.size());
            SYNCLINE_TRY(const std::optional<Bytes> one,
                         operations::list_get(txn, key, signed_index(index)));
            BOOST_TEST(one.value() == expected[index]);
            const std::size_t last = std::min(index + 5, expected.size() - 1);
            SYNCLINE_TRY(const std::vector<Bytes> some,
                         operations::list_range(txn, key, signed_index(index), signed_index(last)));
            const std::vector<Bytes> wanted(expected.begin() + signed_index(index),
                                            expected.begin() + signed_index(last) + 1);
            BOOST_TEST(some == wanted);
            return {};
        });
    }

    std::size_t below(std::size_t bound) { return random_() % bound; }

    TestCluster cluster{2};
    std::vector<Bytes> expected;
    const Bytes key = "l";

private:
    static std::ptrdiff_t signed_index(std::size_t index) {
        return static_cast<std::ptrdiff_t>(index);
    }

    Bytes next_value() { return "value " + std::to_string(++number_); }

    Result<void> change_one(Transaction& txn) {
        const std::size_t index = below(expected.size());
        const auto at = expected.begin() + signed_index(index);
        const Bytes value = next_value();
        switch (below(3)) {
            case 0: {
                SYNCLINE_CHECK(operations::list_insert_at(txn, key, signed_index(index), value));
                expected.insert(at, value);
                return {};
            }
            case 1: {
                SYNCLINE_TRY(const bool erased,
                             operations::list_erase(txn, key, signed_index(index)));
                BOOST_TEST(erased);
                expected.erase(at);
                return {};
            }
            default: {
                SYNCLINE_CHECK(operations::list_set(txn, key, signed_index(index), value));
                *at = value;
                return {};
            }
        }
    }

    std::mt19937 random_;
    int number_ = 0;
};

BOOST_AUTO_TEST_CASE(indices_in_long_lists_are_those_of_a_vector) {
    for (const std::uint32_t seed : {1U, 2U, 3U}) {
        Lists lists(seed);
        lists.cluster.pump();
        for (int round = 0; round < 150; ++round) {
            // Both replicas know their lists in pieces, and hear of the other's changes.
            const std::size_t at = lists.below(2);
            lists.change(at, 1 + lists.below(round % 10 == 0 ? 300 : 8));
            lists.look(at);
            if (round % 40 == 0) lists.cluster.at(at)->request_checkpoint();
            lists.cluster.pump(200);
            lists.look(1 - at);
        }
        BOOST_TEST(!lists.cluster.at(0)->group().list_pieces(lists.key).value()->pieces.empty());
        BOOST_TEST(lists.cluster.difference() == "");  // compares the pieces with the rows as well
    }
}

BOOST_AUTO_TEST_CASE(a_list_that_was_removed_and_made_anew_begins_with_nothing_known) {
    Lists lists(4);
    lists.look(0);
    TestReplica& replica = lists.cluster.at(0);
    replica.run([&](Transaction& txn) -> Result<void> {
        txn.clear(lists.key);
        // In the same transaction nothing of what the pieces count is seen.
        SYNCLINE_CHECK(operations::list_push(txn, lists.key, operations::ListEnd::back,
                                             std::vector<Bytes>(600, Bytes("new"))));
        SYNCLINE_TRY(const std::optional<Bytes> one, operations::list_get(txn, lists.key, 300));
        BOOST_TEST(one.value() == "new");
        return {};
    });
    lists.expected.assign(600, "new");
    for (int i = 0; i < 10; ++i) {
        lists.change(0, 3);
        lists.look(0);
    }
    BOOST_TEST(replica->group().check().has_value());
}

/// Who reads by index has seen the elements in front.
BOOST_AUTO_TEST_CASE(a_read_by_index_waits_for_what_was_counted) {
    Lists lists(5);
    lists.look(0);
    Group& group = lists.cluster.at(0)->group();
    BOOST_TEST(group.store().take_seen() >= 0U);
    lists.change(0, 1);
    const Position changed = group.list_pieces(lists.key).value()->changed;
    BOOST_TEST(changed > 0U);
    group.store().take_seen();
    BOOST_TEST(group.list_pieces(lists.key).has_value());
    BOOST_TEST(group.store().take_seen() == changed);
}

BOOST_AUTO_TEST_CASE(a_key_too_long_for_pieces_is_walked) {
    TestCluster cluster(1);
    const Bytes key(300, 'k');
    cluster.at(0).run([&](Transaction& txn) -> Result<void> {
        std::vector<Bytes> values;
        for (int i = 0; i < 1500; ++i) values.push_back(std::to_string(i));
        SYNCLINE_CHECK(operations::list_push(txn, key, operations::ListEnd::back, values));
        SYNCLINE_TRY(const std::optional<Bytes> one, operations::list_get(txn, key, 700));
        BOOST_TEST(one.value() == "700");
        return {};
    });
    BOOST_TEST(cluster.at(0)->group().list_pieces(key).value() == nullptr);
    cluster.at(0).run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_TRY(const std::optional<Bytes> one, operations::list_get(txn, key, 701));
        BOOST_TEST(one.value() == "701");
        return {};
    });
}

}  // namespace
BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
