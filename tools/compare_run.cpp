#include "tools/compare_run.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "tools/reply.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t command_ms_max = 10000;
constexpr std::uint64_t settle_ms_max = 20000;
constexpr std::uint64_t slice_ms = 100;
/// Between the cut and the death of the killed replica, and between that and the promotion.
constexpr std::uint64_t step_ms = 500;
constexpr std::size_t killed = 0;
constexpr std::size_t promoted = 1;
constexpr std::size_t cut_off = 2;  // where a partition cuts

using Vector = std::map<Bytes, std::int64_t>;  // version vector, by actor

bool covers(const Vector& big, const Vector& small) {
    return std::all_of(small.begin(), small.end(), [&](const auto& entry) {
        const auto found = big.find(entry.first);
        return found != big.end() && found->second >= entry.second;
    });
}

bool is_unconfirmed(const std::string& answer) {
    return answer.find("NOREPLICAS") != std::string::npos;
}

/// One case on its way: the processes, the clients, the script.
class CaseRun {
public:
    CaseRun(const CompareCase& of, std::unique_ptr<LocalCluster> cluster)
        : of_(of), cluster_(std::move(cluster)) {
        routing_.single_writer = of.mode.single_writer;
    }

    Result<CompareResult> run();

private:
    Result<RespValue> command(std::size_t node, const std::vector<Bytes>& arguments);
    Result<Vector> vector_of(std::size_t node);
    Result<std::string> root_of(std::size_t node);
    Result<std::uint64_t> bytes_out(std::size_t node);
    Result<void> set_links(std::size_t node, bool up);
    Result<void> wait_linked();
    Result<std::uint64_t> wait_converged(std::size_t first);
    Result<void> wait_equal();
    void wait_until(std::uint64_t ms) const;
    Result<void> script_partition();
    Result<void> script_kill();
    Result<void> come_back();
    void measure();

    CompareCase of_;
    std::unique_ptr<LocalCluster> cluster_;
    Routing routing_;
    std::vector<std::unique_ptr<LoadClient>> clients_;
    std::map<std::string, Ledger> ledgers_;
    CompareResult result_;
    std::uint64_t start_us_ = 0;
    bool patient_ = false;  // waits until backups have confirmed what a command reads
};

Result<RespValue> CaseRun::command(std::size_t node, const std::vector<Bytes>& arguments) {
    SYNCLINE_TRY(RespClient client, cluster_->connect(node, command_ms_max));
    SYNCLINE_TRY(RespValue reply, client.command(arguments));
    for (const std::uint64_t start = steady_ms();
         patient_ && is_unconfirmed(reply.text) && steady_ms() - start < settle_ms_max;) {
        SYNCLINE_TRY(reply, client.command(arguments));
    }
    if (!reply.is_error()) return reply;
    return Error{Code::unavailable,
                 cluster_->nodes()[node].name + " answers " + arguments[0] + ": " + reply.text};
}

Result<Vector> CaseRun::vector_of(std::size_t node) {
    SYNCLINE_TRY(const RespValue clock, command(node, {"CRDT.CLOCK"}));
    const RespValue* const vv = reply_field(clock, "vv");
    if (vv == nullptr) return Error{Code::corrupt, "CRDT.CLOCK has no version vector"};
    Vector vector;
    for (std::size_t i = 0; i + 1 < vv->elements.size(); i += 2) {
        vector[vv->elements[i].text] = vv->elements[i + 1].integer;
    }
    return vector;
}

Result<std::string> CaseRun::root_of(std::size_t node) {
    SYNCLINE_TRY(const RespValue clock, command(node, {"CRDT.CLOCK"}));
    const RespValue* const root = reply_field(clock, "root");
    if (root == nullptr) return Error{Code::corrupt, "CRDT.CLOCK has no root"};
    return root->text;
}

Result<std::uint64_t> CaseRun::bytes_out(std::size_t node) {
    SYNCLINE_TRY(const RespValue peers, command(node, {"CRDT.PEERS"}));
    std::uint64_t bytes = 0;
    for (const RespValue& peer : peers.elements) {
        if (const RespValue* const sent = reply_field(peer, "bytes_out")) {
            bytes += static_cast<std::uint64_t>(sent->integer);
        }
    }
    return bytes;
}

/// Both ends of all links of a node.
Result<void> CaseRun::set_links(std::size_t node, bool up) {
    const Bytes state = up ? "up" : "down";
    for (std::size_t other = 0; other < compare_replicas; ++other) {
        if (other == node) continue;
        SYNCLINE_CHECK(command(other, {"CRDT.LINK", cluster_->nodes()[node].name, state}));
        SYNCLINE_CHECK(command(node, {"CRDT.LINK", cluster_->nodes()[other].name, state}));
    }
    return {};
}

/// Every replica has a link to both others, over which it has heard of them.
Result<void> CaseRun::wait_linked() {
    for (const std::uint64_t start = steady_ms(); steady_ms() - start < settle_ms_max;
         sleep_ms(10)) {
        std::size_t linked = 0;
        for (std::size_t node = 0; node < compare_replicas; ++node) {
            SYNCLINE_TRY(const RespValue peers, command(node, {"CRDT.PEERS"}));
            for (const RespValue& peer : peers.elements) {
                const RespValue* const ready = reply_field(peer, "ready");
                if (ready != nullptr && ready->integer == 1) ++linked;
            }
        }
        if (linked == compare_replicas * (compare_replicas - 1)) return {};
    }
    return Error{Code::unavailable, "the replicas do not find each other"};
}

/// Milliseconds until the replicas from `first` on have all that any of them has now.
Result<std::uint64_t> CaseRun::wait_converged(std::size_t first) {
    const std::uint64_t start = steady_ms();
    Vector all;
    for (std::size_t node = first; node < compare_replicas; ++node) {
        SYNCLINE_TRY(const Vector vector, vector_of(node));
        for (const auto& [actor, counter] : vector) {
            all[actor] = std::max(all[actor], counter);
        }
    }
    for (std::size_t node = first; node < compare_replicas; ++node) {
        while (true) {
            SYNCLINE_TRY(const Vector vector, vector_of(node));
            if (covers(vector, all)) break;
            if (steady_ms() - start > settle_ms_max) {
                return Error{Code::unavailable,
                             cluster_->nodes()[node].name + " does not catch up"};
            }
            sleep_ms(2);
        }
    }
    return steady_ms() - start;
}

/// After the load: what is on its way arrives, then all roots are the same.
Result<void> CaseRun::wait_equal() {
    for (const std::uint64_t start = steady_ms(); steady_ms() - start < settle_ms_max;
         sleep_ms(10)) {
        SYNCLINE_TRY(const std::string root, root_of(0));
        result_.equal = true;
        for (std::size_t node = 1; node < compare_replicas; ++node) {
            SYNCLINE_TRY(const std::string other, root_of(node));
            result_.equal = result_.equal && other == root;
        }
        if (result_.equal) return {};
    }
    return {};  // the result says it
}

/// Until so long after the beginning of the load.
void CaseRun::wait_until(std::uint64_t ms) const {
    const std::uint64_t now = (steady_us() - start_us_) / 1000;
    if (now < ms) sleep_ms(ms - now);
}

Result<void> CaseRun::script_partition() {
    wait_until(of_.ms / 3);
    SYNCLINE_CHECK(set_links(cut_off, false));
    routing_.isolated = cut_off;
    wait_until(of_.ms * 2 / 3);
    SYNCLINE_CHECK(set_links(cut_off, true));
    routing_.isolated = Routing::none;
    SYNCLINE_TRY(result_.converge_ms, wait_converged(0));
    wait_until(of_.ms);
    return {};
}

Result<void> CaseRun::script_kill() {
    wait_until(of_.ms / 3);
    SYNCLINE_CHECK(set_links(killed, false));
    wait_until(of_.ms / 3 + step_ms);
    SYNCLINE_TRY(result_.wire_bytes, bytes_out(killed));
    cluster_->kill_node(killed);
    wait_until(of_.ms / 3 + 2 * step_ms);
    if (of_.mode.single_writer) {
        SYNCLINE_CHECK(command(promoted, {"CRDT.PROMOTE"}));
        routing_.primary = promoted;
    }
    routing_.dead = killed;
    wait_until(of_.ms);
    return {};
}

/// The killed replica, after the load: first what the others lack without it. They are asked at c:
/// where all backups must confirm, b tells nothing that a has not confirmed.
Result<void> CaseRun::come_back() {
    const Result<std::uint64_t> caught_up = wait_converged(promoted);
    if (!caught_up && !is_unconfirmed(caught_up.error().message)) return caught_up.error();
    SYNCLINE_TRY(const Missing missing, find_missing(*cluster_, cut_off, of_.workload, ledgers_));
    result_.missing_without_a = missing.writes;
    patient_ = true;
    SYNCLINE_CHECK(cluster_->start_node(killed));
    // It has forgotten that its links were cut; the others have not.
    for (const std::size_t other : {promoted, cut_off}) {
        SYNCLINE_CHECK(command(other, {"CRDT.LINK", cluster_->nodes()[killed].name, "up"}));
    }
    return {};
}

Latency latency_of(const std::vector<Sample>& samples, bool write) {
    std::vector<std::uint32_t> sorted;
    for (const Sample& sample : samples) {
        if (sample.ok && sample.write == write) sorted.push_back(sample.latency_us);
    }
    if (sorted.empty()) return {};
    std::sort(sorted.begin(), sorted.end());
    const auto at = [&](double share) {
        const auto index = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
        return static_cast<double>(sorted[index]) / 1000;
    };
    return {at(0.5), at(0.95), at(0.99), at(1)};
}

/// Clients that had an operation answered, by slice; groups: reads, writes, writes at c.
class Slices {
public:
    explicit Slices(std::uint64_t ms) : slices_(ms / slice_ms) {}

    /// The samples of one client.
    void add(const std::vector<Sample>& samples, bool isolated) {
        std::vector<bool> reads(slices_.size());
        std::vector<bool> writes(slices_.size());
        for (const Sample& sample : samples) {
            const std::size_t slice = sample.end_us / 1000 / slice_ms;
            if (!sample.ok || slice >= slices_.size()) continue;
            (sample.write ? writes : reads)[slice] = true;
        }
        for (std::size_t i = 0; i < slices_.size(); ++i) {
            slices_[i].reads += reads[i] ? 1 : 0;
            (isolated ? slices_[i].isolated : slices_[i].others) += writes[i] ? 1 : 0;
        }
        (isolated ? isolated_ : others_) += 1;
    }

    [[nodiscard]] std::vector<AvailabilityPoint> points() const {
        std::vector<AvailabilityPoint> points;
        for (std::size_t i = 0; i < slices_.size(); ++i) {
            const Slice& slice = slices_[i];
            points.push_back({i * slice_ms, (slice.isolated + slice.others) / (isolated_ + others_),
                              slice.reads / (isolated_ + others_), slice.isolated / isolated_,
                              slice.others / others_});
        }
        return points;
    }

private:
    struct Slice {
        double reads = 0;
        double isolated = 0;
        double others = 0;
    };
    std::vector<Slice> slices_;
    double isolated_ = 0;
    double others_ = 0;
};

void CaseRun::measure() {
    std::vector<Sample> samples;
    Slices slices(of_.ms);
    for (std::size_t i = 0; i < clients_.size(); ++i) {
        const std::vector<Sample>& of_client = clients_[i]->samples();
        samples.insert(samples.end(), of_client.begin(), of_client.end());
        slices.add(of_client, i % compare_replicas == cut_off);
    }
    std::uint64_t ok = 0;
    std::uint64_t writes = 0;
    for (const Sample& sample : samples) {
        ok += sample.ok ? 1 : 0;
        writes += sample.ok && sample.write ? 1 : 0;
    }
    const double seconds = static_cast<double>(of_.ms) / 1000;
    result_.operations_per_second = static_cast<double>(ok) / seconds;
    result_.writes_per_second = static_cast<double>(writes) / seconds;
    result_.failed_operations = samples.size() - ok;
    result_.reads = latency_of(samples, false);
    result_.writes = latency_of(samples, true);
    result_.timeline = slices.points();

    // The slices of the fault alone: the second third.
    AvailabilityPoint sum;
    double count = 0;
    for (const AvailabilityPoint& point : result_.timeline) {
        if (point.at_ms < of_.ms / 3 + slice_ms || point.at_ms + slice_ms > of_.ms * 2 / 3)
            continue;
        sum.writes += point.writes;
        sum.writes_isolated += point.writes_isolated;
        sum.writes_others += point.writes_others;
        ++count;
    }
    if (count > 0) {
        result_.write_availability_in_fault = sum.writes / count;
        result_.write_availability_isolated = sum.writes_isolated / count;
        result_.write_availability_others = sum.writes_others / count;
    }
}

Result<CompareResult> CaseRun::run() {
    result_.of = of_;
    SYNCLINE_CHECK(wait_linked());
    const LoadPlan plan{of_.workload, of_.clients, of_.seed};
    start_us_ = steady_us();
    for (std::size_t i = 0; i < of_.clients; ++i) {
        clients_.push_back(std::make_unique<LoadClient>(*cluster_, routing_, plan, i));
        clients_.back()->start(start_us_);
    }
    Result<void> played;
    if (of_.fault == CompareFault::partition) {
        played = script_partition();
    } else if (of_.fault == CompareFault::leader_kill) {
        played = script_kill();
    } else {
        wait_until(of_.ms);
    }
    routing_.stop = true;
    for (const std::unique_ptr<LoadClient>& client : clients_) client->join();
    SYNCLINE_CHECK(played);
    for (const std::unique_ptr<LoadClient>& client : clients_) {
        for (const auto& [key, ledger] : client->ledgers()) {
            Ledger& all = ledgers_[key];
            all.acknowledged.insert(all.acknowledged.end(), ledger.acknowledged.begin(),
                                    ledger.acknowledged.end());
            all.increments += ledger.increments;
            all.uncertain += ledger.uncertain;
            result_.acknowledged_writes += ledger.increments;
            result_.uncertain_writes += ledger.uncertain;
        }
    }
    measure();
    if (of_.fault == CompareFault::leader_kill) SYNCLINE_CHECK(come_back());
    if (of_.fault != CompareFault::partition) {
        SYNCLINE_TRY(result_.converge_ms, wait_converged(0));
    }
    patient_ = true;
    SYNCLINE_CHECK(wait_equal());
    for (std::size_t node = 0; node < compare_replicas; ++node) {
        SYNCLINE_TRY(const std::uint64_t bytes, bytes_out(node));
        result_.wire_bytes += bytes;
    }
    SYNCLINE_TRY(const Missing missing, find_missing(*cluster_, promoted, of_.workload, ledgers_));
    result_.missing_at_end = missing.writes;
    result_.counted_twice = missing.over;
    return std::move(result_);
}

}  // namespace

std::string_view workload_name(Workload workload) {
    return workload == Workload::ycsb_a ? "ycsb-a" : "counter";
}

std::string_view fault_name(CompareFault fault) {
    switch (fault) {
        case CompareFault::none:
            return "none";
        case CompareFault::partition:
            return "partition";
        case CompareFault::leader_kill:
            return "leader kill";
    }
    return "";
}

Result<CompareResult> run_case(const CompareCase& of) {
    SYNCLINE_TRY(
        std::unique_ptr<LocalCluster> cluster,
        LocalCluster::start({"syncline-compare", {"a", "b", "c"}, of.mode.options, false}));
    return CaseRun(of, std::move(cluster)).run();
}

}  // namespace syncline
