#include "core/base/env.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <set>

namespace syncline {
BOOST_AUTO_TEST_SUITE(env)
namespace {

BOOST_AUTO_TEST_CASE(the_steady_clock_never_goes_back) {
    SystemClock clock;
    std::uint64_t before = clock.steady_ms();
    for (int i = 0; i < 1000; ++i) {
        const std::uint64_t now = clock.steady_ms();
        BOOST_TEST(now >= before);
        before = now;
    }
    BOOST_TEST(clock.wall_ms() > 1'600'000'000'000U);
}

BOOST_AUTO_TEST_CASE(random_numbers_do_not_repeat) {
    SystemRandom random;
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) seen.insert(random.next());
    BOOST_TEST(seen.size() == 1000U);
    for (int i = 0; i < 100; ++i) BOOST_TEST(random.below(3) < 3U);
}

BOOST_AUTO_TEST_CASE(a_forked_child_draws_other_numbers) {
    SystemRandom random;
    random.next();  // The parent's buffer is filled, and the child gets a copy of it.
    int ends[2] = {};
    BOOST_REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    const std::uint64_t drawn = random.next();
    if (child == 0) {
        const bool sent = write(ends[1], &drawn, sizeof drawn) == sizeof drawn;
        _exit(sent ? 0 : 1);
    }
    std::uint64_t drawn_by_child = 0;
    const ssize_t got = read(ends[0], &drawn_by_child, sizeof drawn_by_child);
    BOOST_TEST(got == static_cast<ssize_t>(sizeof drawn_by_child));
    BOOST_TEST(drawn_by_child != drawn);
    waitpid(child, nullptr, 0);
    close(ends[0]);
    close(ends[1]);
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
