/// Two of these count together: each adds to one counter, and both end with the sum.
/// Usage: sync DIRECTORY LISTEN PEER SECRET_FILE ADDS TOTAL      ("-" for no LISTEN or no PEER)
/// Says "added N" when the Nth addition is durable, and "total N" when the counter has reached
/// TOTAL and the peer is in step; then waits for the end of its input.
#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <syncline/core/database.hpp>
#include <syncline/net/node.hpp>

using namespace syncline;
using namespace std::chrono_literals;

static Result<void> run(char** argument) {
    NodeOptions options;
    if (std::string(argument[2]) != "-") options.listen = argument[2];
    if (std::string(argument[3]) != "-") options.peers = {argument[3]};
    options.secret_file = argument[4];
    const std::int64_t adds = std::atoll(argument[5]);
    const std::int64_t total = std::atoll(argument[6]);

    SYNCLINE_TRY(Database db, Database::open({.path = argument[1], .cluster = "example"}));
    std::mutex mutex;
    std::condition_variable changed;
    bool fresh = true;
    SYNCLINE_TRY(const Watch watch, db.watch("visits", [&](const Change&) {
        const std::lock_guard lock(mutex);
        fresh = true;
        changed.notify_one();
    }));
    SYNCLINE_TRY(const Node node, Node::start(db, options));

    for (std::int64_t i = 1; i <= adds; ++i) {
        SYNCLINE_CHECK(db.counter("visits").add(1));
        std::cout << "added " << i << std::endl;
    }
    for (std::int64_t visits = 0; visits < total;) {
        std::unique_lock lock(mutex);
        if (!changed.wait_for(lock, 60s, [&]() { return fresh; })) {
            return Error{Code::unavailable, "nothing came for a minute"};
        }
        fresh = false;
        lock.unlock();
        SYNCLINE_TRY(visits, db.counter("visits").get());
    }
    SYNCLINE_CHECK(node.wait_synced(30s));
    SYNCLINE_TRY(const std::int64_t visits, db.counter("visits").get());
    std::cout << "total " << visits << std::endl;
    std::cin.get();
    return {};
}

int main(int argc, char** argv) {
    if (argc != 7) {
        std::cerr << "usage: sync DIRECTORY LISTEN PEER SECRET_FILE ADDS TOTAL\n";
        return 2;
    }
    const Result<void> done = run(argv);
    if (!done) std::cerr << done.error().message << "\n";
    return done ? 0 : 1;
}
