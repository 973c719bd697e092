#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "core/engine/data_directory.hpp"
#include "tests/support/cluster.hpp"

namespace syncline::flip {

/// What a client is told of each key: its type and its whole content as text, or an error.
using Answers = std::map<Bytes, Result<Bytes>>;

/// A replica on a data directory, with its storage jobs done by hand.
class Subject {
public:
    /// Errors: those of opening a data directory and its replica.
    static Result<std::unique_ptr<Subject>> open(const std::filesystem::path& directory);

    Answers read_all();
    Result<void> write(BytesView key, BytesView value);
    /// Flushes what waits and makes a checkpoint.
    Result<void> checkpoint();
    Replica& replica() { return *replica_; }

private:
    Result<void> run(const std::function<Result<void>(Transaction&)>& operation);
    Result<void> run_jobs();

    ManualClock clock_;
    SystemRandom random_;
    DataDirectory data_;
    std::unique_ptr<Replica> replica_;

    friend Answers build(const std::filesystem::path& directory);
};

/// Makes a data directory with keys of every type: some in old checkpoints, some in the last one,
/// the latest in the log alone. Ends the process when that fails. The answers as they were before
/// the last flush: damage in that one looks like a write that was cut off, and cannot be told
/// from it (storage/README.md).
Answers build(const std::filesystem::path& directory);

/// One of the rounds in which build() writes: round 0 makes all keys, later ones change some.
Result<void> write_round(Transaction& txn, int round, std::uint64_t deadline_ms);
constexpr int rounds_count = 4;

/// What a client is told of a key.
Result<Bytes> read_key(Transaction& txn, BytesView key);

/// Names of all keys that build() makes, and of some that it does not.
std::vector<Bytes> all_keys();

}  // namespace syncline::flip
