/// What kill_test.py has a look with: opens a data directory that nobody runs, as a start does, and
/// checks all of it. Usage: audit DIRECTORY < promises. A promise is a line with tabs:
///
///   member SET MEMBER         the set has the member
///   key KEY LEAST MOST        the string is a number from LEAST to MOST
///   counter KEY LEAST         the counter is LEAST or more
///
/// Exit code 0: leaf sums, counts and derived rows are those of the rows, and promises are kept.
#include <charconv>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "core/base/log.hpp"
#include "core/engine/data_directory.hpp"
#include "core/engine/operations.hpp"

namespace syncline {
namespace {

using Words = std::vector<std::string>;

Words split(const std::string& line) {
    Words words(1);
    for (const char byte : line) {
        if (byte == '\t') {
            words.emplace_back();
        } else {
            words.back() += byte;
        }
    }
    return words;
}

Result<std::int64_t> number_in(BytesView text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) return number;
    return Error{Code::corrupt, "'" + Bytes(text) + "' is no number"};
}

Result<bool> is_kept(Transaction& txn, const Words& words) {
    if (words.size() == 3 && words[0] == "member") {
        return operations::set_contains(txn, words[1], words[2]);
    }
    const bool key = words.size() == 4 && words[0] == "key";
    if (!key && (words.size() != 3 || words[0] != "counter")) {
        return Error{Code::invalid_argument, "no promise: " + words[0]};
    }
    SYNCLINE_TRY(const std::optional<Bytes> found, operations::string_get(txn, words[1]));
    SYNCLINE_TRY(const std::int64_t least, number_in(words[2]));
    SYNCLINE_TRY(const std::int64_t most, number_in(key ? words[3] : words[2]));
    if (!found) return least == 0 && !key;
    SYNCLINE_TRY(const std::int64_t number, number_in(*found));
    return least <= number && (!key || number <= most);
}

/// Ends as a killed process does: the next start finds what this one found.
Result<void> audit(const std::string& path) {
    SystemClock clock;
    SystemRandom random;
    SYNCLINE_TRY(DataDirectory data, DataDirectory::open(path, random));
    SYNCLINE_TRY(const std::unique_ptr<Replica> replica,
                 data.open_replica(ReplicaOptions(), Env{clock, random}));
    SYNCLINE_CHECK(replica->group().check());
    Transaction txn(replica->group(), replica->actor(), clock.wall_ms());
    std::size_t promises = 0;
    for (std::string line; std::getline(std::cin, line); ++promises) {
        SYNCLINE_TRY(const bool kept, is_kept(txn, split(line)));
        if (!kept) return Error{Code::corrupt, "was acknowledged and is not there: " + line};
    }
    std::printf("%zu promises kept, %llu rows, %llu keys\n", promises,
                static_cast<unsigned long long>(replica->group().leaf_sums().root().count),
                static_cast<unsigned long long>(replica->group().keys_count()));
    return {};
}

}  // namespace
}  // namespace syncline

int main(int argc, char** argv) {
    using namespace syncline;
    if (argc != 2) {
        std::fprintf(stderr, "usage: audit DIRECTORY < promises\n");
        return 2;
    }
    configure_log(LogLevel::error, LogFormat::text, "audit");
    const Result<void> done = audit(argv[1]);
    if (!done) std::printf("%s\n", done.error().message.c_str());
    return done ? 0 : 1;
}
