/// The storage engine beside raw LMDB in full-sync mode, on the same disk, in turn: durable batches
/// of 1 to 1,024 random row writes, random reads, and what a write waits while a checkpoint runs.
/// Usage: bench_engine [--dir DIRECTORY] [--rows N] [--seconds S] [--rounds R] [--batches 1,16,...]
/// S seconds for each batch size and store, in R rounds that take turns.
#include <lmdb.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iomanip>
#include <iostream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/base/assert.hpp"
#include "core/database.hpp"
#include "core/merkle/leaf_sums.hpp"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
    std::filesystem::path directory = std::filesystem::temp_directory_path();
    std::uint64_t rows = 1000000;
    double seconds = 20;
    unsigned rounds = 4;
    std::vector<std::uint64_t> batches = {1, 16, 64, 256, 1024};
};

constexpr std::uint64_t preload_batch = 10000;
/// Short and many: the two halves of a pair should meet the same machine.
constexpr unsigned read_rounds = 25;
constexpr std::uint64_t reads_each_round = 200000;
constexpr std::size_t value_bytes = 64;

std::string key_of(std::uint64_t number) {
    return "key:" + std::to_string(number);
}

/// Different each time, as values are.
std::string value_of(std::uint64_t number) {
    std::string value(value_bytes, 'v');
    for (std::size_t i = 0; i < 8; ++i) value[i] = static_cast<char>(number >> (8 * i));
    return value;
}

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values.empty() ? 0 : values[values.size() / 2];
}

void lmdb(int answer) {
    SYNCLINE_ASSERT(answer == MDB_SUCCESS);
}

/// A store of rows under test.
class Store {
public:
    virtual ~Store() = default;
    Store() = default;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    /// One durable transaction.
    virtual void put(const std::vector<std::uint64_t>& numbers, std::uint64_t version) = 0;
    virtual std::size_t get(std::uint64_t number) = 0;
    /// Nothing waits in memory.
    virtual void settle() = 0;
};

/// LMDB with full sync, used as its manual says: a reader that is renewed for each get.
class RawLmdb final : public Store {
public:
    explicit RawLmdb(const std::string& path) {
        std::filesystem::create_directories(path);
        lmdb(mdb_env_create(&environment_));
        lmdb(mdb_env_set_mapsize(environment_, std::size_t{64} << 30U));
        lmdb(mdb_env_open(environment_, path.c_str(), MDB_NOTLS | MDB_NORDAHEAD, 0600));
        MDB_txn* txn = nullptr;
        lmdb(mdb_txn_begin(environment_, nullptr, 0, &txn));
        lmdb(mdb_dbi_open(txn, nullptr, 0, &table_));
        lmdb(mdb_txn_commit(txn));
        lmdb(mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &reader_));
        mdb_txn_reset(reader_);
    }
    ~RawLmdb() override {
        mdb_txn_abort(reader_);
        mdb_env_close(environment_);
    }
    void put(const std::vector<std::uint64_t>& numbers, std::uint64_t version) override {
        MDB_txn* txn = nullptr;
        lmdb(mdb_txn_begin(environment_, nullptr, 0, &txn));
        for (const std::uint64_t number : numbers) {
            std::string key = key_of(number);
            std::string bytes = value_of(number + version);
            MDB_val key_val{key.size(), key.data()};
            MDB_val value_val{bytes.size(), bytes.data()};
            lmdb(mdb_put(txn, table_, &key_val, &value_val, 0));
        }
        lmdb(mdb_txn_commit(txn));
    }
    std::size_t get(std::uint64_t number) override {
        lmdb(mdb_txn_renew(reader_));
        std::string key = key_of(number);
        MDB_val key_val{key.size(), key.data()};
        MDB_val found{};
        lmdb(mdb_get(reader_, table_, &key_val, &found));
        const std::string bytes(static_cast<const char*>(found.mv_data), found.mv_size);
        mdb_txn_reset(reader_);
        return bytes.size();
    }
    void settle() override {}

private:
    MDB_env* environment_ = nullptr;
    MDB_dbi table_ = 0;
    MDB_txn* reader_ = nullptr;
};

class Syncline final : public Store {
public:
    explicit Syncline(std::string path)
        : path_(std::move(path)), db_(syncline::Database::open({.path = path_}).value()) {}

    void put(const std::vector<std::uint64_t>& numbers, std::uint64_t version) override {
        const auto written = db_.batch([&](syncline::Batch& batch) -> syncline::Result<void> {
            for (const std::uint64_t number : numbers) {
                SYNCLINE_CHECK(batch.string(key_of(number)).set(value_of(number + version)));
            }
            return {};
        });
        SYNCLINE_ASSERT(written.has_value());
    }
    std::size_t get(std::uint64_t number) override {
        return db_.string(key_of(number)).get().value()->size();
    }
    void settle() override {
        SYNCLINE_ASSERT(db_.close().has_value());
        db_ = syncline::Database::open({.path = path_}).value();
    }
    [[nodiscard]] std::uint64_t checkpoints() const { return db_.stats().value().checkpoints; }
    [[nodiscard]] bool checkpoint_running() const { return db_.stats().value().checkpoint_running; }

private:
    std::string path_;
    syncline::Database db_;
};

/// Random writes for so long; operations a second.
double writes(Store& store, const Options& options, std::uint64_t batch, double seconds,
              std::mt19937_64& random) {
    std::uint64_t count = 0;
    const Clock::time_point begin = Clock::now();
    std::vector<std::uint64_t> numbers(batch);
    do {
        for (std::uint64_t& number : numbers) number = random() % options.rows;
        store.put(numbers, random());
        count += batch;
    } while (seconds_since(begin) < seconds);
    return static_cast<double>(count) / seconds_since(begin);
}

double reads(Store& store, const Options& options, std::mt19937_64& random) {
    std::size_t bytes = 0;
    const Clock::time_point begin = Clock::now();
    for (std::uint64_t i = 0; i < reads_each_round; ++i)
        bytes += store.get(random() % options.rows);
    SYNCLINE_ASSERT(bytes == reads_each_round * value_bytes);
    return static_cast<double>(reads_each_round) / seconds_since(begin);
}

void preload(Store& store, const char* name, const Options& options) {
    const Clock::time_point begin = Clock::now();
    std::vector<std::uint64_t> numbers;
    for (std::uint64_t number = 0; number < options.rows; ++number) {
        numbers.push_back(number);
        if (numbers.size() < preload_batch && number + 1 < options.rows) continue;
        store.put(numbers, 0);
        numbers.clear();
    }
    store.settle();
    std::cout << name << ": " << options.rows << " rows in " << seconds_since(begin) << " s\n";
}

void print(const std::string& what, const std::vector<double>& ours,
           const std::vector<double>& raw) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < ours.size(); ++i) ratios.push_back(ours[i] / raw[i]);
    std::cout << std::left << std::setw(24) << what << std::right << std::fixed
              << std::setprecision(0) << std::setw(12) << median(ours) << std::setw(12)
              << median(raw) << std::setprecision(2) << std::setw(10) << median(ratios)
              << std::endl;  // each line as it comes: this takes minutes
}

double quantile(std::vector<double> values, double share) {
    std::sort(values.begin(), values.end());
    const auto index = static_cast<std::size_t>(share * static_cast<double>(values.size()));
    return values.empty() ? 0 : values[std::min(index, values.size() - 1)];
}

/// What a durable write waits while a checkpoint is written, and while none is: one writer, small
/// batches, which make the checkpoints in passing.
void print_waits(Syncline& store, const Options& options, std::mt19937_64& random) {
    constexpr std::uint64_t batch = 16;
    std::vector<double> during;
    std::vector<double> outside;
    std::vector<std::uint64_t> numbers(batch);
    bool running = store.checkpoint_running();
    const Clock::time_point begin = Clock::now();
    while (seconds_since(begin) < 3 * options.seconds) {
        for (std::uint64_t& number : numbers) number = random() % options.rows;
        const Clock::time_point sent = Clock::now();
        store.put(numbers, random());
        const double waited_ms = seconds_since(sent) * 1000;
        const bool was_running = std::exchange(running, store.checkpoint_running());
        (was_running || running ? during : outside).push_back(waited_ms);
    }
    std::cout << std::fixed << std::setprecision(2)
              << "p50, p99, most of a write's ms: " << quantile(during, 0.5) << ", "
              << quantile(during, 0.99) << ", " << quantile(during, 1) << " in checkpoints ("
              << during.size() << " writes), ";
    if (outside.empty()) {
        std::cout << "none outside: one ran all the time\n";
        return;
    }
    std::cout << quantile(outside, 0.5) << ", " << quantile(outside, 0.99) << ", "
              << quantile(outside, 1) << " outside (" << outside.size() << "); p99 "
              << quantile(during, 0.99) / quantile(outside, 0.99) << " times\n";
}

/// What the sums for anti-entropy cost: each write takes the old row off its leaf's sum and adds
/// the new one; each checkpoint writes the pages that changed. `rate`: of the fastest writes.
void print_leaf_sums(double rate, std::mt19937_64& random) {
    constexpr std::uint64_t changes = 1000000;
    syncline::LeafSums sums(16, 1);
    const std::string old_row = value_of(1) + std::string(30, 'c');
    const std::string new_row = value_of(2) + std::string(30, 'c');
    std::string key(24, 'k');
    std::size_t page_bytes = 0;
    const Clock::time_point begin = Clock::now();
    for (std::uint64_t i = 0; i < changes; ++i) {
        const std::uint64_t hash = random();
        for (std::size_t at = 0; at < 8; ++at) key[at] = static_cast<char>(hash >> (8 * at));
        sums.remove(key, old_row);
        sums.add(key, new_row);
    }
    for (const auto& [page, bytes] : sums.take_dirty_pages()) page_bytes += bytes.size();
    const double seconds = seconds_since(begin);
    const double memory = static_cast<double>(sums.leaves_count() * sizeof(syncline::LeafSum));
    std::cout << std::fixed << std::setprecision(2) << "leaf sums: " << seconds * 1000
              << " ns a write, " << 100 * rate * seconds / static_cast<double>(changes)
              << " % of the fastest writes' time; " << sums.leaves_count() << " buckets, "
              << memory / (1 << 20) << " MiB, " << static_cast<double>(page_bytes) / (1 << 20)
              << " MiB on disk\n";
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string name = argv[i];
        const std::string text = argv[i + 1];
        if (name == "--dir") options.directory = text;
        if (name == "--rows") options.rows = std::stoull(text);
        if (name == "--seconds") options.seconds = std::stod(text);
        if (name == "--rounds") options.rounds = static_cast<unsigned>(std::stoul(text));
        if (name != "--batches") continue;
        options.batches.clear();
        std::istringstream list(text);
        for (std::string one; std::getline(list, one, ',');) {
            options.batches.push_back(std::stoull(one));
        }
    }
    return options;
}

long resident_mib() {
    rusage usage{};
    (void)::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    std::string name = (options.directory / "syncline-bench-XXXXXX").string();
    SYNCLINE_ASSERT(::mkdtemp(name.data()) != nullptr);
    {
        Syncline ours(name + "/db");
        RawLmdb raw(name + "/lmdb");
        preload(ours, "syncline", options);
        preload(raw, "LMDB", options);
        std::cout << std::left << std::setw(24) << "operations a second" << std::right
                  << std::setw(12) << "syncline" << std::setw(12) << "LMDB" << std::setw(10)
                  << "ratio\n";
        std::mt19937_64 random(1);
        std::vector<double> our_reads;
        std::vector<double> raw_reads;
        for (unsigned round = 0; round < read_rounds; ++round) {
            our_reads.push_back(reads(ours, options, random));
            raw_reads.push_back(reads(raw, options, random));
        }
        print("get", our_reads, raw_reads);
        double fastest = 0;
        for (const std::uint64_t batch : options.batches) {
            std::vector<double> our_rates;
            std::vector<double> raw_rates;
            const double seconds = options.seconds / options.rounds;
            for (unsigned round = 0; round < options.rounds; ++round) {
                our_rates.push_back(writes(ours, options, batch, seconds, random));
                raw_rates.push_back(writes(raw, options, batch, seconds, random));
            }
            print("durable, batches of " + std::to_string(batch), our_rates, raw_rates);
            fastest = std::max(fastest, median(our_rates));
        }
        print_waits(ours, options, random);
        print_leaf_sums(fastest, random);
        std::cout << "checkpoints " << ours.checkpoints() << ", resident at most " << resident_mib()
                  << " MiB, LMDB's maps included\n";
    }
    std::filesystem::remove_all(name);
    return 0;
}
