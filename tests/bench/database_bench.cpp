/// The embedded database beside raw LMDB, in the same run on the same disk: what a replicated get
/// and put cost over the store they stand on. Prints medians of rounds, and ratios.
/// Usage: bench_database [DIRECTORY]     (a disk that is to be measured; default: the temporary
/// one)
#include <lmdb.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/base/assert.hpp"
#include "core/database.hpp"

namespace {

constexpr int keys_count = 100000;
constexpr int gets_count = 200000;
constexpr int batch_puts = 1000;
constexpr int batches_count = 20;
constexpr int durable_puts = 300;
constexpr int threads_count = 8;
constexpr int rounds_count = 5;
const std::string value(64, 'v');

std::string key_of(int number) {
    return "key:" + std::to_string(number);
}

/// Operations a second: `count` of them in `work`.
double rate(int count, const std::function<void()>& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    return count / seconds.count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

void lmdb(int answer) {
    SYNCLINE_ASSERT(answer == MDB_SUCCESS);
}

/// LMDB with full sync, used as its manual says: a reader that is renewed for each get.
class Lmdb {
public:
    explicit Lmdb(const std::string& path) {
        std::filesystem::create_directories(path);
        lmdb(mdb_env_create(&environment_));
        lmdb(mdb_env_set_mapsize(environment_, std::size_t{4} << 30U));
        lmdb(mdb_env_open(environment_, path.c_str(), MDB_NOTLS | MDB_NORDAHEAD, 0600));
        MDB_txn* txn = nullptr;
        lmdb(mdb_txn_begin(environment_, nullptr, 0, &txn));
        lmdb(mdb_dbi_open(txn, nullptr, 0, &table_));
        lmdb(mdb_txn_commit(txn));
        lmdb(mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &reader_));
        mdb_txn_reset(reader_);
    }
    ~Lmdb() {
        mdb_txn_abort(reader_);
        mdb_env_close(environment_);
    }
    Lmdb(const Lmdb&) = delete;
    Lmdb& operator=(const Lmdb&) = delete;

    void put(int first, int count) {
        MDB_txn* txn = nullptr;
        lmdb(mdb_txn_begin(environment_, nullptr, 0, &txn));
        for (int i = first; i < first + count; ++i) {
            std::string key = key_of(i % keys_count);
            std::string bytes = value;
            MDB_val key_val{key.size(), key.data()};
            MDB_val value_val{bytes.size(), bytes.data()};
            lmdb(mdb_put(txn, table_, &key_val, &value_val, 0));
        }
        lmdb(mdb_txn_commit(txn));
    }
    std::string get(int number) {
        lmdb(mdb_txn_renew(reader_));
        std::string key = key_of(number);
        MDB_val key_val{key.size(), key.data()};
        MDB_val found{};
        lmdb(mdb_get(reader_, table_, &key_val, &found));
        std::string bytes(static_cast<const char*>(found.mv_data), found.mv_size);
        mdb_txn_reset(reader_);
        return bytes;
    }

private:
    MDB_env* environment_ = nullptr;
    MDB_dbi table_ = 0;
    MDB_txn* reader_ = nullptr;
};

/// The same of a database.
class Embedded {
public:
    explicit Embedded(const std::string& path)
        : db_(syncline::Database::open({.path = path}).value()) {}

    void put(int first, int count) {
        const auto written = db_.batch([&](syncline::Batch& batch) -> syncline::Result<void> {
            for (int i = first; i < first + count; ++i) {
                SYNCLINE_CHECK(batch.string(key_of(i % keys_count)).set(value));
            }
            return {};
        });
        SYNCLINE_ASSERT(written.has_value());
    }
    std::string get(int number) { return *db_.string(key_of(number)).get().value(); }
    /// All rows in the base, none in the overlay.
    void reopen(const std::string& path) {
        SYNCLINE_ASSERT(db_.close().has_value());
        db_ = syncline::Database::open({.path = path}).value();
    }

private:
    syncline::Database db_;
};

template <typename Store>
double gets(Store& store, unsigned seed) {
    std::mt19937 random(seed);
    std::size_t bytes = 0;
    const double result = rate(gets_count, [&]() {
        for (int i = 0; i < gets_count; ++i) {
            bytes += store.get(static_cast<int>(random() % keys_count)).size();
        }
    });
    SYNCLINE_ASSERT(bytes == value.size() * gets_count);
    return result;
}

template <typename Store>
double batched_puts(Store& store, unsigned seed) {
    std::mt19937 random(seed);
    return rate(batch_puts * batches_count, [&]() {
        for (int i = 0; i < batches_count; ++i) {
            store.put(static_cast<int>(random() % keys_count), batch_puts);
        }
    });
}

/// One put a transaction, each waited for, by several threads.
template <typename Store>
double single_puts(Store& store, int threads) {
    const int each = durable_puts / threads;
    return rate(each * threads, [&]() {
        std::vector<std::thread> writers;
        for (int t = 0; t < threads; ++t) {
            writers.emplace_back([&store, t, each]() {
                for (int i = 0; i < each; ++i) store.put(t * each + i, 1);
            });
        }
        for (std::thread& writer : writers) writer.join();
    });
}

struct Figure {
    const char* name;
    std::vector<double> ours;
    std::vector<double> raw;

    void print() const {
        const double one = median(ours);
        const double other = median(raw);
        std::cout << name << ": syncline " << static_cast<long>(one) << "/s, LMDB "
                  << static_cast<long>(other) << "/s, ratio " << one / other << "\n";
    }
};

}  // namespace

int main(int argc, char** argv) {
    const std::filesystem::path parent =
        argc > 1 ? std::filesystem::path(argv[1]) : std::filesystem::temp_directory_path();
    std::string name = (parent / "syncline-bench-XXXXXX").string();
    SYNCLINE_ASSERT(::mkdtemp(name.data()) != nullptr);
    {
        Lmdb raw(name + "/lmdb");
        Embedded ours(name + "/db");
        for (int i = 0; i < keys_count; i += batch_puts) {
            raw.put(i, batch_puts);
            ours.put(i, batch_puts);
        }
        Figure get{"get, one thread, rows in the base", {}, {}};
        Figure batch{"put, 1000 a transaction", {}, {}};
        Figure alone{"durable put, 1 thread", {}, {}};
        Figure together{"durable put, 8 threads", {}, {}};
        for (unsigned round = 0; round < rounds_count; ++round) {
            ours.reopen(name + "/db");
            get.ours.push_back(gets(ours, round));
            get.raw.push_back(gets(raw, round));
            batch.ours.push_back(batched_puts(ours, round));
            batch.raw.push_back(batched_puts(raw, round));
            alone.ours.push_back(single_puts(ours, 1));
            alone.raw.push_back(single_puts(raw, 1));
            together.ours.push_back(single_puts(ours, threads_count));
            together.raw.push_back(single_puts(raw, threads_count));
        }
        std::cout << keys_count << " keys, values of " << value.size() << " bytes, medians of "
                  << rounds_count << " rounds\n";
        for (const Figure* figure : {&get, &batch, &alone, &together}) figure->print();
    }
    std::filesystem::remove_all(name);
    return 0;
}
