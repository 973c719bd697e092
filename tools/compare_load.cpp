#include "tools/compare_load.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace syncline {
namespace {

/// An operation without an answer for so long has failed.
constexpr std::uint64_t operation_ms_max = 500;
/// Before the next try, when there was nobody to ask.
constexpr std::uint64_t pause_ms = 20;
constexpr std::size_t records_of_client = 200;
constexpr std::size_t counters = 100;
constexpr std::size_t record_bytes = 100;
constexpr std::uint64_t seed_step = 1000;
constexpr double zipf_exponent = 0.99;

/// Sums of 1 / rank^0.99, for ranks of all records.
const std::vector<double>& zipf_sums() {
    static const std::vector<double> sums = [] {
        std::vector<double> made;
        double sum = 0;
        for (std::size_t rank = 1; rank <= records_of_client; ++rank) {
            sum += 1 / std::pow(static_cast<double>(rank), zipf_exponent);
            made.push_back(sum);
        }
        return made;
    }();
    return sums;
}

std::size_t zipf(std::mt19937_64& random) {
    const std::vector<double>& sums = zipf_sums();
    const double at = std::uniform_real_distribution<double>(0, sums.back())(random);
    return static_cast<std::size_t>(std::lower_bound(sums.begin(), sums.end(), at) - sums.begin());
}

std::string record_key(std::size_t client, std::size_t record) {
    return "record:" + std::to_string(client) + ":" + std::to_string(record);
}

/// The number first, so that it can be read back.
Bytes record_value(std::uint64_t number) {
    Bytes value = std::to_string(number) + ":";
    value.resize(record_bytes, 'x');
    return value;
}

/// The number in a record, or the value of a counter; 0 when it is absent.
std::uint64_t number_in(const RespValue& reply) {
    std::uint64_t number = 0;
    for (const char byte : reply.text) {
        if (byte < '0' || byte > '9') break;
        number = number * 10 + static_cast<std::uint64_t>(byte - '0');
    }
    return number;
}

}  // namespace

std::uint64_t steady_us() {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                          std::chrono::steady_clock::now().time_since_epoch())
                                          .count());
}

std::size_t Routing::place(std::size_t home, bool write) const {
    const std::size_t cut = isolated.load();
    const auto reachable = [&](std::size_t replica) {
        return replica != dead.load() && (cut == none || (home == cut) == (replica == cut));
    };
    if (write && single_writer) {
        const std::size_t replica = primary.load();
        return reachable(replica) ? replica : none;
    }
    for (std::size_t step = 0; step < compare_replicas; ++step) {
        const std::size_t replica = (home + step) % compare_replicas;
        if (reachable(replica)) return replica;
    }
    return none;
}

LoadClient::LoadClient(const LocalCluster& cluster, const Routing& routing, const LoadPlan& plan,
                       std::size_t index)
    : cluster_(cluster),
      routing_(routing),
      plan_(plan),
      index_(index),
      home_(index % compare_replicas),
      random_(plan.seed * seed_step + index) {}

LoadClient::~LoadClient() {
    join();
}

void LoadClient::start(std::uint64_t start_us) {
    start_us_ = start_us;
    thread_ = std::thread([this]() { run(); });
}

void LoadClient::join() {
    if (thread_.joinable()) thread_.join();
}

void LoadClient::run() {
    while (!routing_.stop.load()) {
        const bool write = random_() % 2 == 0;
        const std::uint64_t before = steady_us();
        const bool ok = operate(write);
        const std::uint64_t after = steady_us();
        samples_.push_back(Sample{after - start_us_, static_cast<std::uint32_t>(after - before),
                                  static_cast<std::uint8_t>(home_), write, ok});
        if (!ok) sleep_ms(pause_ms);
    }
}

std::string LoadClient::pick_key(bool write) {
    if (plan_.workload == Workload::counter)
        return "counter:" + std::to_string(random_() % counters);
    const std::size_t record = zipf(random_);
    return record_key(write ? index_ : random_() % plan_.clients, record);
}

bool LoadClient::operate(bool write) {
    const std::size_t place = routing_.place(home_, write);
    if (place == Routing::none) return false;
    const std::string key = pick_key(write);
    if (!write) return send(place, {"GET", key}, nullptr, 0);
    Ledger& ledger = ledgers_[key];
    if (plan_.workload == Workload::counter) return send(place, {"INCR", key}, &ledger, 0);
    const std::uint64_t number = next_number_++;
    return send(place, {"SET", key, record_value(number)}, &ledger, number);
}

bool LoadClient::send(std::size_t place, const std::vector<Bytes>& arguments, Ledger* ledger,
                      std::uint64_t number) {
    std::optional<RespClient>& client = clients_[place];
    if (!client) {
        Result<RespClient> connected = cluster_.connect(place, operation_ms_max);
        if (!connected) return false;  // nothing was sent
        client.emplace(std::move(*connected));
    }
    const Result<RespValue> reply = client->command(arguments);
    if (!reply) client.reset();  // an answer that still comes would be taken for the next one's
    const bool ok = reply && !reply->is_error();
    if (ledger == nullptr) return ok;
    if (ok) {
        ++ledger->increments;
        if (number > 0) ledger->acknowledged.push_back(number);
    } else if (!reply || reply->text.rfind("READONLY", 0) != 0) {
        ++ledger->uncertain;
    }
    return ok;
}

Result<Missing> find_missing(const LocalCluster& cluster, std::size_t replica, Workload workload,
                             const std::map<std::string, Ledger>& ledgers) {
    SYNCLINE_TRY(RespClient client, cluster.connect(replica, 10000));
    Missing missing;
    for (const auto& [key, ledger] : ledgers) client.queue({"GET", key});
    for (const auto& [key, ledger] : ledgers) {
        SYNCLINE_TRY(const RespValue value, client.receive());
        if (value.is_error()) return Error{Code::unavailable, value.text};
        const std::uint64_t number = number_in(value);
        if (workload == Workload::ycsb_a) {
            missing.writes += static_cast<std::uint64_t>(
                std::count_if(ledger.acknowledged.begin(), ledger.acknowledged.end(),
                              [&](std::uint64_t update) { return update > number; }));
            continue;
        }
        missing.writes += ledger.increments - std::min(ledger.increments, number);
        missing.over += number - std::min(number, ledger.increments + ledger.uncertain);
    }
    return missing;
}

}  // namespace syncline
