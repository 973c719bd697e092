// The bucket alone, and the rows of sessions that wait for it. Copies: copy_test.cpp.
#include "core/engine/repair_budget.hpp"

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <set>

#include "tests/support/cluster.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(repair_budget)
namespace {

using Claim = RepairBudget::Claim;
using limits::kib;

constexpr std::uint64_t rate = 64 * kib;
constexpr std::uint64_t start_ms = 1'700'000'000'000;
constexpr std::size_t burst_bytes = rate * limits::repair_burst_ms / 1000;
/// A tick of the test's clusters, and what is between a request and its answer.
constexpr std::uint64_t slack_ms = 300;

std::uint8_t type_of(MessageType type) {
    return static_cast<std::uint8_t>(type);
}

/// Replica 0 has rows that replica 1 lacks and pulls by a session; replica 2 follows 0 by its log.
class CappedSession {
public:
    explicit CappedSession(std::uint64_t cap, std::size_t overlay_bytes_max = 64 * limits::mib)
        : cluster_(3, [&](ReplicaOptions& options) {
              options.repair_bandwidth = cap;
              options.compressed_bytes_min = 0;  // rows are looked at on their way
              options.overlay_bytes_max = overlay_bytes_max;
          }) {
        cluster_.filter = [this](std::size_t from, std::size_t to, std::uint8_t type,
                                 Bytes& payload) { return look(from, to, type, payload); };
    }

    void fill(std::size_t count, std::size_t bytes_each) {
        for (std::size_t i = 0; i < count; ++i) {
            source().set("key" + std::to_string(next_key_++), Bytes(bytes_each, 'v'));
        }
    }

    void connect() {
        cluster_.connect(0, 1);
        cluster_.connect(0, 2);
        cluster_.pump(200);
    }

    /// Until the session is over; writes meanwhile, and looks that others have it at once. For how
    /// long, in milliseconds.
    std::uint64_t pull(std::uint64_t most_ms = 600'000) {
        const std::uint64_t began_ms = cluster_.now_ms();
        cluster_.at(1)->request_session(cluster_.at(1)->peers().at(0).link);
        while (!over() && cluster_.now_ms() - began_ms < most_ms) {
            const std::string fresh = "fresh" + std::to_string(fresh_++);
            source().set(fresh, "x");
            cluster_.at(1).set("own" + fresh, "x");
            cluster_.pump(100);
            BOOST_TEST(cluster_.at(2).get(fresh).has_value());
            BOOST_TEST(cluster_.at(2).get("own" + fresh).has_value());
        }
        return cluster_.now_ms() - began_ms;
    }

    /// Once more all that was held back by the test, and all are alike.
    void check_end() {
        BOOST_TEST(over());
        BOOST_TEST(cluster_.at(1)->stats().sessions_failed == 0U);
        BOOST_TEST(source()->stats().sessions_served == 1U);
        BOOST_TEST(source()->repair_budget().spent_bytes() == rows_bytes);
        BOOST_TEST(repeats == 0U);
        cluster_.filter = {};
        cluster_.pump(3000);
        BOOST_TEST(cluster_.difference() == "");
    }

    [[nodiscard]] bool over() { return cluster_.at(1)->stats().sessions_completed > 0; }
    TestReplica& source() { return cluster_.at(0); }
    TestCluster& cluster() { return cluster_; }

    std::function<void()> on_rows;
    std::size_t rows_bytes = 0;     ///< of ROWS with rows in them
    std::size_t piece_bytes = 0;    ///< the largest of them
    std::size_t too_early = 0;      ///< messages that the bucket would not have let go
    std::size_t signs_of_life = 0;  ///< ROWS without rows
    std::size_t repeats = 0;        ///< requests that came twice: the puller began to doubt

private:
    bool look(std::size_t from, std::size_t to, std::uint8_t type, const Bytes& payload) {
        if (from == 0 && to == 1 && type == type_of(MessageType::batch)) return false;
        if (type == type_of(MessageType::session_rows_request)) {
            if (!requests_.insert(payload).second) ++repeats;
        }
        if (type != type_of(MessageType::session_rows)) return true;
        if (std::get<SessionRows>(*decode_message(type, payload)).rows.empty()) {
            ++signs_of_life;
            return true;
        }
        if (rows_bytes == 0) first_ms_ = cluster_.now_ms();
        const std::uint64_t paid = (cluster_.now_ms() - first_ms_) * rate / 1000 + burst_bytes;
        if (rows_bytes > paid) ++too_early;
        rows_bytes += payload.size();
        piece_bytes = std::max(piece_bytes, payload.size());
        if (on_rows) on_rows();
        return true;
    }

    TestCluster cluster_;
    std::size_t next_key_ = 0;
    std::size_t fresh_ = 0;
    std::uint64_t first_ms_ = 0;
    std::set<Bytes> requests_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(nothing_waits_without_a_cap) {
    RepairBudget budget(0);
    Claim claim(budget);
    Claim other(budget);
    for (int i = 0; i < 10; ++i) {
        BOOST_TEST(claim.granted(start_ms));
        budget.spend(limits::message_bytes_max, start_ms);
        BOOST_TEST(other.granted(start_ms));
    }
    BOOST_TEST(budget.spent_bytes() == 10 * limits::message_bytes_max);
    BOOST_TEST(budget.piece_bytes(limits::mib) == limits::mib);
}

/// Whatever the pieces, and however late somebody looks.
BOOST_AUTO_TEST_CASE(what_goes_out_is_the_burst_and_the_rate) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{700}, 16 * kib, 100 * kib}) {
        for (const std::uint64_t step_ms : {1U, 7U, 100U}) {
            RepairBudget budget(rate);
            Claim claim(budget);
            std::uint64_t sent = 0;
            constexpr std::uint64_t span_ms = 20'000;
            for (std::uint64_t passed = 0; passed <= span_ms; passed += step_ms) {
                while (claim.granted(start_ms + passed)) {
                    BOOST_REQUIRE(sent <= passed * rate / 1000 + burst_bytes);
                    budget.spend(piece, start_ms + passed);
                    sent += piece;
                }
            }
            BOOST_TEST(sent >= (span_ms - step_ms) * rate / 1000);
            BOOST_TEST(sent <= span_ms * rate / 1000 + burst_bytes + piece);
            BOOST_TEST(sent == budget.spent_bytes());
        }
    }
}

BOOST_AUTO_TEST_CASE(a_piece_larger_than_the_bucket_is_owed) {
    RepairBudget budget(rate);
    Claim claim(budget);
    BOOST_TEST(claim.granted(start_ms));
    budget.spend(10 * rate + burst_bytes, start_ms);
    BOOST_TEST(!claim.granted(start_ms + 10'000));
    BOOST_TEST(claim.granted(start_ms + 10'001));
}

BOOST_AUTO_TEST_CASE(a_pause_saves_up_no_more_than_the_burst) {
    RepairBudget budget(rate);
    budget.spend(burst_bytes + 1, start_ms);
    BOOST_TEST(!budget.open(start_ms));
    std::size_t bytes = 0;
    const std::uint64_t much_later_ms = start_ms + 1'000'000'000'000;
    for (; budget.open(much_later_ms); ++bytes) budget.spend(1, much_later_ms);
    BOOST_TEST(bytes == burst_bytes);
    // A clock that steps back brings nothing.
    BOOST_TEST(!budget.open(start_ms));
    BOOST_TEST(budget.open(much_later_ms + 1));
}

BOOST_AUTO_TEST_CASE(the_largest_cap_is_no_trap) {
    RepairBudget budget(~std::uint64_t{0});
    BOOST_TEST(budget.rate() == limits::repair_bandwidth_max);
    budget.spend(limits::message_bytes_max, start_ms);
    BOOST_TEST(budget.open(~std::uint64_t{0}));
    RepairBudget lowest(1);
    BOOST_TEST(lowest.open(start_ms));
    lowest.spend(limits::message_bytes_max, start_ms);
    BOOST_TEST(!lowest.open(start_ms + limits::message_bytes_max * 1000 - 250));
    BOOST_TEST(lowest.open(start_ms + limits::message_bytes_max * 1000 - 249));
}

/// Debts stay with another cap, and end with none.
BOOST_AUTO_TEST_CASE(another_cap_counts_from_now_on) {
    RepairBudget budget(rate);
    budget.spend(10 * rate + burst_bytes, start_ms);
    budget.set_rate(10 * rate, start_ms);
    BOOST_TEST(!budget.open(start_ms + 1000));
    BOOST_TEST(budget.open(start_ms + 1001));
    budget.spend(1000 * rate, start_ms + 1001);
    budget.set_rate(0, start_ms + 1001);
    BOOST_TEST(budget.open(start_ms + 1001));
    budget.set_rate(rate, start_ms + 1001);
    BOOST_TEST(budget.open(start_ms + 1001));
    // A lower one takes what the higher one had saved up.
    budget.set_rate(100 * rate, start_ms + 10'000);
    budget.set_rate(rate, start_ms + 20'000);
    budget.spend(burst_bytes, start_ms + 20'000);
    BOOST_TEST(!budget.open(start_ms + 20'000));
}

BOOST_AUTO_TEST_CASE(pieces_of_all_go_in_turns) {
    RepairBudget budget(rate);
    Claim first(budget);
    Claim second(budget);
    budget.spend(2 * rate, start_ms);
    BOOST_TEST(!first.granted(start_ms));
    BOOST_TEST(!second.granted(start_ms));
    const std::uint64_t later_ms = start_ms + 3000;
    BOOST_TEST(!second.granted(later_ms));  // it came later
    BOOST_TEST(first.granted(later_ms));
    BOOST_TEST(!first.granted(later_ms));  // behind the other one
    BOOST_TEST(second.granted(later_ms));
    BOOST_TEST(!second.granted(later_ms));
    // One that rests is passed by, and keeps its place.
    first.rest();
    BOOST_TEST(second.granted(later_ms));
    BOOST_TEST(first.granted(later_ms));
    // One that goes makes room.
    budget.spend(2 * rate, later_ms);
    {
        Claim gone(budget);
        BOOST_TEST(!gone.granted(later_ms));
        BOOST_TEST(!second.granted(later_ms));
    }
    BOOST_TEST(second.granted(later_ms + 3000));
}

BOOST_AUTO_TEST_CASE(pieces_are_small_under_a_low_cap) {
    BOOST_TEST(RepairBudget(rate).piece_bytes(limits::mib) == burst_bytes);
    BOOST_TEST(RepairBudget(1).piece_bytes(limits::mib) == limits::repair_piece_bytes_min);
    BOOST_TEST(RepairBudget(100 * limits::mib).piece_bytes(limits::mib) == limits::mib);
    BOOST_TEST(RepairBudget(1).piece_bytes(700) == 700U);
}

// --- Sessions

BOOST_AUTO_TEST_CASE(rows_of_a_session_take_as_long_as_the_cap_says) {
    CappedSession session(rate);
    session.fill(1000, 1000);
    session.connect();
    const std::uint64_t took_ms = session.pull();
    BOOST_TEST(session.rows_bytes > 1000U * 1000U);
    BOOST_TEST(session.too_early == 0U);
    // Rows of one node of the tree are read at once, and a piece ends behind the row that fills it.
    BOOST_TEST(session.piece_bytes < burst_bytes + 2000);
    const std::uint64_t due_ms =
        (session.rows_bytes - session.piece_bytes - burst_bytes) * 1000 / rate;
    BOOST_TEST(took_ms >= due_ms);
    BOOST_TEST(took_ms <= due_ms * 13 / 10 + slack_ms);
    session.check_end();
}

BOOST_AUTO_TEST_CASE(without_a_cap_a_session_takes_no_time) {
    CappedSession session(0);
    session.fill(1000, 1000);
    session.connect();
    BOOST_TEST(session.pull() <= slack_ms);
    BOOST_TEST(session.signs_of_life == 0U);
    session.check_end();
}

/// Nothing but signs of life for four times as long as either side waits for the other.
BOOST_AUTO_TEST_CASE(a_row_that_is_owed_for_long_is_no_silence) {
    CappedSession session(rate);
    session.fill(200, 1000);
    session.fill(1, 2 * limits::mib);
    session.fill(200, 1000);
    session.connect();
    const std::uint64_t took_ms = session.pull();
    BOOST_TEST(session.too_early == 0U);
    BOOST_TEST(session.piece_bytes > 2 * limits::mib);
    BOOST_TEST(session.signs_of_life > 50U);
    BOOST_TEST(took_ms >= 2 * limits::mib * 1000 / rate);
    BOOST_TEST(took_ms <= session.rows_bytes * 1000 / rate * 13 / 10 + slack_ms);
    session.check_end();
}

BOOST_AUTO_TEST_CASE(a_cap_can_be_lifted_meanwhile) {
    CappedSession session(rate);
    session.fill(1000, 1000);
    session.connect();
    std::uint64_t lifted_ms = 0;
    session.on_rows = [&]() {
        if (lifted_ms > 0 || session.rows_bytes < 300 * kib) return;
        lifted_ms = session.cluster().now_ms();
        session.source()->set_repair_bandwidth(0);
    };
    session.pull();
    BOOST_REQUIRE(lifted_ms > 0U);
    BOOST_TEST(session.cluster().now_ms() - lifted_ms <= slack_ms);
    session.check_end();
}

/// A session holds the checkpoint, which gives back the memory that writes take.
BOOST_AUTO_TEST_CASE(a_cap_gives_way_before_writers_have_to_wait) {
    CappedSession session(1, 512 * kib);
    session.fill(300, 1000);
    session.connect();
    session.pull(5000);
    BOOST_REQUIRE(!session.over());
    const std::uint64_t before_ms = session.cluster().now_ms();
    for (int i = 0; i < 250 && !session.over(); ++i) {
        session.source().set("more" + std::to_string(i), Bytes(1500, 'v'));
        session.cluster().pump(1);
        BOOST_TEST(!session.source()->overloaded());
    }
    BOOST_TEST(session.over());
    BOOST_TEST(session.cluster().now_ms() - before_ms <= 250U);
    session.check_end();
}

/// Those that pull at one time share the cap, and none waits for the others' end.
BOOST_AUTO_TEST_CASE(sessions_share_the_cap) {
    constexpr std::size_t pullers = 3;
    TestCluster cluster(1 + pullers, [](ReplicaOptions& options) {
        options.repair_bandwidth = rate;
        options.compressed_bytes_min = 0;
    });
    for (int i = 0; i < 500; ++i) {
        cluster.at(0).set("key" + std::to_string(i), Bytes(1000, 'v'));
    }
    std::array<std::size_t, 1 + pullers> bytes{};
    std::size_t all = 0;
    std::size_t apart = 0;
    std::size_t too_early = 0;
    std::uint64_t first_ms = 0;
    cluster.filter = [&](std::size_t, std::size_t to, std::uint8_t type, Bytes& payload) {
        if (type == type_of(MessageType::session_rows) && payload.size() > 100) {
            if (all == 0) first_ms = cluster.now_ms();
            const std::uint64_t paid = (cluster.now_ms() - first_ms) * rate / 1000 + burst_bytes;
            if (all > paid) ++too_early;
            all += payload.size();
            bytes[to] += payload.size();
            const auto [least, most] = std::minmax_element(bytes.begin() + 1, bytes.end());
            if (*most < 400'000) apart = std::max(apart, *most - *least);
        }
        return type != type_of(MessageType::batch);
    };
    for (std::size_t i = 1; i <= pullers; ++i) cluster.connect(0, i);
    cluster.pump(200);
    const std::uint64_t began_ms = cluster.now_ms();
    for (std::size_t i = 1; i <= pullers; ++i) {
        cluster.at(i)->request_session(cluster.at(i)->peers().at(0).link);
    }
    const auto over = [&]() {
        for (std::size_t i = 1; i <= pullers; ++i) {
            if (cluster.at(i)->stats().sessions_completed == 0) return false;
        }
        return true;
    };
    while (!over() && cluster.now_ms() - began_ms < 100'000) cluster.pump(100);
    const std::uint64_t took_ms = cluster.now_ms() - began_ms;
    BOOST_TEST(too_early == 0U);
    BOOST_TEST(took_ms >= all * 1000 / rate - 1000);
    BOOST_TEST(took_ms <= all * 1000 / rate * 13 / 10);
    BOOST_TEST(apart <= 4 * burst_bytes);
    for (std::size_t i = 1; i <= pullers; ++i) {
        BOOST_TEST(cluster.at(i)->stats().sessions_failed == 0U);
    }
    cluster.filter = {};
    cluster.pump(3000);
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
