#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "core/engine/operations.hpp"
#include "core/engine/replica.hpp"
#include "storage/disk.hpp"
#include "storage/lmdb.hpp"

namespace syncline {

/// A directory that is gone when the test is.
class ScratchDirectory {
public:
    ScratchDirectory();
    ~ScratchDirectory();
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// A clock that stands still unless told to go on.
class ManualClock final : public Clock {
public:
    std::uint64_t wall_ms() override { return now_ms; }
    std::uint64_t steady_ms() override { return now_ms; }
    std::uint64_t now_ms = 1'700'000'000'000;
};

/// One production replica on LMDB and real files, in a scratch directory, whose storage jobs run at
/// once when asked to.
class TestReplica {
public:
    TestReplica(const std::filesystem::path& directory, const Uuid& cluster, ManualClock& clock,
                const std::function<void(ReplicaOptions&)>& adjust = {});

    /// Runs an operation as one transaction and makes it durable.
    void run(const std::function<Result<void>(Transaction&)>& operation);
    void set(BytesView key, BytesView value);
    void add(BytesView key, BytesView member);
    void increment(BytesView key, std::int64_t amount);
    std::optional<Bytes> get(BytesView key);
    std::vector<Bytes> members(BytesView key);

    /// Flush and checkpoint until nothing waits.
    void settle();
    /// False: settle() begins no checkpoint now.
    std::function<bool()> may_checkpoint;
    /// Drops everything in memory, lets somebody do something to the directory, and recovers from
    /// disk.
    using Between = std::function<void(const std::filesystem::path& directory)>;
    void restart(const Between& between = {});
    /// The same, for directories that may be refused; then there is no replica until the next try.
    Result<void> try_restart(const Between& between);
    /// What a read is told, errors included.
    Result<std::optional<Bytes>> try_get(BytesView key);
    /// Runs an operation as run() does, if it is not refused.
    Result<void> try_run(const std::function<Result<void>(Transaction&)>& operation);

    [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
    Replica& replica() { return *replica_; }
    Replica* operator->() { return replica_.get(); }

private:
    std::filesystem::path directory_;
    ManualClock& clock_;
    SystemRandom random_;
    ReplicaOptions options_;
    std::unique_ptr<Base> base_;
    std::unique_ptr<Disk> disk_;
    std::unique_ptr<Replica> replica_;
};

/// Several of them with links that lose nothing, pumped by hand.
class TestCluster {
public:
    explicit TestCluster(std::size_t count,
                         const std::function<void(ReplicaOptions&)>& adjust = {});

    TestReplica& at(std::size_t index) { return *replicas_[index]; }
    /// One more, of a data directory that is there already or is made. Its place.
    std::size_t add(const std::filesystem::path& directory);
    /// Ends one and takes it out; the places of those behind it become one less.
    void remove(std::size_t index);
    [[nodiscard]] const std::filesystem::path& directory() const { return scratch_.path(); }
    [[nodiscard]] Env env() { return Env{clock_, random_}; }
    void connect(std::size_t a, std::size_t b);
    void disconnect(std::size_t a, std::size_t b);
    /// From all others.
    void isolate(std::size_t index);
    void restart(std::size_t index, const TestReplica::Between& between = {});
    /// Delivers messages and lets time pass for so long.
    void pump(std::uint64_t ms = 3000);
    /// Lets time pass at one stroke: nothing happens meanwhile, and then one tick.
    void pass(std::uint64_t ms);
    [[nodiscard]] std::uint64_t now_ms() const { return clock_.now_ms; }
    /// Why the replicas are not all alike and sound: empty when every one holds the same events and
    /// rows, the rows are what the sums say, and nobody raised an alarm.
    std::string difference() { return difference(true); }
    /// The same; alarms may have been raised, unless they count.
    std::string difference(bool alarms_count);

    std::vector<Error> closed;  ///< reasons of links that replicas wanted closed
    /// Sees each frame before it is delivered; false drops it.
    std::function<bool(std::size_t from, std::size_t to, std::uint8_t type, Bytes& payload)> filter;
    /// Sees each reply as it leaves.
    std::function<void(std::size_t from, const Reply& reply)> on_reply;
    /// Sees each publication that comes out at a replica.
    std::function<void(std::size_t at, const Publication& publication)> on_publication;
    std::uint64_t payload_bytes = 0;

private:
    struct Wire {
        std::size_t a, b;
    };

    ScratchDirectory scratch_;
    ManualClock clock_;
    SystemRandom random_;
    Uuid cluster_;
    std::function<void(ReplicaOptions&)> adjust_;
    std::vector<std::unique_ptr<TestReplica>> replicas_;
    std::map<LinkId, Wire> wires_;
    LinkId next_link_ = 1;
};

}  // namespace syncline
