/// Recorded texts through the embedded database, log, LMDB and messages included: one writer in
/// transactions of several sizes; several writers, each a database, who see of each other what the
/// record says. Every text must end as recorded, else the program fails.
/// Run in the project's folder: build/release/tests/bench_text_database [DIRECTORY [MODE]]
/// MODE "paper": only one text is typed, the first one.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <vector>

#include "core/database.hpp"
#include "tests/bench/closed_base.hpp"
#include "tests/bench/trace_writers.hpp"
#include "tests/crdt/text_trace.hpp"

namespace {

using syncline::Batch;
using syncline::Bytes;
using syncline::BytesView;
using syncline::Database;
using syncline::Result;
using syncline::test::or_throw;
using syncline::test::TextTrace;

constexpr BytesView key = "t";
constexpr std::size_t run_max = 1000;  // recorded transactions of a writer in one of ours

std::filesystem::path scratch;
bool all_right = true;

/// A number, and whether it is within the bound it is to be below.
void print(const char* what, double value, double bound, const char* unit) {
    const bool within = value <= bound;
    all_right = all_right && within;
    std::printf("  %-52s %9.2f %-3s target %6.0f  %s\n", what, value, unit, bound,
                within ? "ok" : "MISSED");
    std::fflush(stdout);
}

void print(const char* what, double value, const char* unit) {
    std::printf("  %-52s %9.2f %s\n", what, value, unit);
    std::fflush(stdout);
}

template <typename Run>
double seconds(const Run& run) {
    const auto start = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    return took.count();
}

Database open(const std::string& name) {
    return syncline::test::open_database(scratch / name);
}

void check_end(const Database& database, const std::string& expected, const char* name) {
    const Result<std::optional<Bytes>> text = database.text(key).get();
    if (text && *text && **text == expected) return;
    std::printf("WRONG: %s does not end as recorded\n", name);
    std::exit(1);
}

Result<void> edit(Batch& batch, const TextTrace::Patch& patch) {
    const syncline::TextHandle text = batch.text(key);
    if (patch.erased > 0) SYNCLINE_CHECK(text.erase(patch.position, patch.erased));
    if (!patch.inserted.empty()) SYNCLINE_CHECK(text.insert(patch.position, patch.inserted));
    return {};
}

/// Recorded transactions [first, end) as one.
void write(const Database& database, const TextTrace& trace, std::size_t first, std::size_t end) {
    or_throw(database.batch([&](Batch& batch) -> Result<void> {
        for (std::size_t i = first; i < end; ++i) {
            for (const TextTrace::Patch& patch : trace.txns[i].patches) {
                SYNCLINE_CHECK(edit(batch, patch));
            }
        }
        return {};
    }));
}

double log_bytes(const Database& database) {
    return static_cast<double>(database.stats()->log_bytes);
}

double file_bytes(const std::filesystem::path& folder, BytesView suffix) {
    double bytes = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (entry.is_regular_file() && name.ends_with(suffix)) {
            bytes += static_cast<double>(entry.file_size());
        }
    }
    return bytes;
}

/// Names, rows and checksums as LMDB holds them, and the pages that they fill.
void print_rest(const std::filesystem::path& folder) {
    const syncline::test::ClosedBase base(folder.string());
    double bytes = 0;
    base.each("cells", [&](BytesView name, BytesView row) {
        bytes += static_cast<double>(name.size() + row.size());
    });
    print("rows at rest with their names, in LMDB", bytes / 1000, "KB");
    print("pages of these rows", base.page_bytes() / 1000, "KB");
    print("LMDB file", file_bytes(folder, "data.mdb") / 1000, "KB");
}

/// Bytes of everything that another database gets to hear of these transactions.
double wire_bytes(const Database& writer) {
    const Database reader = open("reader");
    double bytes = 0;
    for (bool more = true; more;) {
        more = false;
        for (const auto& [from, to] : {std::pair(&writer, &reader), std::pair(&reader, &writer)}) {
            while (const std::optional<Bytes> message = from->next_message("peer").value()) {
                if (from == &writer) bytes += static_cast<double>(message->size());
                or_throw(to->receive("peer", *message));
                more = true;
            }
        }
    }
    return bytes;
}

void one_writer(const std::string& name, std::size_t transaction_size, std::size_t count_max) {
    const TextTrace trace = syncline::test::load_trace("sequential/" + name);
    const std::size_t count = std::min(count_max, trace.txns.size());
    const std::string folder = name + "-" + std::to_string(transaction_size);
    double took = 0;
    double bytes = 0;
    double wire = 0;
    {
        const Database database = open(folder);
        const double before = log_bytes(database);
        took = seconds([&] {
            for (std::size_t i = 0; i < count; i += transaction_size) {
                write(database, trace, i, std::min(count, i + transaction_size));
            }
        });
        bytes = log_bytes(database) - before;
        if (transaction_size == 1) wire = wire_bytes(database);
        if (count == trace.txns.size()) check_end(database, trace.end, name.c_str());
    }
    std::printf("%s: %zu transactions of the record, %zu of them in one\n", name.c_str(), count,
                transaction_size);
    if (name == "automerge-paper" && count == trace.txns.size()) {
        print("typed through commits", took, 5, "s");
        print("log, for each keystroke", bytes / static_cast<double>(count), 40, "B");
    } else {
        print("typed through commits", took, "s");
        print("log, for each transaction of the record", bytes / static_cast<double>(count), "B");
    }
    if (wire > 0) print("on the wire, each alone", wire / static_cast<double>(count), 40, "B");
    if (name == "automerge-paper" && count == trace.txns.size()) print_rest(scratch / folder);
    Result<std::optional<Bytes>> text = std::optional<Bytes>();
    const Database database = open(folder);
    print("read for the first time after opening",
          1000 * seconds([&] { text = database.text(key).get(); }), 50, "ms");
    if (count == trace.txns.size()) check_end(database, trace.end, name.c_str());
}

void several_writers(const std::string& name) {
    const TextTrace trace = syncline::test::load_trace("concurrent/" + name);
    std::vector<Database> databases;
    for (std::uint32_t i = 0; i < trace.agents_count; ++i) {
        databases.push_back(open("writer-" + std::to_string(i)));
    }
    syncline::test::TraceWriters writers(
        trace, databases, run_max, [&](std::uint32_t agent, std::size_t first, std::size_t end) {
            write(databases[agent], trace, first, end);
        });
    const double took = seconds([&] { writers.run(); });
    for (const Database& database : databases) check_end(database, trace.end, "a writer");
    std::printf("%s: %u writers, %zu recorded transactions in %zu, %zu messages\n", name.c_str(),
                trace.agents_count, trace.txns.size(), writers.transactions(), writers.messages());
    print("written, exchanged and merged", took, "s");
}

}  // namespace

int main(int arguments, char** values) {
    const std::filesystem::path base =
        arguments > 1 ? std::filesystem::path(values[1]) : std::filesystem::temp_directory_path();
    scratch = base / "syncline-text-bench";
    std::filesystem::remove_all(scratch);
    one_writer("automerge-paper", 1000, SIZE_MAX);
    if (arguments > 2 && std::string(values[2]) == "paper") {
        std::filesystem::remove_all(scratch);
        return all_right ? 0 : 1;
    }
    one_writer("automerge-paper", 100, SIZE_MAX);
    one_writer("automerge-paper", 1, 5000);
    for (const char* name : {"clownschool_flat", "friendsforever_flat", "json-crdt-blog-post",
                             "json-crdt-patch", "rustcode", "seph-blog1", "sveltecomponent"}) {
        one_writer(name, run_max, SIZE_MAX);
    }
    for (const char* name : {"friendsforever", "clownschool"}) {
        several_writers(name);
        std::filesystem::remove_all(scratch);
    }
    std::filesystem::remove_all(scratch);
    return all_right ? 0 : 1;
}
