#include "net/loop.hpp"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <optional>
#include <string>
#include <thread>

#include "tests/net/run_until.hpp"

namespace syncline {
namespace {

struct LoopFixture {
    std::unique_ptr<Loop> loop = Loop::create().value();
    std::string trace;
};

BOOST_FIXTURE_TEST_SUITE(loop, LoopFixture)

BOOST_AUTO_TEST_CASE(a_loop_that_never_ran_goes_away) {
    BOOST_TEST(loop->now_ms() > 0U);
}

BOOST_AUTO_TEST_CASE(stop_before_run_returns_at_once) {
    loop->stop();
    loop->run();
}

BOOST_AUTO_TEST_CASE(run_lasts_until_stop_even_with_nothing_open) {
    std::optional<Timer> timer;
    timer.emplace(*loop, [&] {
        timer.reset();
        loop->stop();
    });
    timer->start(1);
    loop->run();
    BOOST_TEST(!timer.has_value());
}

BOOST_AUTO_TEST_CASE(timers_fire_once_in_order_and_restart) {
    Timer late(*loop, [&] { trace += "late "; });
    Timer early(*loop, [&] { trace += "early "; });
    late.start(20);
    early.start(1);
    BOOST_TEST(early.active());
    BOOST_TEST(run_until(*loop, [&] { return !late.active(); }));
    BOOST_TEST(trace == "early late ");
    early.start(1);
    BOOST_TEST(run_until(*loop, [&] { return !early.active(); }));
    BOOST_TEST(trace == "early late early ");
}

BOOST_AUTO_TEST_CASE(a_repeating_timer_stops_itself) {
    int count = 0;
    std::optional<Timer> timer;
    timer.emplace(*loop, [&] {
        if (++count == 3) timer->stop();
    });
    timer->start_repeating(1);
    BOOST_TEST(run_until(*loop, [&] { return !timer->active(); }));
    BOOST_TEST(count == 3);
}

BOOST_AUTO_TEST_CASE(a_timer_that_starts_itself_does_not_stop_the_turns) {
    int calls = 0;
    int turns = 0;
    std::optional<Timer> timer;
    timer.emplace(*loop, [&] {
        ++calls;
        timer->start(0);
    });
    timer->start(0);
    loop->on_turn_end([&] { ++turns; });
    BOOST_TEST(run_until(*loop, [&] { return calls >= 3; }));
    BOOST_TEST(turns >= 2);
}

BOOST_AUTO_TEST_CASE(a_turn_end_follows_a_timer_before_the_loop_waits_again) {
    // Without it, the second run_once would wait for ever.
    Timer timer(*loop, [&] { trace += "timer "; });
    timer.start(1);
    loop->on_turn_end([&] { trace += "end "; });
    while (trace.find("timer") == std::string::npos) loop->run_once();
    while (!trace.ends_with("timer end ")) loop->run_once();
}

BOOST_AUTO_TEST_CASE(tasks_run_before_the_turn_end_and_their_tasks_in_the_next_turn) {
    loop->on_turn_end([&] { trace += "end "; });
    loop->defer([&] {
        trace += "first ";
        loop->defer([&] { trace += "second "; });
    });
    BOOST_TEST(trace.empty());
    loop->run_once();
    BOOST_TEST(trace == "first end ");
    loop->run_once();
    BOOST_TEST(trace == "first end second end ");
}

BOOST_AUTO_TEST_CASE(a_task_deferred_at_the_turn_end_gets_a_turn_at_once) {
    bool asked = false;
    loop->on_turn_end([&] {
        if (!asked) loop->defer([&] { trace += "task"; });
        asked = true;
    });
    loop->defer([] {});
    loop->run_once();
    loop->run_once();
    BOOST_TEST(trace == "task");
}

BOOST_AUTO_TEST_CASE(the_turn_end_may_replace_itself) {
    loop->on_turn_end([this] {
        trace += "old ";
        loop->on_turn_end([this] { trace += "new "; });
    });
    for (int i = 0; i < 2; ++i) {
        loop->defer([] {});
        loop->run_once();
    }
    BOOST_TEST(trace == "old new ");
}

BOOST_AUTO_TEST_CASE(run_once_need_not_wait) {
    loop->run_once(false);
    BOOST_TEST(trace.empty());
}

BOOST_AUTO_TEST_CASE(no_wake_from_another_thread_is_lost) {
    constexpr int rounds = 2000;
    std::atomic<int> asked{0};
    int seen = 0;
    Wake wake(*loop, [&] { seen = asked.load(); });
    std::thread other([&] {
        for (int i = 0; i < rounds; ++i) {
            ++asked;
            wake.wake();
        }
    });
    BOOST_TEST(run_until(*loop, [&] { return seen == rounds; }));
    other.join();
}

BOOST_AUTO_TEST_CASE(a_wake_may_destroy_itself_in_its_callback) {
    std::optional<Wake> wake;
    wake.emplace(*loop, [&] { wake.reset(); });
    wake->wake();
    BOOST_TEST(run_until(*loop, [&] { return !wake.has_value(); }));
}

BOOST_AUTO_TEST_CASE(signals_call_back) {
    int got = 0;
    BOOST_REQUIRE(loop->on_signals({SIGUSR1}, [&](int /*number*/) { got = -1; }).has_value());
    BOOST_REQUIRE(
        loop->on_signals({SIGUSR1, SIGTERM}, [&](int number) { got = number; }).has_value());
    std::raise(SIGTERM);
    BOOST_TEST(run_until(*loop, [&] { return got == SIGTERM; }));
    std::raise(SIGUSR1);
    BOOST_TEST(run_until(*loop, [&] { return got == SIGUSR1; }));
}

BOOST_AUTO_TEST_CASE(a_signal_that_cannot_be_caught_is_an_error) {
    const auto watched = loop->on_signals({SIGKILL}, [](int /*number*/) {});
    BOOST_REQUIRE(!watched.has_value());
    BOOST_TEST((watched.error().code == Code::io));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace syncline
