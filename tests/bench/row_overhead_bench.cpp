/// What a row costs beyond the key and value of its user: fills a real database, takes the rows of
/// its base apart, and prints bytes beside their targets. "encoded" is LMDB's node header and slot
/// (10), row key, value and checksum, without the user's bytes; "in the file" are the pages that
/// the rows fill after a checkpoint, the user's bytes taken off. All but the strings are written a
/// thousand a transaction, after as many transactions of one SET each as there are rows.
/// Usage: bench_row_overhead [DIRECTORY [ROWS]]     (default: /dev/shm, where a sync costs nothing,
/// and a million rows of each kind: some 3 GB and minutes)
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <string>

#include "core/base/assert.hpp"
#include "core/database.hpp"
#include "core/engine/event.hpp"
#include "crdt/cell.hpp"
#include "storage/tables.hpp"
#include "tests/bench/closed_base.hpp"

namespace {

using syncline::Batch;
using syncline::Bytes;
using syncline::BytesView;
using syncline::CellType;
using syncline::Database;
using syncline::Result;
using syncline::test::ClosedBase;

constexpr int batch_rows = 1000;
constexpr int events_count = 2000;
constexpr double node_and_slot_bytes = 10;
constexpr std::size_t checksum_bytes = 8;
const std::string value(16, 'v');

bool all_within = true;

std::string number(int i) {
    std::string digits = std::to_string(i);
    return std::string(8 - digits.size(), '0') + digits;
}

void print(const std::string& what, double bytes, double target) {
    const bool within = bytes <= target;
    all_within = all_within && within;
    std::printf("  %-56s %7.1f B  target %5.1f  %s\n", what.c_str(), bytes, target,
                within ? "met" : "MISSED");
    std::fflush(stdout);
}

void print(const std::string& what, double bytes) {
    std::printf("  %-56s %7.1f B\n", what.c_str(), bytes);
}

struct Sums {
    double rows = 0;
    double beyond = 0;  ///< bytes without the user's
    double user = 0;
    [[nodiscard]] double mean() const { return beyond / rows; }
};

/// The database under test; each step ends with a checkpoint.
class Filled {
public:
    Filled(std::string directory, int rows) : directory_(std::move(directory)), rows_(rows) {
        open();
    }

    [[nodiscard]] const Database& db() const { return *db_; }

    /// So many rows of a kind in transactions of `batch`. Remembers what pages they took.
    void fill(const std::string& kind, const std::function<Result<void>(Batch&, int)>& write,
              int batch = batch_rows) {
        const auto begin = std::chrono::steady_clock::now();
        for (int first = 0; first < rows_; first += batch) {
            const Result<void> written = db_->batch([&](Batch& txn) -> Result<void> {
                for (int i = first; i < std::min(first + batch, rows_); ++i) {
                    SYNCLINE_CHECK(write(txn, i));
                }
                return {};
            });
            SYNCLINE_ASSERT(written.has_value());
        }
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        std::cerr << kind << ": " << took.count() << " s\n";
        SYNCLINE_ASSERT(db_->close().has_value());
        const double now = ClosedBase(directory_).page_bytes();
        page_bytes_[kind] = now - page_bytes_before_;
        page_bytes_before_ = now;
        open();
    }

    /// Rows of `cells` by the first letter of their user key, and derived rows as "derived".
    std::map<std::string, Sums> take_apart() {
        SYNCLINE_ASSERT(db_->close().has_value());
        std::map<std::string, Sums> sums;
        const ClosedBase base(directory_);
        base.each("cells", [&](BytesView key, BytesView stored) {
            const BytesView bytes = stored.substr(0, stored.size() - checksum_bytes);
            const syncline::Row row = syncline::decode_row(key, bytes).value();
            const auto type = syncline::cell_type_from(row.name.type).value();
            const syncline::Cell cell = syncline::read_cell(row.payload, type).value();
            // Places of a list are no bytes of the user's.
            std::size_t user = row.name.key.size();
            if (row.name.field && type != CellType::list) user += row.name.field->size();
            // Nor are scores: they are members' values, of 8 bytes.
            for (const auto& dot : cell.dots.entries()) user += dot.payload.value.size();
            add(sums[row.name.key.substr(0, 1)], key.size() + stored.size(), user);
        });
        base.each("counts", [&](BytesView key, BytesView stored) {
            add(sums["derived"], key.size() + stored.size(), 0);
        });
        return sums;
    }

    /// Bytes that a row's pages have beyond the user's.
    [[nodiscard]] double in_file(const std::string& kind, const Sums& sums) const {
        return page_bytes_.at(kind) / sums.rows - sums.user / sums.rows;
    }

private:
    static void add(Sums& sums, std::size_t bytes, std::size_t user) {
        sums.rows += 1;
        sums.user += static_cast<double>(user);
        sums.beyond += node_and_slot_bytes + static_cast<double>(bytes) - static_cast<double>(user);
    }
    void open() { db_.emplace(Database::open({.path = directory_}).value()); }

    std::string directory_;
    int rows_;
    std::optional<Database> db_;
    std::map<std::string, double> page_bytes_;
    double page_bytes_before_ = 0;
};

void fill_all(Filled& filled) {
    filled.fill(
        "s", [](Batch& txn, int i) { return txn.string("s" + number(i)).set(value); }, 1);
    const auto ignore = [](const auto& result) -> Result<void> {
        if (!result) return result.error();
        return {};
    };
    filled.fill("e", [&](Batch& txn, int i) { return ignore(txn.set("e").add(number(i))); });
    filled.fill("h", [&](Batch& txn, int i) { return ignore(txn.map("h").put(number(i), value)); });
    filled.fill("c",
                [&](Batch& txn, int i) { return ignore(txn.counter("c" + number(i)).add(7)); });
    filled.fill("r",
                [&](Batch& txn, int i) { return ignore(txn.counter("r" + number(i)).add(7)); });
    filled.fill("r2", [&](Batch& txn, int i) { return ignore(txn.remove("r" + number(i))); });
    filled.fill("z",
                [&](Batch& txn, int i) { return ignore(txn.sorted_set("z").add(number(i), i)); });
    filled.fill("l", [&](Batch& txn, int) { return ignore(txn.list("l").push_back({value})); });
}

void print_rows(Filled& filled) {
    auto sums = filled.take_apart();
    const auto file = [&](const std::string& kind) {
        print("  in the file", filled.in_file(kind, sums[kind]));
    };
    std::cout << "rows at rest, bytes beyond the user's key, member and value\n";
    print("string", sums["s"].mean(), 44);
    file("s");
    print("member of a set", sums["e"].mean(), 40);
    file("e");
    print("field of a hash", sums["h"].mean());
    file("h");
    print("counter that was incremented: row", sums["c"].mean());
    file("c");
    print("counter that was removed since: row", sums["r"].mean());
    const double derived = sums["derived"].beyond / sums["z"].rows;
    print("member of a sorted set: row, without its score", sums["z"].mean());
    print("  with its row in the order of scores", sums["z"].mean() + derived);
    file("z");
    print("element of a list: row, with its position", sums["l"].mean());
    file("l");
}

/// Entries as two random nodes make them around their millionth transaction.
void print_entries() {
    using syncline::Actor;
    const syncline::Dot own{Actor{0x9abcdef0, 1}, 1100000};
    const syncline::Dot other{Actor{0x8badf00d, 1}, 1200000};
    const auto bytes = [](const syncline::Counter::Entry& entry) {
        Bytes written;
        syncline::ByteWriter out(written);
        write(out, entry);
        return static_cast<double>(written.size());
    };
    const syncline::CounterEntry fresh{1000000, 0, 0, {}, 1000000, 7};
    const syncline::CounterEntry old{1000000, 0, 0, {}, own.counter, 70000};
    const syncline::CounterEntry full{1000000, own.counter, 70000, other, own.counter, 70000};
    const syncline::CounterEntry partly{1000000, 1050000, 35000, other, own.counter, 70000};
    std::cout << "entry of one actor in a counter\n";
    print("new", bytes({own.actor, fresh}), 18);
    print("100,000 transactions later", bytes({own.actor, old}), 18);
    print("reset by another", bytes({own.actor, full}), 35);
    print("reset by another, and incremented since", bytes({own.actor, partly}), 35);
}

/// Until neither has anything to say. Answers what the left one, "left", said to the right one.
double exchange(const Database& left, const Database& right, const std::string& right_name) {
    double left_bytes = 0;
    for (bool moved = true; moved;) {
        moved = false;
        while (const auto message = left.next_message(right_name).value()) {
            left_bytes += static_cast<double>(message->size());
            SYNCLINE_ASSERT(right.receive("left", *message).has_value());
            moved = true;
        }
        while (const auto message = right.next_message("left").value()) {
            SYNCLINE_ASSERT(left.receive(right_name, *message).has_value());
            moved = true;
        }
    }
    return left_bytes;
}

/// SETs of one key each, with a past that names so many writers: on the wire and in the log.
void print_events(const std::string& directory, int writers) {
    const Database left = Database::open({.path = directory + "/left"}).value();
    for (int i = 1; i < writers; ++i) {
        const std::string name = "other" + std::to_string(i);
        const Database other = Database::open({.path = directory + "/" + name}).value();
        exchange(left, other, name);
        SYNCLINE_ASSERT(other.string("hello").set("").has_value());
        exchange(left, other, name);
    }
    const double log_before = static_cast<double>(left.stats().value().log_bytes);
    for (int i = 0; i < events_count; ++i) {
        SYNCLINE_ASSERT(left.string("s" + number(i)).set(value).has_value());
    }
    // It comes last, so that messages are as full as they get.
    const Database right = Database::open({.path = directory + "/right"}).value();
    const double wire = exchange(left, right, "right");
    SYNCLINE_ASSERT(right.string("s" + number(events_count - 1)).get().value() == value);
    const double user = static_cast<double>(9 + value.size());
    const double log = static_cast<double>(left.stats().value().log_bytes) - log_before;
    const std::string of = ", writers in its past: " + std::to_string(writers);
    print("SET on the wire, in batches" + of, wire / events_count - user, 24);
    print("its record in the log" + of, log / events_count - user, 24 + 8);
}

}  // namespace

int main(int argc, char** argv) {
    const std::filesystem::path parent = argc > 1 ? argv[1] : "/dev/shm";
    const int rows = argc > 2 ? std::atoi(argv[2]) : 1000000;
    SYNCLINE_ASSERT(rows > 0 && rows <= 10000000);
    std::string name = (parent / "syncline-bench-XXXXXX").string();
    SYNCLINE_ASSERT(::mkdtemp(name.data()) != nullptr);
    {
        Filled filled(name + "/db", rows);
        fill_all(filled);
        std::cout << rows << " rows of each kind\n";
        print_rows(filled);
    }
    print_entries();
    std::cout << "one SET\n";
    for (const int writers : {1, 3}) {
        const std::string directory = name + "/events" + std::to_string(writers);
        std::filesystem::create_directory(directory);
        print_events(directory, writers);
    }
    std::filesystem::remove_all(name);
    std::cout << (all_within ? "every target met\n" : "NOT every target met\n");
    return all_within ? 0 : 1;
}
