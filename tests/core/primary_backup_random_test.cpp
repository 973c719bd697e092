/// Primary-backup mode under random partitions, losses, restarts and promotions, by seed.
#include <boost/test/unit_test.hpp>
#include <random>
#include <set>

#include "tests/support/cluster.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(primary_backup)
namespace {

constexpr unsigned seeds_count = test::fewer_if_sanitized(25);
constexpr unsigned steps_count = 80;
constexpr std::size_t replicas_count = 3;

/// One run. Each write has a key and a client of its own, both its number.
class Storm {
public:
    Storm(unsigned seed, bool all)
        : chance_(seed), cluster_(replicas_count, [all, first = true](auto& options) mutable {
              options.primary_backup.mode = ReplicationMode::primary_backup;
              options.primary_backup.acks = all ? std::nullopt : std::optional(0U);
              options.primary_backup.ack_timeout_ms = 400;
              options.primary_backup.founds = first;
              options.primary_backup.peers_configured = replicas_count - 1;
              first = false;
          }) {
        link_all();
        cluster_.on_reply = [this, all](std::size_t from, const Reply& reply) {
            if (reply.outcome != Outcome::done) return;
            const std::string key = "k" + std::to_string(reply.client);
            acknowledged_.insert(key);
            for (std::size_t i = 0; i < replicas_count; ++i) {
                if (all || i == from) BOOST_TEST(cluster_.at(i).get(key).has_value());
            }
        };
        cluster_.pump(1000);
        cluster_.filter = [this](std::size_t, std::size_t, std::uint8_t, Bytes&) {
            return !lossy_ || below(50) > 0;
        };
    }

    void step() {
        switch (below(8)) {
            case 0:
                cluster_.disconnect(below(replicas_count), below(replicas_count));
                break;
            case 1:
                link_all();
                break;
            case 2:
                if (below(3) == 0) cluster_.restart(below(replicas_count));
                break;
            case 3:
                if (below(3) == 0) (void)cluster_.at(below(replicas_count))->promote(below(4) == 0);
                break;
            default:
                write();
        }
        lossy_ = true;
        cluster_.pump(50 + below(300));
        check_primaries();
    }

    void finish() {
        lossy_ = false;
        link_all();
        cluster_.pump(10000);
        if (primaries() == 0) {
            BOOST_TEST(cluster_.at(0)->promote(false).has_value());
            cluster_.pump(5000);
        }
        BOOST_TEST(primaries() == 1U);
        for (std::size_t i = 0; i < replicas_count; ++i) {
            BOOST_TEST((mode(i).term() == mode(0).term()));
            for (const std::string& key : acknowledged_) {
                BOOST_TEST(cluster_.at(i).get(key).has_value());
            }
        }
        BOOST_TEST(cluster_.difference() == "");
    }

    [[nodiscard]] std::size_t acknowledged() const { return acknowledged_.size(); }
    [[nodiscard]] std::uint64_t term() { return mode(0).term().id.number; }

private:
    std::size_t below(std::size_t bound) { return chance_() % bound; }

    const PrimaryBackup& mode(std::size_t index) { return cluster_.at(index)->primary_backup(); }

    std::size_t primaries() {
        std::size_t count = 0;
        for (std::size_t i = 0; i < replicas_count; ++i) count += mode(i).read_only() ? 0U : 1U;
        return count;
    }

    /// A term has one primary, and it is the one that it names.
    void check_primaries() {
        std::set<TermId> terms;
        for (std::size_t i = 0; i < replicas_count; ++i) {
            if (mode(i).read_only()) continue;
            BOOST_TEST(terms.insert(mode(i).term().id).second);
            BOOST_TEST((mode(i).term().id.primary == cluster_.at(i)->identity().node));
        }
    }

    void link_all() {
        for (std::size_t a = 0; a < replicas_count; ++a) {
            for (std::size_t b = a + 1; b < replicas_count; ++b) {
                cluster_.disconnect(a, b);
                cluster_.connect(a, b);
            }
        }
    }

    void write() {
        for (std::size_t i = 0; i < replicas_count; ++i) {
            Client client{++writes_, 0};
            const bool done = cluster_.at(i)
                                  ->execute(client,
                                            [&](Transaction& txn) -> Result<Bytes> {
                                                SYNCLINE_CHECK(operations::string_set(
                                                    txn, "k" + std::to_string(writes_), "value"));
                                                return Bytes("OK");
                                            })
                                  .has_value();
            BOOST_TEST(done == !mode(i).read_only());
        }
    }

    std::mt19937 chance_;
    TestCluster cluster_;
    std::set<std::string> acknowledged_;
    std::uint64_t writes_ = 0;
    bool lossy_ = false;
};

}  // namespace

BOOST_AUTO_TEST_CASE(what_all_confirmed_is_everywhere_whatever_happens) {
    std::size_t acknowledged = 0;
    std::uint64_t terms = 0;
    for (unsigned seed = 0; seed < 2 * seeds_count; ++seed) {
        BOOST_TEST_CONTEXT("seed " << seed) {
            Storm storm(seed, seed % 2 == 0);
            for (unsigned step = 0; step < steps_count; ++step) storm.step();
            storm.finish();
            acknowledged += storm.acknowledged();
            terms += storm.term();
        }
    }
    // Not vacuous: there were writes and changes of the primary.
    BOOST_TEST(acknowledged > 20 * seeds_count);
    BOOST_TEST(terms > 2 * 2 * seeds_count);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
