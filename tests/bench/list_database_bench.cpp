/// Recorded texts as lists, an element for each letter, through the embedded database.
/// One writer: every edit by its index, and the list must end as recorded.
/// Several writers: a text beside the list in each database says in front of which letter an edit
/// was made, the list takes it there. They must end equal and with the recorded letters, and the
/// program counts those that stand elsewhere: see several_writers().
/// Run in the project's folder: build/release/tests/bench_list_database [DIRECTORY [NAME...]]
/// NAME: "sequential/..." or "concurrent/...", as under tests/data/editing-traces; none: all.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/database.hpp"
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
using syncline::test::TraceWriters;

constexpr BytesView list_key = "l";
constexpr BytesView text_key = "t";
constexpr std::size_t together = 10;         // recorded transactions in one of ours
constexpr std::size_t edits_together = 100;  // of one writer

std::filesystem::path scratch;

[[noreturn]] void fail(const std::string& name, const char* what) {
    std::printf("WRONG: %s %s\n", name.c_str(), what);
    std::exit(1);
}

Database open(const std::string& name) {
    return syncline::test::open_database(scratch / name);
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

std::vector<Bytes> elements_of(const Database& database) {
    const Result<std::vector<Bytes>> elements = database.list(list_key).range(0, -1);
    or_throw(elements ? Result<void>() : Result<void>(elements.error()));
    return *elements;
}

Result<void> remove(const syncline::ListHandle& list, std::int64_t index) {
    SYNCLINE_TRY(const bool there, list.remove(index));
    if (there) return {};
    return syncline::Error{syncline::Code::corrupt, "an element is missing"};
}

/// One element put in, or taken out.
struct Edit {
    std::int64_t index;
    std::optional<Bytes> put;
};

std::vector<Edit> edits_of(const TextTrace& trace) {
    std::vector<Edit> edits;
    for (const TextTrace::Txn& txn : trace.txns) {
        for (const TextTrace::Patch& patch : txn.patches) {
            auto index = static_cast<std::int64_t>(patch.position);
            edits.insert(edits.end(), patch.erased, Edit{index, std::nullopt});
            for (Bytes& letter : letters_of(patch.inserted)) {
                edits.push_back(Edit{index++, std::move(letter)});
            }
        }
    }
    return edits;
}

Result<void> make(const syncline::ListHandle& list, const Edit& edit) {
    return edit.put ? list.insert(edit.index, *edit.put) : remove(list, edit.index);
}

template <typename Run>
void timed(const Run& run) {
    const auto start = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::printf("  took %.2f s\n", took.count());
    std::fflush(stdout);
}

void one_writer(const std::string& name) {
    const TextTrace trace = syncline::test::load_trace(name);
    const std::vector<Edit> edits = edits_of(trace);
    std::printf("%s: %zu recorded transactions, %zu elements put in or taken out\n", name.c_str(),
                trace.txns.size(), edits.size());
    const Database database = open("list");
    timed([&] {
        for (std::size_t i = 0; i < edits.size(); i += edits_together) {
            or_throw(database.batch([&](Batch& batch) -> Result<void> {
                const syncline::ListHandle list = batch.list(list_key);
                for (std::size_t at = i; at < std::min(edits.size(), i + edits_together); ++at) {
                    SYNCLINE_CHECK(make(list, edits[at]));
                }
                return {};
            }));
            if (i % 100000 == 0) std::printf("  %zu done\n", i);
            std::fflush(stdout);
        }
    });
    const std::vector<Bytes> elements = elements_of(database);
    if (elements != letters_of(trace.end)) fail(name, "does not end as recorded");
    std::printf("  %zu elements, as recorded\n", elements.size());
}

/// Every letter as one that stands nowhere else, and back.
class UniqueLetters {
public:
    /// The code point of the n-th letter, in UTF-8 of four bytes.
    Bytes add(Bytes letter) {
        const auto code = static_cast<std::uint32_t>(0x10000 + letters_.size());
        Bytes unique(4, '\0');
        for (std::size_t i = 0; i < 4; ++i) {
            const std::uint32_t bits = code >> (6 * (3 - i));
            unique[i] = static_cast<char>(i == 0 ? 0xf0U | (bits & 0x7U) : 0x80U | (bits & 0x3fU));
        }
        letters_.emplace(unique, std::move(letter));
        return unique;
    }

    [[nodiscard]] const Bytes& letter(const Bytes& unique) const { return letters_.at(unique); }

private:
    std::unordered_map<Bytes, Bytes> letters_;
};

/// One of several writers: a list, what it holds, and the text that tells where edits belong.
class ListWriter {
public:
    explicit ListWriter(const Database& database) : database_(database) {}

    void write(std::span<const TextTrace::Txn> txns, UniqueLetters& letters) {
        elements_ = elements_of(database_);
        or_throw(database_.batch([&](Batch& batch) -> Result<void> {
            for (const TextTrace::Txn& txn : txns) {
                for (const TextTrace::Patch& patch : txn.patches) {
                    SYNCLINE_CHECK(edit(batch, patch, letters));
                }
            }
            return {};
        }));
    }

private:
    using Index = std::vector<Bytes>::difference_type;

    Result<void> edit(const Batch& batch, const TextTrace::Patch& patch, UniqueLetters& letters) {
        for (std::uint64_t i = 0; i < patch.erased; ++i) {
            SYNCLINE_TRY(const Index index, index_of(batch, patch.position));
            SYNCLINE_CHECK(batch.text(text_key).erase(patch.position, 1));
            SYNCLINE_CHECK(remove(batch.list(list_key), index));
            elements_.erase(elements_.begin() + index);
        }
        if (patch.inserted.empty()) return {};
        Index index = 0;
        if (patch.position > 0) {
            SYNCLINE_TRY(const Index left, index_of(batch, patch.position - 1));
            index = left + 1;
        }
        Bytes inserted;
        for (Bytes& letter : letters_of(patch.inserted)) {
            const Bytes unique = letters.add(std::move(letter));
            SYNCLINE_CHECK(batch.list(list_key).insert(index, unique));
            elements_.insert(elements_.begin() + index, unique);
            inserted += unique;
            ++index;
        }
        SYNCLINE_CHECK(batch.text(text_key).insert(patch.position, inserted));
        return {};
    }

    /// Where the letter at a place in the text stands in the list.
    Result<Index> index_of(const Batch& batch, std::uint64_t position) {
        SYNCLINE_TRY(const Bytes letter, batch.text(text_key).get(position, 1));
        const auto found = std::find(elements_.begin(), elements_.end(), letter);
        if (found == elements_.end()) {
            return syncline::Error{syncline::Code::corrupt, "the list lacks a letter of the text"};
        }
        return found - elements_.begin();
    }

    const Database& database_;
    std::vector<Bytes> elements_;
};

/// How many of the letters must move for one order to become the other.
std::size_t displaced(const std::vector<Bytes>& elements, const std::vector<Bytes>& text) {
    std::unordered_map<Bytes, std::size_t> places;
    for (const Bytes& letter : text) places.emplace(letter, places.size());
    std::vector<std::size_t> tails;  // the least last place of each length of a rising sequence
    for (const Bytes& element : elements) {
        const std::size_t place = places.at(element);
        const auto tail = std::lower_bound(tails.begin(), tails.end(), place);
        if (tail == tails.end()) {
            tails.push_back(place);
        } else {
            *tail = place;
        }
    }
    return elements.size() - tails.size();
}

/// A text remembers where an erased letter stood, a list does not: what one puts in behind a letter
/// and another, who has erased that letter, in front of what follows it, is put at the same place
/// of the list, in the order of the writers. In the record of friendsforever that happens once, in
/// transactions 22360 to 22368: one types " The" behind a full stop, the other erases the full stop
/// and types ", hu".
void several_writers(const std::string& name) {
    const TextTrace trace = syncline::test::load_trace(name);
    std::printf("%s: %u writers, %zu recorded transactions\n", name.c_str(), trace.agents_count,
                trace.txns.size());
    std::vector<Database> databases;
    std::vector<ListWriter> lists;
    databases.reserve(trace.agents_count);
    for (std::uint32_t i = 0; i < trace.agents_count; ++i) {
        databases.push_back(open("writer-" + std::to_string(i)));
        lists.emplace_back(databases.back());
    }
    UniqueLetters letters;
    const std::span<const TextTrace::Txn> txns(trace.txns);
    TraceWriters writers(trace, databases, together,
                         [&](std::uint32_t agent, std::size_t first, std::size_t end) {
                             lists[agent].write(txns.subspan(first, end - first), letters);
                         });
    timed([&] { writers.run(); });
    const std::vector<Bytes> elements = elements_of(databases.front());
    const Result<std::optional<Bytes>> text = databases.front().text(text_key).get();
    if (!text || !*text) fail(name, "has no text");
    const std::vector<Bytes> recorded = letters_of(**text);
    std::string end;
    for (const Bytes& letter : recorded) end += letters.letter(letter);
    if (end != trace.end) fail(name, "does not end as recorded as a text");
    if (std::multiset<Bytes>(elements.begin(), elements.end()) !=
        std::multiset<Bytes>(recorded.begin(), recorded.end())) {
        fail(name, "does not end with the recorded letters");
    }
    for (const Database& database : databases) {
        if (elements_of(database) != elements) fail(name, "ends in different lists");
    }
    std::printf("  %zu elements, equal everywhere; %zu stand elsewhere than in the text\n",
                elements.size(), displaced(elements, recorded));
}

}  // namespace

int main(int arguments, char** values) {
    const std::filesystem::path base =
        arguments > 1 ? std::filesystem::path(values[1]) : std::filesystem::temp_directory_path();
    scratch = base / "syncline-list-bench";
    std::vector<std::string> names(values + std::min(arguments, 2), values + arguments);
    if (names.empty()) {
        names = {"concurrent/clownschool",         "concurrent/friendsforever",
                 "sequential/clownschool_flat",    "sequential/friendsforever_flat",
                 "sequential/json-crdt-blog-post", "sequential/json-crdt-patch",
                 "sequential/sveltecomponent",     "sequential/rustcode",
                 "sequential/seph-blog1",          "sequential/automerge-paper"};
    }
    for (const std::string& name : names) {
        std::filesystem::remove_all(scratch);
        if (name.starts_with("concurrent/")) {
            several_writers(name);
        } else {
            one_writer(name);
        }
    }
    std::filesystem::remove_all(scratch);
    return 0;
}
