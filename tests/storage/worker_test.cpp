#include "storage/worker.hpp"

#include <boost/test/unit_test.hpp>
#include <thread>
#include <vector>

namespace syncline {

BOOST_AUTO_TEST_SUITE(worker)

BOOST_AUTO_TEST_CASE(jobs_run_in_order_and_all_before_destruction_ends) {
    std::vector<int> seen;
    {
        Worker worker("test");
        for (int index = 0; index < 1000; ++index) {
            worker.post([&seen, index] { seen.push_back(index); });
        }
    }
    BOOST_REQUIRE(seen.size() == 1000U);
    for (int index = 0; index < 1000; ++index) {
        BOOST_TEST(seen[static_cast<std::size_t>(index)] == index);
    }
}

BOOST_AUTO_TEST_CASE(jobs_may_be_posted_from_many_threads) {
    int sum = 0;
    {
        Worker worker("a name longer than the kernel keeps");
        std::vector<std::thread> posters;
        posters.reserve(4);
        for (int poster = 0; poster < 4; ++poster) {
            posters.emplace_back([&] {
                for (int index = 0; index < 500; ++index) worker.post([&sum] { ++sum; });
            });
        }
        for (std::thread& poster : posters) poster.join();
    }
    BOOST_TEST(sum == 2000);
}

BOOST_AUTO_TEST_CASE(what_a_job_owns_dies_on_the_thread) {
    std::thread::id died_on;
    {
        Worker worker("test");
        int number = 1;
        std::shared_ptr<int> owned(&number,
                                   [&died_on](int*) { died_on = std::this_thread::get_id(); });
        worker.post([owned = std::move(owned)] {});
    }
    BOOST_TEST((died_on != std::thread::id()));
    BOOST_TEST((died_on != std::this_thread::get_id()));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
