#include "tests/sim/copies.hpp"

#include <algorithm>

namespace syncline::sim {
namespace {

constexpr std::uint64_t copies_stream = 14;
constexpr Micros copy_gap = 2 * second;
constexpr Micros look_gap = 200 * micros_per_ms;
/// What is kept cannot be forgotten by the oracle.
constexpr std::size_t kept_max = 4;

}  // namespace

Copies::Copies(Shared shared, std::vector<std::unique_ptr<SimReplica>>& replicas)
    : shared_(shared), replicas_(replicas), random_(shared.plan.seed, copies_stream) {}

void Copies::start() {
    if (!shared_.plan.copies()) return;
    ++shared_.coverage.copies_seeds;
    shared_.timeline.after(random_.around(copy_gap), [this] { take(); });
    repeat(Fault::restore);
    repeat(Fault::clone);
    strike();
}

/// Every other one is of the machine that will be put back.
void Copies::take() {
    if (healed_) return;
    const Plan& plan = shared_.plan;
    const std::size_t machine = random_.one_in(2) ? plan.put_back : random_.below(replicas_.size());
    const bool of_use =
        machine == plan.put_back ? plan.has(Fault::restore) : plan.has(Fault::clone);
    if (of_use && replicas_[machine]->up()) {
        if (std::optional<MachineCopy> copy = replicas_[machine]->copy()) {
            ++shared_.coverage.copies;
            kept_.push_back(Kept{machine, std::move(*copy)});
        }
    }
    if (kept_.size() > kept_max) {
        const auto old = kept_.begin() + static_cast<std::ptrdiff_t>(random_.below(kept_max));
        shared_.history.let_go(old->copy.history);
        kept_.erase(old);
    }
    shared_.timeline.after(random_.around(copy_gap), [this] { take(); });
}

void Copies::repeat(Fault fault) {
    if (!shared_.plan.has(fault)) return;
    shared_.timeline.after(random_.around(shared_.plan.rhythm(fault).gap), [this, fault] {
        if (healed_) return;
        put_back(fault);
        repeat(fault);
    });
}

void Copies::put_back(Fault fault) {
    SimReplica& machine = *replicas_[shared_.plan.put_back];
    std::vector<const Kept*> fitting;
    for (const Kept& kept : kept_) {
        const bool own = kept.machine == machine.index();
        if (own == (fault == Fault::restore)) fitting.push_back(&kept);
    }
    if (fitting.empty() || !machine.up()) return;
    const MachineCopy& copy = fitting[random_.below(fitting.size())]->copy;
    shared_.coverage.count(fault);
    machine.crash(random_.one_in(2));
    machine.become(copy);
    drop_undone();
    const Micros length = random_.around(shared_.plan.rhythm(fault).length);
    shared_.timeline.after(length, [&machine] {
        if (!machine.up()) machine.start();
    });
}

/// What went with a machine stays gone: once it is struck the others collect without waiting for
/// what it had.
void Copies::drop_undone() {
    std::erase_if(kept_, [&](const Kept& kept) {
        if (!shared_.history.is_undone(kept.copy.history)) return false;
        shared_.history.let_go(kept.copy.history);
        return true;
    });
}

// --- Upkeep

/// A cluster with a declared number of replicas has no room for a new node until then. A process
/// that dies may have forgotten it.
void Copies::strike() {
    std::set<Uuid> here;
    for (const auto& replica : replicas_) here.insert(replica->uuid());
    nodes_.insert(here.begin(), here.end());
    for (const Uuid& node : nodes_) {
        if (here.contains(node)) continue;
        for (const auto& replica : replicas_) {
            replica->run([name = to_string(node)](Replica& production) {
                (void)production.forget(name);  // not known, mostly
            });
        }
    }
    shared_.timeline.after(random_.around(look_gap), [this] { strike(); });
}

}  // namespace syncline::sim
