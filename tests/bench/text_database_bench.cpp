/// Recorded texts through the embedded database, log, LMDB and messages included: one writer in
/// transactions of several sizes; several writers, each a database, who see of each other what the
/// record says. Every text must end as recorded, else the program fails.
/// Run in the project's folder: build/release/tests/bench_text_database [DIRECTORY [MODE]]
/// MODE "paper": only one text is typed, the first one.
/// MODE "list NAME": the text of that name is a list, an element for each letter. Takes minutes,
/// because an index in a list is counted from its end.
#include <chrono>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <optional>
#include <set>
#include <vector>

#include "core/database.hpp"
#include "tests/bench/closed_base.hpp"
#include "tests/crdt/text_trace.hpp"

namespace {

using syncline::Batch;
using syncline::Bytes;
using syncline::BytesView;
using syncline::Database;
using syncline::DatabaseOptions;
using syncline::Result;
using syncline::test::must;
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
    DatabaseOptions options;
    std::filesystem::create_directories(scratch);
    options.path = scratch / name;
    options.cluster = "text bench";
    Result<Database> database = Database::open(options);
    must(database ? Result<void>() : Result<void>(database.error()));
    return std::move(*database);
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
    must(database.batch([&](Batch& batch) -> Result<void> {
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
                must(to->receive("peer", *message));
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

/// Letters of several bytes are one element.
std::vector<Bytes> letters_of(const std::string& text) {
    std::vector<Bytes> letters;
    for (const char byte : text) {
        const bool follows = (static_cast<unsigned char>(byte) & 0xc0U) == 0x80U;
        if (!follows) letters.emplace_back();
        letters.back().push_back(byte);
    }
    return letters;
}

/// One element put in, or taken out.
struct ListEdit {
    std::int64_t index;
    std::optional<Bytes> put;
};

std::vector<ListEdit> list_edits_of(const TextTrace& trace) {
    std::vector<ListEdit> edits;
    for (const TextTrace::Txn& txn : trace.txns) {
        for (const TextTrace::Patch& patch : txn.patches) {
            auto index = static_cast<std::int64_t>(patch.position);
            edits.insert(edits.end(), patch.erased, ListEdit{index, std::nullopt});
            for (Bytes& letter : letters_of(patch.inserted)) {
                edits.push_back(ListEdit{index++, std::move(letter)});
            }
        }
    }
    return edits;
}

Result<void> edit(const syncline::ListHandle& list, const ListEdit& edit) {
    if (edit.put) return list.insert(edit.index, *edit.put);
    SYNCLINE_TRY(const bool there, list.remove(edit.index));
    if (there) return {};
    return syncline::Error{syncline::Code::corrupt, "an element is missing"};
}

void one_list(const std::string& name) {
    constexpr std::size_t together = 100;
    const TextTrace trace = syncline::test::load_trace("sequential/" + name);
    const std::vector<ListEdit> edits = list_edits_of(trace);
    const Database database = open(name + "-list");
    const double took = seconds([&] {
        for (std::size_t i = 0; i < edits.size(); i += together) {
            must(database.batch([&](Batch& batch) -> Result<void> {
                const syncline::ListHandle list = batch.list(key);
                for (std::size_t at = i; at < std::min(edits.size(), i + together); ++at) {
                    SYNCLINE_CHECK(edit(list, edits[at]));
                }
                return {};
            }));
            if (i % 10000 == 0) std::printf("  %zu of %zu\n", i, edits.size());
            std::fflush(stdout);
        }
    });
    const Result<std::vector<Bytes>> elements = database.list(key).range(0, -1);
    if (!elements || *elements != letters_of(trace.end)) {
        std::printf("WRONG: list %s does not end as recorded\n", name.c_str());
        std::exit(1);
    }
    std::printf("%s as a list: %zu edits, %zu elements\n", name.c_str(), edits.size(),
                elements->size());
    print("edited through commits", took, "s");
}

/// What each recorded transaction has seen: for each agent how many of its transactions.
std::vector<std::vector<std::size_t>> pasts_of(const TextTrace& trace) {
    std::vector<std::vector<std::size_t>> after;
    std::vector<std::vector<std::size_t>> pasts;
    for (const TextTrace::Txn& txn : trace.txns) {
        std::vector<std::size_t> past(trace.agents_count, 0);
        for (const std::size_t parent : txn.parents) {
            for (std::size_t i = 0; i < past.size(); ++i) {
                past[i] = std::max(past[i], after[parent][i]);
            }
        }
        pasts.push_back(past);
        ++past[txn.agent];
        after.push_back(std::move(past));
    }
    return pasts;
}

/// Writers and the messages between them. A message holds what its writer had when it was made, so
/// it is made whenever another one is to see just that, and handed over when that one does.
class Writers {
public:
    explicit Writers(const TextTrace& trace) : trace_(trace), pasts_(pasts_of(trace)) {
        for (std::uint32_t i = 0; i < trace.agents_count; ++i) {
            databases_.push_back(open("writer-" + std::to_string(i)));
            done_.push_back(0);
        }
        seen_.assign(databases_.size(), std::vector<std::size_t>(databases_.size(), 0));
        find_cuts();
        while (meet()) {
        }
        for (auto& queue : queues_) queue.second.clear();
    }

    void run() {
        std::size_t first = 0;
        for (std::size_t i = 0; i < trace_.txns.size(); ++i) {
            const std::uint32_t agent = trace_.txns[i].agent;
            deliver(agent, pasts_[i]);
            if (first == i) run_agent_ = agent;
            ++done_[agent];
            const bool last = i + 1 == trace_.txns.size();
            const bool cut = cuts_.count({agent, done_[agent]}) > 0;
            const bool go_on = !last && !cut && trace_.txns[i + 1].agent == agent &&
                               !sees_more(agent, pasts_[i + 1]) && i + 1 - first < run_max;
            if (go_on) continue;
            write(databases_[agent], trace_, first, i + 1);
            ++transactions_;
            first = i + 1;
            if (cut) send(agent);
        }
        while (meet()) {
        }
        for (const Database& database : databases_) check_end(database, trace_.end, "a writer");
    }

    [[nodiscard]] std::size_t transactions() const { return transactions_; }
    [[nodiscard]] std::size_t messages() const { return messages_; }

private:
    struct Message {
        std::size_t done;  ///< transactions of its writer when it was made
        Bytes bytes;
    };

    [[nodiscard]] bool sees_more(std::uint32_t agent, const std::vector<std::size_t>& past) const {
        for (std::size_t other = 0; other < past.size(); ++other) {
            if (other != agent && past[other] > seen_[agent][other]) return true;
        }
        return false;
    }

    void find_cuts() {
        std::vector<std::vector<std::size_t>> seen = seen_;
        for (std::size_t i = 0; i < trace_.txns.size(); ++i) {
            const std::uint32_t agent = trace_.txns[i].agent;
            for (std::uint32_t other = 0; other < databases_.size(); ++other) {
                if (other == agent || pasts_[i][other] <= seen[agent][other]) continue;
                seen[agent][other] = pasts_[i][other];
                cuts_.insert({other, pasts_[i][other]});
            }
        }
    }

    static std::string name_of(std::size_t writer) { return "writer " + std::to_string(writer); }

    void send(std::uint32_t from) {
        for (std::uint32_t to = 0; to < databases_.size(); ++to) {
            if (to == from) continue;
            while (true) {
                Result<std::optional<Bytes>> message = databases_[from].next_message(name_of(to));
                must(message ? Result<void>() : Result<void>(message.error()));
                if (!*message) break;
                ++messages_;
                queues_[{from, to}].push_back(Message{done_[from], std::move(**message)});
            }
        }
    }

    void deliver(std::uint32_t to, const std::vector<std::size_t>& past) {
        for (std::uint32_t from = 0; from < databases_.size(); ++from) {
            if (from == to || past[from] <= seen_[to][from]) continue;
            seen_[to][from] = past[from];
            std::deque<Message>& queue = queues_[{from, to}];
            while (!queue.empty() && queue.front().done <= past[from]) {
                must(databases_[to].receive(name_of(from), queue.front().bytes));
                queue.pop_front();
            }
        }
    }

    /// Hands everything over. False: there was nothing.
    bool meet() {
        for (std::uint32_t from = 0; from < databases_.size(); ++from) send(from);
        bool any = false;
        for (auto& [ends, queue] : queues_) {
            for (const Message& message : queue) {
                must(databases_[ends.second].receive(name_of(ends.first), message.bytes));
                any = true;
            }
            queue.clear();
        }
        return any;
    }

    const TextTrace& trace_;
    std::vector<std::vector<std::size_t>> pasts_;
    std::vector<Database> databases_;
    std::vector<std::size_t> done_;               // transactions of each writer
    std::vector<std::vector<std::size_t>> seen_;  // by whom, of whom
    std::set<std::pair<std::uint32_t, std::size_t>> cuts_;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::deque<Message>> queues_;
    std::uint32_t run_agent_ = 0;
    std::size_t transactions_ = 0;
    std::size_t messages_ = 0;
};

void several_writers(const std::string& name) {
    const TextTrace trace = syncline::test::load_trace("concurrent/" + name);
    Writers writers(trace);
    const double took = seconds([&] { writers.run(); });
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
    if (arguments > 3 && std::string(values[2]) == "list") {
        one_list(values[3]);
        std::filesystem::remove_all(scratch);
        return 0;
    }
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
