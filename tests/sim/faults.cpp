#include "tests/sim/faults.hpp"

#include <algorithm>

namespace syncline::sim {
namespace {

constexpr std::uint64_t faults_stream = 3;
constexpr Micros sweep_gap = 200 * micros_per_ms;
/// After a fault its traces last about this long.
constexpr Micros aftermath = 2 * second;
constexpr std::int64_t offset_ms_max = 14000;
constexpr Micros restart_time = 500 * micros_per_ms;

}  // namespace

Faults::Faults(Shared shared, std::vector<std::unique_ptr<SimReplica>>& replicas)
    : shared_(shared),
      replicas_(replicas),
      random_(shared.plan.seed, faults_stream),
      past_(shared.plan.machines()) {}

void Faults::repeat(Fault fault, std::size_t players, std::function<void(Micros length)> begin) {
    if (healed_ || !shared_.plan.has(fault)) return;
    const Rhythm& rhythm = shared_.plan.rhythm(fault);
    const Micros gap = random_.around(rhythm.gap / players + 1);
    shared_.timeline.after(gap, [this, fault, players, begin = std::move(begin)] {
        if (healed_) return;
        shared_.coverage.count(fault);
        begin(random_.around(shared_.plan.rhythm(fault).length));
        repeat(fault, players, begin);
    });
}

void Faults::start() {
    Network& network = shared_.network;
    const std::size_t links = std::max<std::size_t>(1, network.links_count() / 2);
    const std::size_t replicas = replicas_.size();
    repeat(Fault::partition, 1, [this](Micros length) { partition(length, false); });
    repeat(Fault::one_way, 1, [this](Micros length) { partition(length, true); });
    repeat(Fault::reset, links, [this, &network](Micros) {
        network.reset(random_.below(network.links_count()));
        for (Past& past : past_) past.reset = shared_.timeline.now();
    });
    repeat(Fault::slow_link, links, [this, &network](Micros length) {
        const std::size_t link = random_.below(network.links_count());
        network.set_slow(link, true);
        shared_.timeline.after(length, [&network, link] { network.set_slow(link, false); });
    });
    repeat(Fault::pause, replicas,
           [this](Micros length) { replicas_[any_replica()]->pause(length); });
    repeat(Fault::kill, replicas, [this](Micros length) { crash(any_replica(), length, false); });
    repeat(Fault::power_cut, replicas,
           [this](Micros length) { crash(any_replica(), length, true); });
    repeat(Fault::jump, replicas, [this](Micros) { jump_clock(any_replica()); });
    repeat(Fault::rot, 1, [this](Micros) { replicas_[shared_.plan.rotting]->rot(); });
    repeat(Fault::session, replicas, [this](Micros) { request_session(any_replica()); });
    if (shared_.plan.has(Fault::stream_cut)) {
        shared_.coverage.count(Fault::stream_cut);
        network.cut_streams(true);
    }
    if (shared_.plan.has(Fault::slow_disk)) shared_.coverage.count(Fault::slow_disk);
    if (shared_.plan.has(Fault::skew)) skew_clocks();
    sweep();
}

void Faults::heal() {
    healed_ = true;
    shared_.timeline.note("heal", Timeline::nobody, 0, [] { return ""; });
    shared_.network.heal();
    for (std::size_t i = 0; i < replicas_.size(); ++i) {
        SimReplica& replica = *replicas_[i];
        replica.disk().fail_nothing();
        replica.clock().set_drift(0);
        replica.clock().set_offset(0);
        replica.resume();
        if (!replica.up()) replica.start();
    }
}

// --- One of each

/// A link, a replica or two halves; the cut ends when its time is over, whatever else was cut.
void Faults::partition(Micros length, bool one_way) {
    Network& network = shared_.network;
    const std::uint64_t shape = random_.below(3);
    const std::size_t lonely = any_replica();
    const std::uint64_t half = random_.next();
    std::vector<std::size_t> cut;
    std::size_t index = 0;
    for (std::size_t a = 0; a < replicas_.size(); ++a) {
        for (std::size_t b = a + 1; b < replicas_.size(); ++b, ++index) {
            const bool parted = (half >> a & 1) != (half >> b & 1);
            if (shape == 1 ? a == lonely || b == lonely : shape == 2 && parted) {
                cut.push_back(index);
            }
        }
    }
    if (cut.empty()) cut.push_back(random_.below(network.links_count()));
    const bool forward = !one_way || random_.one_in(2);
    for (const std::size_t link : cut) network.cut(link, forward, !one_way || !forward);
    shared_.timeline.after(length, [this, &network, cut] {
        if (healed_) return;
        for (const std::size_t link : cut) network.cut(link, false, false);
    });
}

void Faults::crash(std::size_t index, Micros length, bool power_cut) {
    SimReplica& replica = *replicas_[index];
    if (!replica.up()) return;
    replica.crash(power_cut);
    past_[index].crash = power_cut ? Fault::power_cut : Fault::kill;
    past_[index].restarting = true;
    shared_.timeline.after(length, [this, index] {
        past_[index].restarting = false;
        if (!replicas_[index]->up()) replicas_[index]->start();
    });
}

void Faults::jump_clock(std::size_t index) {
    SimClock& clock = replicas_[index]->clock();
    const auto jump = static_cast<std::int64_t>(random_.below(10000)) - 5000;
    clock.set_offset(std::clamp(clock.offset_ms() + jump, -offset_ms_max, offset_ms_max));
    past_[index].jump = shared_.timeline.now();
    shared_.timeline.note("clock", index, static_cast<std::uint64_t>(clock.offset_ms()),
                          [&] { return "off by " + std::to_string(clock.offset_ms()) + " ms"; });
}

void Faults::skew_clocks() {
    shared_.coverage.count(Fault::skew);
    const auto within = [this](std::int64_t bound) {
        const auto width = static_cast<std::uint64_t>(2 * bound + 1);
        return static_cast<std::int64_t>(random_.below(width)) - bound;
    };
    for (const std::unique_ptr<SimReplica>& replica : replicas_) {
        replica->clock().set_offset(within(shared_.plan.skew_ms_max));
        replica->clock().set_drift(within(shared_.plan.drift_ppm_max));
    }
}

void Faults::request_session(std::size_t index) {
    const std::vector<LinkId> links = shared_.network.links_of(index);
    if (links.empty()) return;
    const LinkId link = links[random_.below(links.size())];
    shared_.timeline.note("session", index, link,
                          [&] { return "wanted over link " + std::to_string(link); });
    replicas_[index]->run([link](Replica& replica) { replica.request_session(link); });
}

// --- Upkeep

void Faults::sweep() {
    for (std::size_t i = 0; i < replicas_.size(); ++i) {
        SimReplica& replica = *replicas_[i];
        const bool awaited = replica.dormant() || past_[i].restarting || replica.being_put_back();
        if (!replica.up() && !awaited) crash_ended(i);
        if (!healed_ && shared_.plan.has(Fault::disk_error) && random_.one_in(150)) {
            shared_.coverage.count(Fault::disk_error);
            replica.disk().fail_after(random_.below(30));
        }
        note_afflictions(replica);
    }
    shared_.timeline.after(sweep_gap, [this] { sweep(); });
}

/// A replica that gave up for a failing disk is started on a mended one.
void Faults::crash_ended(std::size_t index) {
    past_[index].crash = Fault::disk_error;
    past_[index].restarting = true;
    shared_.timeline.after(restart_time, [this, index] {
        past_[index].restarting = false;
        if (!replicas_[index]->up()) replicas_[index]->start();
    });
}

void Faults::note_afflictions(SimReplica& replica) {
    const Plan& plan = shared_.plan;
    const Past& past = past_[replica.index()];
    const Micros now = shared_.timeline.now();
    const auto recent = [now](Micros time) { return time > 0 && now < time + aftermath; };
    const auto set = [&replica](Fault fault, bool has) {
        replica.afflictions.set(static_cast<std::size_t>(fault), has);
    };
    for (const Fault fault : {Fault::loss, Fault::duplicate, Fault::reorder, Fault::truncate,
                              Fault::slow_disk, Fault::skew, Fault::stream_cut}) {
        set(fault, plan.has(fault) && !healed_);
    }
    const bool cut = shared_.network.is_cut(replica.index());
    set(Fault::partition, cut && plan.has(Fault::partition));
    set(Fault::one_way, cut && plan.has(Fault::one_way));
    set(Fault::reset, recent(past.reset));
    set(Fault::slow_link, shared_.network.is_slow(replica.index()));
    set(Fault::pause, recent(replica.paused_until()));
    for (const Fault fault : {Fault::kill, Fault::power_cut, Fault::disk_error}) {
        set(fault, past.crash == fault && recent(replica.started_at()));
    }
    set(Fault::jump, recent(past.jump));
    set(Fault::rot, replica.rotten());
    for (const Fault fault : {Fault::restore, Fault::clone}) {
        const bool struck = plan.has(fault) && replica.index() == plan.put_back;
        set(fault, struck && replica.put_back_at() > 0 && now < replica.put_back_at() + aftermath);
    }
    set(Fault::session, replica.up() && replica.replica().session_active());
}

}  // namespace syncline::sim
