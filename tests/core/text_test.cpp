// Texts in replicas: edits, their transactions, and what becomes of them on the way to others.
#include "crdt/text.hpp"

#include <boost/test/unit_test.hpp>

#include "core/engine/operations.hpp"
#include "core/engine/texts.hpp"
#include "tests/crdt/spec_text.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(text_in_replicas)
namespace {

/// Logs are cut so short that a peer who was away needs a Merkle session.
void with_short_log(ReplicaOptions& options) {
    options.log.segment_bytes = 4096;
    options.log_retention.bytes = 4096;
    options.checkpoint_log_bytes = 8192;
}

struct Documents {
    explicit Documents(std::size_t replicas,
                       const std::function<void(ReplicaOptions&)>& adjust = {})
        : cluster(replicas, adjust) {}

    void insert(std::size_t at, BytesView key, std::uint64_t position, BytesView text) {
        cluster.at(at).run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_CHECK(operations::text_insert(txn, key, position, text));
            return {};
        });
    }
    std::uint64_t erase(std::size_t at, BytesView key, std::uint64_t position,
                        std::uint64_t count) {
        std::uint64_t erased = 0;
        cluster.at(at).run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_TRY(erased, operations::text_erase(txn, key, position, count));
            return {};
        });
        return erased;
    }
    void remove(std::size_t at, BytesView key) {
        cluster.at(at).run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_CHECK(operations::key_delete(txn, key));
            return {};
        });
    }
    std::optional<Bytes> get(std::size_t at, BytesView key) {
        std::optional<Bytes> found;
        cluster.at(at).run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_TRY(const Text* const text, operations::text_get(txn, key));
            if (text != nullptr) found = text->text();
            return {};
        });
        return found;
    }
    std::vector<operations::TextGeneration> generations(std::size_t at, BytesView key) {
        std::vector<operations::TextGeneration> found;
        cluster.at(at).run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_TRY(found, operations::text_generations(txn, key));
            return {};
        });
        return found;
    }

    TestCluster cluster;
};

BOOST_AUTO_TEST_CASE(concurrent_words_at_one_place_do_not_mix) {
    Documents documents(2);
    documents.cluster.connect(0, 1);
    documents.insert(0, "t", 0, "ac");
    documents.cluster.pump();
    documents.cluster.disconnect(0, 1);
    for (const char letter : {'1', '2', '3'}) {
        documents.insert(0, "t", documents.get(0, "t")->size() - 1, Bytes(1, letter));
    }
    documents.insert(1, "t", 1, "xyz");
    BOOST_TEST(*documents.get(0, "t") == "a123c");
    BOOST_TEST(*documents.get(1, "t") == "axyzc");
    documents.cluster.connect(0, 1);
    documents.cluster.pump();
    BOOST_TEST(documents.cluster.difference() == "");
    const Bytes merged = *documents.get(0, "t");
    BOOST_TEST((merged == "a123xyzc" || merged == "axyz123c"));
    BOOST_TEST(*documents.get(1, "t") == merged);
}

BOOST_AUTO_TEST_CASE(a_removed_text_takes_concurrent_edits_with_it_in_any_order) {
    Documents documents(3);
    documents.insert(0, "t", 0, "first");
    documents.cluster.connect(0, 1);
    documents.cluster.connect(0, 2);
    documents.cluster.pump();
    documents.cluster.disconnect(0, 1);
    documents.cluster.disconnect(0, 2);
    documents.remove(0, "t");
    documents.insert(1, "t", 5, " edit");
    documents.cluster.connect(1, 2);  // 2 gets the edit first, 0 has the removal first
    documents.cluster.pump();
    documents.cluster.connect(0, 1);
    documents.cluster.pump();
    BOOST_TEST(documents.cluster.difference() == "");
    for (std::size_t i = 0; i < 3; ++i) {
        BOOST_TEST(!documents.get(i, "t").has_value());
        BOOST_TEST(documents.cluster.at(i)->group().keys_count() == 0U);
    }
    // What is made anew is another text.
    documents.insert(2, "t", 0, "second");
    documents.cluster.pump();
    BOOST_TEST(*documents.get(0, "t") == "second");
    BOOST_TEST(documents.cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(of_two_texts_made_at_once_one_is_seen_and_both_are_kept) {
    Documents documents(2);
    documents.insert(0, "t", 0, "zero");
    documents.insert(1, "t", 0, "one!");
    documents.cluster.connect(0, 1);
    documents.cluster.pump();
    BOOST_TEST(documents.cluster.difference() == "");
    BOOST_TEST(*documents.get(0, "t") == *documents.get(1, "t"));
    const auto generations = documents.generations(0, "t");
    BOOST_REQUIRE(generations.size() == 2U);
    BOOST_TEST(generations[0].seen);
    BOOST_TEST(!generations[1].seen);
    BOOST_TEST(generations[1].length == 4U);
    documents.remove(1, "t");
    documents.cluster.pump();
    BOOST_TEST(documents.generations(0, "t").empty());
    BOOST_TEST(documents.cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(a_transaction_reads_its_edits_and_leaves_none_when_it_fails) {
    Documents documents(1);
    documents.insert(0, "t", 0, "kept");
    Group& group = documents.cluster.at(0)->group();
    {
        Transaction txn(group, documents.cluster.at(0)->actor(), documents.cluster.now_ms());
        BOOST_TEST(*operations::text_append(txn, "t", "!") == 5U);
        BOOST_TEST(*operations::text_erase(txn, "t", 0, 2) == 2U);
        BOOST_TEST(*operations::text_insert(txn, "new", 0, "x") == 1U);
        BOOST_TEST((*operations::text_get(txn, "t"))->text() == "pt!");
        BOOST_TEST(!operations::text_insert(txn, "t", 9, "x").has_value());
        BOOST_TEST(!operations::text_insert(txn, "t", 0, "\xff").has_value());
        BOOST_TEST(*operations::key_delete(txn, "new"));
        BOOST_TEST(*operations::text_append(txn, "new", "again") == 5U);
        BOOST_TEST((*operations::text_get(txn, "new"))->text() == "again");
    }
    BOOST_TEST(*documents.get(0, "t") == "kept");
    BOOST_TEST(!documents.get(0, "new").has_value());
    BOOST_TEST(group.check().has_value());
}

BOOST_AUTO_TEST_CASE(typing_in_one_transaction_is_one_insertion) {
    Documents documents(1);
    std::size_t ops = 0;
    documents.cluster.at(0)->on_applied = [&](const Event& event, BytesView) {
        for (const Op& op : event.ops) {
            if (const auto* edit = std::get_if<TextEdit>(&op)) ops += edit->edits.size();
        }
    };
    documents.cluster.at(0).run([](Transaction& txn) -> Result<void> {
        for (const char letter : Bytes("a sentence")) {
            SYNCLINE_CHECK(operations::text_append(txn, "t", Bytes(1, letter)));
        }
        return {};
    });
    BOOST_TEST(ops == 1U);
    BOOST_TEST(*documents.get(0, "t") == "a sentence");
    BOOST_TEST(documents.cluster.at(0)->group().check().has_value());
}

void check_against_operations(Documents& documents, const Bytes& key,
                              const std::map<Dot, test::spec::TextTree>& trees) {
    for (const auto& generation : documents.generations(0, key)) {
        Bytes expected;
        for (const std::string& character : test::spec::text(trees.at(generation.made))) {
            expected += character;
        }
        const Result<const Text*> text =
            documents.cluster.at(0)->group().text(key, generation.made);
        BOOST_TEST((*text)->text() == expected);
        if (generation.seen) BOOST_TEST(*documents.get(1, key) == expected);
    }
}

/// Edits at all replicas, cuts, restarts and short logs; then all are equal, and what they show is
/// what the operations mean.
void check_random_edits(std::uint64_t seed) {
    BOOST_TEST_INFO_SCOPE("seed " << seed);
    test::SeededRandom random(seed);
    const auto below = [&](std::uint64_t bound) { return random.below(bound); };
    const bool short_log = seed % 2 == 1;
    Documents documents(
        3, short_log ? with_short_log : [](ReplicaOptions&) {});
    std::map<Dot, test::spec::TextTree> trees;  // by generation
    std::set<Dot> seen_events;
    const auto watch = [&](std::size_t at) {
        documents.cluster.at(at)->on_applied = [&](const Event& event, BytesView) {
            if (!seen_events.insert(event.dot).second) return;
            for (const Op& op : event.ops) {
                const auto* const edit = std::get_if<TextEdit>(&op);
                if (edit == nullptr) continue;
                for (const TextOp& change : edit->edits) {
                    std::visit(
                        [&](const auto& part) { test::spec::add(trees[edit->generation], part); },
                        change);
                }
            }
        };
    };
    for (std::size_t at = 0; at < 3; ++at) watch(at);
    std::set<std::pair<std::size_t, std::size_t>> links;
    const std::vector<Bytes> keys = {"t", Bytes(250, 'k')};
    for (std::size_t step = 0; step < 400; ++step) {
        const std::size_t at = below(3);
        const Bytes& key = keys[below(2)];
        const std::uint64_t length = documents.get(at, key).value_or("").size();
        const std::size_t action = below(100);
        if (action < 60) {
            documents.insert(at, key, below(length + 1),
                             Bytes(1 + below(40), char('a' + below(26))));
        } else if (action < 85) {
            documents.erase(at, key, below(length + 1), below(30));
        } else if (action < 87) {
            documents.remove(at, key);
        } else if (action < 90) {
            documents.cluster.restart(at);
            std::erase_if(links,
                          [&](const auto& link) { return link.first == at || link.second == at; });
            watch(at);
        } else if (action < 95) {
            documents.cluster.pump(500);
        } else {
            const std::pair<std::size_t, std::size_t> link(std::min(at, (at + 1) % 3),
                                                           std::max(at, (at + 1) % 3));
            if (links.erase(link) > 0) {
                documents.cluster.disconnect(link.first, link.second);
            } else {
                links.insert(link);
                documents.cluster.connect(link.first, link.second);
            }
        }
    }
    for (std::size_t a = 0; a < 3; ++a) {
        for (std::size_t b = a + 1; b < 3; ++b) {
            if (links.insert({a, b}).second) documents.cluster.connect(a, b);
        }
    }
    documents.cluster.pump(20000);
    BOOST_TEST(documents.cluster.difference() == "");
    for (const Bytes& key : keys) check_against_operations(documents, key, trees);
}

BOOST_AUTO_TEST_CASE(random_edits_converge_to_what_their_operations_mean) {
    for (const std::uint64_t seed : test::seeds(test::fewer_if_sanitized(6)))
        check_random_edits(seed);
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
