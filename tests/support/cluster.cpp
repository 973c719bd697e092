#include "tests/support/cluster.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace syncline {
namespace {

[[noreturn]] void give_up(const std::string& why) {
    std::fprintf(stderr, "test cluster: %s\n", why.c_str());
    std::abort();
}

template <typename T>
T must(Result<T> result) {
    if (!result) give_up(result.error().message);
    return std::move(result).value();
}

void must(const Result<void>& result) {
    if (!result) give_up(result.error().message);
}

}  // namespace

ScratchDirectory::ScratchDirectory() {
    // In memory where there is such a place: these tests are about logic, and sync a lot.
    const std::filesystem::path memory = "/dev/shm";
    const bool writable = ::access(memory.c_str(), W_OK) == 0;
    const auto parent = writable ? memory : std::filesystem::temp_directory_path();
    std::string pattern = (parent / "syncline-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) give_up("cannot make a scratch directory");
    path_ = pattern;
}

ScratchDirectory::~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

// --- TestReplica

TestReplica::TestReplica(const std::filesystem::path& directory, const Uuid& cluster,
                         ManualClock& clock, const std::function<void(ReplicaOptions&)>& adjust)
    : directory_(directory), clock_(clock) {
    std::filesystem::create_directories(directory_);
    const std::unique_ptr<Disk> disk = must(open_posix_disk(directory_.string()));
    options_.identity = must(load_identity(*disk, random_));
    options_.identity.cluster = cluster;
    if (adjust) adjust(options_);
    restart();
}

void TestReplica::restart(const Between& between) {
    must(try_restart(between));
}

Result<void> TestReplica::try_restart(const Between& between) {
    replica_.reset();
    disk_.reset();
    base_.reset();
    if (between) between(directory_);
    SYNCLINE_TRY(base_, open_lmdb_base((directory_ / "base").string(), LmdbOptions{1ULL << 30}));
    SYNCLINE_TRY(disk_, open_posix_disk((directory_ / "log").string()));
    SYNCLINE_TRY(replica_, Replica::open(options_, Env{clock_, random_}, *disk_, *base_));
    return {};
}

void TestReplica::run(const std::function<Result<void>(Transaction&)>& operation) {
    must(try_run(operation));
}

Result<void> TestReplica::try_run(const std::function<Result<void>(Transaction&)>& operation) {
    Client client{1, 0};
    const Replica::Operation whole = [&](Transaction& txn) -> Result<Bytes> {
        SYNCLINE_CHECK(operation(txn));
        return Bytes("done");
    };
    SYNCLINE_CHECK(replica_->execute(client, whole));
    settle();
    return {};
}

void TestReplica::settle() {
    for (bool busy = true; busy;) {
        busy = false;
        if (std::optional<Log::Flush> flush = replica_->begin_flush()) {
            must(flush->write());
            must(flush->sync());
            replica_->finish_flush(*flush, {});
            busy = true;
        }
        if (may_checkpoint && !may_checkpoint()) continue;
        if (std::optional<Store::Checkpoint> checkpoint = replica_->begin_checkpoint()) {
            replica_->finish_checkpoint(checkpoint->commit());
            busy = true;
        }
    }
    if (replica_->failure()) give_up(replica_->failure()->message);
}

void TestReplica::set(BytesView key, BytesView value) {
    run([&](Transaction& txn) { return operations::string_set(txn, key, Bytes(value)); });
}

void TestReplica::add(BytesView key, BytesView member) {
    run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::set_add(txn, key, member));
        return {};
    });
}

void TestReplica::increment(BytesView key, std::int64_t amount) {
    run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::string_increment(txn, key, amount));
        return {};
    });
}

std::optional<Bytes> TestReplica::get(BytesView key) {
    return must(try_get(key));
}

Result<std::optional<Bytes>> TestReplica::try_get(BytesView key) {
    Transaction txn(replica_->group(), replica_->actor(), clock_.now_ms);
    return operations::string_get(txn, key);
}

std::vector<Bytes> TestReplica::members(BytesView key) {
    Transaction txn(replica_->group(), replica_->actor(), clock_.now_ms);
    std::vector<Bytes> members = must(operations::set_members(txn, key));
    std::sort(members.begin(), members.end());
    return members;
}

// --- TestCluster

TestCluster::TestCluster(std::size_t count, const std::function<void(ReplicaOptions&)>& adjust)
    : cluster_(random_uuid(random_)), adjust_(adjust) {
    for (std::size_t i = 0; i < count; ++i) add(scratch_.path() / std::to_string(i));
}

std::size_t TestCluster::add(const std::filesystem::path& directory) {
    replicas_.push_back(std::make_unique<TestReplica>(directory, cluster_, clock_, adjust_));
    return replicas_.size() - 1;
}

void TestCluster::remove(std::size_t index) {
    isolate(index);
    replicas_.erase(replicas_.begin() + static_cast<std::ptrdiff_t>(index));
    for (auto& [link, wire] : wires_) {
        if (wire.a > index) --wire.a;
        if (wire.b > index) --wire.b;
    }
}

void TestCluster::connect(std::size_t a, std::size_t b) {
    const LinkId link = next_link_++;
    wires_[link] = Wire{a, b};
    at(a)->link_up(link, at(b)->identity().node);
    at(b)->link_up(link, at(a)->identity().node);
}

void TestCluster::disconnect(std::size_t a, std::size_t b) {
    for (auto it = wires_.begin(); it != wires_.end();) {
        const auto [link, wire] = *it;
        const bool hit = (wire.a == a && wire.b == b) || (wire.a == b && wire.b == a);
        if (hit) {
            at(a)->link_down(link);
            at(b)->link_down(link);
        }
        it = hit ? wires_.erase(it) : std::next(it);
    }
}

void TestCluster::isolate(std::size_t index) {
    for (std::size_t other = 0; other < replicas_.size(); ++other) {
        if (other != index) disconnect(index, other);
    }
}

void TestCluster::restart(std::size_t index, const TestReplica::Between& between) {
    isolate(index);
    at(index).restart(between);
}

void TestCluster::pump(std::uint64_t ms) {
    for (const std::uint64_t end = clock_.now_ms + ms; clock_.now_ms < end;) {
        bool quiet = true;
        for (std::size_t i = 0; i < replicas_.size(); ++i) {
            at(i).settle();
            for (const Publication& publication : at(i)->take_publications()) {
                if (on_publication) on_publication(i, publication);
            }
            Committed out = at(i)->committed();
            for (auto& [link, error] : out.closed) closed.push_back(error);
            for (const Reply& reply : out.replies) {
                if (on_reply) on_reply(i, reply);
            }
            for (Outgoing& message : out.messages) {
                const auto wire = wires_.find(message.link);
                if (wire == wires_.end()) continue;
                const std::size_t to = wire->second.a == i ? wire->second.b : wire->second.a;
                if (filter && !filter(i, to, message.type, message.payload)) continue;
                payload_bytes += message.payload.size();
                at(to)->receive(message.link, message.type, message.payload);
                quiet = false;
            }
        }
        if (!quiet) continue;
        clock_.now_ms += std::min<std::uint64_t>(50, end - clock_.now_ms);
        for (const auto& replica : replicas_) replica->replica().tick();
    }
}

void TestCluster::pass(std::uint64_t ms) {
    clock_.now_ms += ms;
    for (const auto& replica : replicas_) replica->replica().tick();
}

std::string TestCluster::difference(bool alarms_count) {
    for (const Error& error : closed) return "a link was closed: " + error.message;
    const Group& first = at(0)->group();
    for (std::size_t i = 0; i < replicas_.size(); ++i) {
        Group& group = at(i)->group();
        const std::string who = "replica " + std::to_string(i) + ": ";
        if (const Result<void> sound = group.check(); !sound) return who + sound.error().message;
        if (group.vv() != first.vv()) {
            return who + "has seen " + to_string(group.vv()) + ", not " + to_string(first.vv());
        }
        if (!(group.leaf_sums().root() == first.leaf_sums().root())) return who + "other rows";
        const ReplicaStats& stats = at(i)->stats();
        if (alarms_count && stats.divergence_alarms > 0) return who + "raised a divergence alarm";
        if (stats.causality_errors > 0) return who + "was sent events out of order";
    }
    return {};
}

}  // namespace syncline
