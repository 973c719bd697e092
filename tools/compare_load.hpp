#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tools/local_cluster.hpp"

namespace syncline {

constexpr std::size_t compare_replicas = 3;

/// What clients do. ycsb_a: half reads, half updates of 100-byte records, reads skewed as in YCSB
/// (zipf 0.99), each client updating records of its own, so that every lost update can be told.
/// counter: half reads, half increments of 100 counters that all clients share.
enum class Workload : std::uint8_t { ycsb_a, counter };

/// Where operations may go now. Clients read it before each operation; the script changes it.
struct Routing {
    static constexpr std::size_t none = compare_replicas;
    bool single_writer = false;               ///< writes go to the primary only
    std::atomic<std::size_t> primary{0};      ///< of a single writer
    std::atomic<std::size_t> isolated{none};  ///< cut off, with the clients that sit there
    std::atomic<std::size_t> dead{none};      ///< its clients go to the next one
    std::atomic<bool> stop{false};

    /// Where a client that sits at `home` finds a replica of its side; none if there is no way.
    [[nodiscard]] std::size_t place(std::size_t home, bool write) const;
};

/// One operation, as its client saw it.
struct Sample {
    std::uint64_t end_us = 0;  ///< since the run began
    std::uint32_t latency_us = 0;
    std::uint8_t home = 0;  ///< replica that the client sits at
    bool write = false;
    bool ok = false;
};

/// What became of the writes to one record or counter, by their clients' knowledge.
struct Ledger {
    /// Records: numbers of updates that were acknowledged, ascending. Counters: how many.
    std::vector<std::uint64_t> acknowledged;
    std::uint64_t increments = 0;
    std::uint64_t uncertain = 0;  ///< without an answer, or told to be unconfirmed
};

struct LoadPlan {
    Workload workload = Workload::ycsb_a;
    std::size_t clients = 12;
    std::uint64_t seed = 1;
};

/// A client: a thread with one operation under way at a time.
class LoadClient {
public:
    LoadClient(const LocalCluster& cluster, const Routing& routing, const LoadPlan& plan,
               std::size_t index);
    ~LoadClient();
    LoadClient(const LoadClient&) = delete;
    LoadClient& operator=(const LoadClient&) = delete;

    /// Begins; `start_us` is the beginning of the run on the steady clock.
    void start(std::uint64_t start_us);
    /// Waits for its end, which Routing::stop brings about.
    void join();

    /// After join().
    [[nodiscard]] const std::vector<Sample>& samples() const { return samples_; }
    [[nodiscard]] const std::map<std::string, Ledger>& ledgers() const { return ledgers_; }

private:
    void run();
    bool operate(bool write);
    bool send(std::size_t place, const std::vector<Bytes>& arguments, Ledger* ledger,
              std::uint64_t number);
    [[nodiscard]] std::string pick_key(bool write);

    const LocalCluster& cluster_;
    const Routing& routing_;
    LoadPlan plan_;
    std::size_t index_;
    std::size_t home_;
    std::mt19937_64 random_;
    std::uint64_t start_us_ = 0;
    std::uint64_t next_number_ = 1;
    std::array<std::optional<RespClient>, compare_replicas> clients_;
    std::vector<Sample> samples_;
    std::map<std::string, Ledger> ledgers_;
    std::thread thread_;
};

/// Microseconds since some start; never goes back.
std::uint64_t steady_us();

/// Acknowledged writes that a replica does not hold: of each record the updates after the one that
/// is there; of each counter what its value lacks. `over`: what counters have too much.
struct Missing {
    std::uint64_t writes = 0;
    std::uint64_t over = 0;
};
Result<Missing> find_missing(const LocalCluster& cluster, std::size_t replica, Workload workload,
                             const std::map<std::string, Ledger>& ledgers);

}  // namespace syncline
