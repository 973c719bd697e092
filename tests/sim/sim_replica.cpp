#include "tests/sim/sim_replica.hpp"

#include "core/base/hash.hpp"

namespace syncline::sim {
namespace {

constexpr std::uint64_t chance_stream = 100;
constexpr std::uint64_t machine_stream = 200;
constexpr Micros tick_gap = 100 * micros_per_ms;
/// One reply in so many is proved by a recovery from a copy of the disk.
constexpr std::uint64_t proof_rarity = 150;

Bytes number_bytes(std::uint64_t number) {
    Bytes bytes;
    ByteWriter(bytes).u64(number);
    return bytes;
}

ReplicaOptions options_for(std::size_t index, const Plan& plan) {
    ReplicaOptions options = plan.replica;
    if (!plan.primary_backup()) return options;
    options.primary_backup.founds = index == 0;
    options.primary_backup.client_address = "host-" + std::to_string(index) + ":7400";
    return options;
}

/// A new data directory of the cluster.
Identity make_identity(std::size_t index, const Uuid& cluster, SimDisk& home, SimRandom& random) {
    Result<Identity> identity = load_identity(home, random);
    SYNCLINE_ASSERT(identity.has_value());
    identity->cluster = cluster;
    identity->name = "r" + std::to_string(index);
    SYNCLINE_ASSERT(save_identity(home, *identity).has_value());
    return *identity;
}

/// What no other base's file in the run has.
Bytes unique_mark(std::size_t machine, std::uint64_t number) {
    Bytes mark;
    ByteWriter out(mark);
    out.u64(machine);
    out.u64(number);
    return mark;
}

}  // namespace

SimReplica::SimReplica(std::size_t index, const Uuid& cluster, Shared shared)
    : index_(index),
      shared_(shared),
      clock_(shared.timeline.now()),
      chance_(shared.plan.seed, chance_stream + index),
      random_(shared.plan.seed, machine_stream + index),
      base_mark_(unique_mark(index, 0)),
      identity_(make_identity(index, cluster, home_, chance_)),
      workload_(shared.plan, shared.history, index),
      options_(options_for(index, shared.plan)) {
    shared_.history.introduce(identity_.node_id, index);
    dormant_ = index >= shared.plan.replicas;
}

void SimReplica::fail(const std::string& sentence) {
    shared_.timeline.fail("replica " + std::to_string(index_) + ": " + sentence);
}

// --- Life and death

void SimReplica::rouse() {
    shared_.timeline.note("switched on", index_, 0, [] { return ""; });
    dormant_ = false;
    start();
}

/// As the owner of a data directory does it at each start.
Result<void> SimReplica::identify() {
    SYNCLINE_TRY(identity_, load_identity(home_, chance_));
    SYNCLINE_TRY(const bool copied, check_original(home_, identity_, base_mark_, chance_));
    SYNCLINE_TRY(options_.new_incarnation, begin_run(home_, identity_, options_.durability));
    options_.identity = identity_;
    if (!copied) return {};
    ++shared_.coverage.new_nodes;
    shared_.history.introduce(identity_.node_id, index_);
    shared_.timeline.note("new node", index_, identity_.node_id,
                          [&] { return to_string(identity_.node); });
    return {};
}

void SimReplica::start() {
    if (lost_ || dormant_) return;
    if (std::exchange(being_put_back_, false)) put_back_at_ = shared_.timeline.now();
    if (const Result<void> known = identify(); !known) {
        return fail("cannot tell who it is: " + known.error().message);
    }
    Result<std::unique_ptr<Replica>> opened =
        Replica::open(options_, Env{clock_, chance_}, disk_, base_);
    while (!opened && disk_.has_failed()) {  // twice, when a file was to be struck as well
        shared_.timeline.note("cannot open", index_, 0, [&] { return opened.error().message; });
        disk_.forgive();
        if (random_.one_in(2)) {
            disk_.crash(random_);
            shared_.history.power_cut(index_);
        }
        opened = Replica::open(options_, Env{clock_, chance_}, disk_, base_);
    }
    if (!opened) return fail("cannot open its own data: " + opened.error().message);
    replica_ = std::move(*opened);
    life_ = ++lives_;
    started_at_ = shared_.timeline.now();
    replica_->on_applied = [this](const Event& event, BytesView bytes) {
        on_applied(event, bytes);
    };
    replica_->on_adopted = [this](const VersionVector& vv) {
        changed_ = adopted_ = true;
        ++shared_.coverage.snapshots_adopted;
        shared_.timeline.note("adopted", index_, hash64(to_string(vv)),
                              [&] { return to_string(vv); });
        shared_.history.adopted(index_, vv);
        shared_.terms.adopted(index_, *replica_, vv);
    };
    const VersionVector& vv = replica_->group().vv();
    shared_.timeline.note("open", index_, hash64(to_string(vv)), [&] { return to_string(vv); });
    shared_.history.recovered(index_, vv);
    shared_.terms.opened(index_, *replica_);
    shared_.members.observe(index_, *replica_);
    changed_ = true;
    check();
    clients_.assign(shared_.plan.clients, SimClient{});
    for (std::size_t i = 0; i < clients_.size(); ++i) clients_[i].client.id = i;
    later(random_.below(tick_gap), [this](Replica&) { tick(); });
    client_loop();
    run([](Replica&) {});
}

void SimReplica::crash(bool power_cut) {
    if (!up()) return;
    shared_.timeline.note(power_cut ? "power cut" : "kill", index_, 0, [] { return ""; });
    ++shared_.coverage.crashes;
    count_statistics();
    life_ = 0;
    replica_.reset();
    whole_looks_ = 1;  // in its next life
    inbox_.clear();
    paused_until_ = 0;
    flushing_ = checkpointing_ = turn_open_ = false;
    all_durable_ms_ = 0;
    disk_.forgive();
    if (power_cut) {
        disk_.crash(random_);
        shared_.history.power_cut(index_);
    }
    base_.end_turn();
    shared_.network.crashed(index_);
}

std::optional<MachineCopy> SimReplica::copy() {
    MachineCopy copy{home_.clone(), disk_.clone(), base_.clone(), {}};
    copy.disk->forget_unsynced();
    const std::unique_ptr<SimDisk> disk = copy.disk->clone();
    const std::unique_ptr<MemoryBase> base = copy.base->clone();
    SimRandom random(random_.next(), 0);
    const auto opened = Replica::open(options_, Env{clock_, random}, *disk, *base);
    if (!opened) {
        fail("a copy cannot be opened: " + opened.error().message);
        return std::nullopt;
    }
    const VersionVector& vv = (*opened)->group().vv();
    copy.history = shared_.history.copied(index_, vv);
    shared_.timeline.note("copy", index_, hash64(to_string(vv)), [&] { return to_string(vv); });
    return copy;
}

void SimReplica::become(const MachineCopy& copy) {
    home_.become(*copy.home);
    disk_.become(*copy.disk);
    base_.become(*copy.base);
    base_mark_ = unique_mark(index_, ++marks_);
    being_put_back_ = true;
    const std::size_t undone = shared_.history.put_back(index_, copy.history);
    shared_.coverage.events_undone += undone;
    shared_.timeline.note("put back", index_, undone, [&] {
        return "to " + to_string(copy.history.vv) + ", " + std::to_string(undone) +
               " events undone";
    });
}

void SimReplica::rot() {
    using Rot = MemoryBase::Rot;
    const Rot kind =
        up() ? Rot::checksum : std::array{Rot::checksum, Rot::lost, Rot::stale}[random_.below(3)];
    const std::optional<std::string> done = base_.rot(random_, kind);
    if (!done) return;
    rotten_ = true;
    // The pass that is under way may be past that row.
    whole_looks_ = up() ? replica_->scrub_status().passes + 2 : 1;
    shared_.timeline.note("rot", index_, hash64(*done), [&] { return *done; });
}

bool SimReplica::sound() const {
    if (!rotten_) return true;
    return up() && base_.rotten() == 0 && replica_->group().damaged().empty() &&
           replica_->scrub_status().passes >= whole_looks_;
}

void SimReplica::pause(Micros length) {
    if (!up() || paused_until_ > shared_.timeline.now()) return;
    shared_.timeline.note("pause", index_, length, [&] { return to_text(length) + " s"; });
    paused_until_ = shared_.timeline.now() + length;
    shared_.timeline.after(length, [this, life = life_] {
        if (life == life_) wake();
    });
}

void SimReplica::resume() {
    if (!up() || paused_until_ <= shared_.timeline.now()) return;
    paused_until_ = shared_.timeline.now();
    wake();
}

void SimReplica::wake() {
    shared_.timeline.note("wake", index_, inbox_.size(),
                          [&] { return std::to_string(inbox_.size()) + " waiting"; });
    std::deque<std::function<void(Replica&)>> waiting;
    std::swap(waiting, inbox_);
    for (const auto& action : waiting) run(action);
}

// --- Turns

void SimReplica::run(std::function<void(Replica&)> action) {
    if (!up()) return;
    if (paused_until_ > shared_.timeline.now()) {
        inbox_.push_back(std::move(action));
        return;
    }
    action(*replica_);
    shared_.terms.observe(index_, *replica_, disk_);
    shared_.members.observe(index_, *replica_);
    // A turn takes in what comes together: sometimes it stays open for a while.
    if (turn_open_) return;
    if (random_.one_in(3)) {
        turn_open_ = true;
        later(random_.below(3 * micros_per_ms), [this](Replica&) { turn_open_ = false; });
        return;
    }
    turn_ended();
}

void SimReplica::receive(Replica& replica, LinkId link, std::uint8_t type, const Bytes& payload,
                         const TermId& sent_in) {
    shared_.terms.receives(index_, type, payload, sent_in);
    receiving_ = true;
    replica.receive(link, type, payload);
    receiving_ = false;
}

void SimReplica::later(Micros delay, std::function<void(Replica&)> action) {
    shared_.timeline.after(delay, [this, life = life_, run_it = std::move(action)] {
        if (life == life_) run(run_it);
    });
}

/// With everything durable here, only backups can keep a client waiting, and not for longer than it
/// was promised. The reply may have been let go by the latest tick.
void SimReplica::check_waiting() {
    const std::uint64_t now = clock_.steady_ms();
    // Not the vectors: a barrier that adds nothing to them may still wait for its checkpoint.
    const bool durable = replica_->log().durable() == replica_->log().end();
    const std::uint64_t before = std::exchange(all_durable_ms_, durable ? now : 0);
    // After a pause ticks come late.
    if (!durable || before == 0 || now - before > 2 * tick_gap / micros_per_ms) return;
    const std::uint64_t bound = shared_.plan.replica.primary_backup.ack_timeout_ms;
    for (const SimClient& client : clients_) {
        if (client.expecting.empty()) continue;
        const std::uint64_t since = client.expecting.front().since_ms;
        if (before <= since + bound) continue;
        return fail("a client has been waiting for " + std::to_string(now - since) +
                    " ms, promised were " + std::to_string(bound));
    }
}

void SimReplica::tick() {
    if (shared_.plan.primary_backup()) check_waiting();
    replica_->tick();
    // Keys are counted anew by the first pass that begins without damage.
    const bool damaged = rotten_ && (base_.rotten() > 0 || !replica_->group().damaged().empty());
    if (damaged) whole_looks_ = replica_->scrub_status().passes + 2;
    later(tick_gap, [this](Replica&) { tick(); });
}

void SimReplica::turn_ended() {
    replica_->write_log();
    start_flush();
    start_checkpoint();
    if (adopted_) check();
    if (changed_) check_pairs();
    shared_.history.durable(index_, replica_->durable_vv());
    release(replica_->committed());
    if (const std::optional<Error>& failure = replica_->failure()) {
        if (!disk_.has_failed()) return fail("gave up: " + failure->message);
        // The process ends, and somebody starts it again.
        shared_.timeline.after(0, [this, life = life_] {
            if (life == life_) crash(random_.one_in(2));
        });
    }
}

void SimReplica::start_flush() {
    if (flushing_) return;
    std::optional<Log::Flush> flush = replica_->begin_flush();
    if (!flush) return;
    flushing_ = true;
    later(random_.around(shared_.plan.write_time), [this, job = *flush](Replica&) mutable {
        const Result<void> written = job.write();
        shared_.timeline.note("write", index_, job.end(),
                              [&] { return "log to " + std::to_string(job.end()); });
        later(random_.around(shared_.plan.sync_time), [this, job, written](Replica&) mutable {
            const Result<void> synced = written ? job.sync() : written;
            later(random_.below(100), [this, job, synced](Replica& replica) mutable {
                flushing_ = false;
                replica.finish_flush(job, synced);
                // As the log thread does it; what fails here is done by the next write.
                if (synced) (void)job.prepare_next();
                shared_.timeline.note("durable", index_, job.end(),
                                      [&] { return "log to " + std::to_string(job.end()); });
            });
        });
    });
}

void SimReplica::start_checkpoint() {
    if (checkpointing_) return;
    std::optional<Store::Checkpoint> checkpoint = replica_->begin_checkpoint();
    if (!checkpoint) return;
    checkpointing_ = true;
    later(random_.around(shared_.plan.checkpoint_time),
          [this, job = *checkpoint](Replica&) mutable {
              const Result<void> committed = job.commit();
              shared_.timeline.note("commit", index_, job.position(),
                                    [&] { return "base at " + std::to_string(job.position()); });
              later(random_.below(5 * micros_per_ms), [this, committed](Replica& replica) {
                  checkpointing_ = false;
                  replica.finish_checkpoint(committed);
              });
          });
}

void SimReplica::release(const Committed& committed) {
    for (const Reply& reply : committed.replies) take_reply(reply);
    for (const Outgoing& message : committed.messages) {
        shared_.terms.sent(index_, *replica_, disk_, message);
        shared_.network.send(index_, message);
    }
    for (const auto& [link, error] : committed.closed) {
        shared_.timeline.note("closed", index_, link, [&, &why = error] { return why.message; });
        // What was with a replica that is no member any more may hold what nobody may get.
        const bool kept_out = shared_.plan.membership && error.code == Code::unauthorized;
        // A session with rows that rotted, here or there, ends.
        const bool rot = shared_.plan.has(Fault::rot) && error.code == Code::corrupt;
        // A new node has to wait until somebody strikes the one that it was.
        const bool too_many = shared_.plan.copies() && error.code == Code::unauthorized;
        // Whoever strikes a node hears its peers anew.
        const bool struck = error.code == Code::unavailable &&
                            (shared_.plan.copies() || shared_.plan.primary_backup());
        const bool excused = kept_out || rot || too_many || struck;
        if (!shared_.network.closed_by(index_, link) && !excused) {
            fail("closed a link on which nothing wrong was sent: " + error.message);
        }
    }
}

void SimReplica::take_reply(const Reply& reply) {
    SimClient& client = clients_[reply.client];
    shared_.timeline.note("reply", index_, hash64(reply.bytes), [&] {
        return "to client " + std::to_string(reply.client) + ", request " +
               std::to_string(ByteReader(reply.bytes).u64());
    });
    if (client.expecting.empty() || number_bytes(client.expecting.front().number) != reply.bytes) {
        return fail("a reply came twice, unasked or out of order");
    }
    const Terms::Request& request = client.expecting.front().request;
    if (shared_.plan.interval()) {
        for (const Dot& dot : request.rests_on) {
            if (!shared_.history.durable_vv(index_).covers(dot)) ++shared_.coverage.replies_early;
            shared_.history.acknowledged_early(index_, dot);
        }
        client.expecting.pop_front();
        ++shared_.coverage.replies;
        return;
    }
    bool late = false;  // the replica has not noticed yet that a checkpoint made it durable
    for (const Dot& dot : request.rests_on) {
        late = late || !shared_.history.durable_vv(index_).covers(dot);
    }
    if (late || random_.one_in(proof_rarity)) prove_recovery(late || random_.one_in(2));
    for (const Dot& dot : request.rests_on) {
        shared_.history.acknowledged(index_, dot);
    }
    shared_.terms.replied(index_, *replica_, request, reply.outcome);
    client.expecting.pop_front();
    ++shared_.coverage.replies;
}

/// Cuts the power of a copy of the machine and opens a replica from what is left.
void SimReplica::prove_recovery(bool worst_case) {
    ++shared_.coverage.recoveries_checked;
    const std::unique_ptr<SimDisk> disk = disk_.clone();
    const std::unique_ptr<MemoryBase> base = base_.clone();
    SimRandom random(random_.next(), 0);
    if (worst_case) {
        disk->forget_unsynced();
    } else {
        disk->crash(random);
    }
    const auto opened = Replica::open(options_, Env{clock_, random}, *disk, *base);
    if (!opened) return fail("a copy cut off now cannot be opened: " + opened.error().message);
    const VersionVector& vv = (*opened)->group().vv();
    if (worst_case) return shared_.history.proved_durable(index_, vv);
    if (!vv.covers(shared_.history.durable_vv(index_))) {
        fail("a copy cut off now has only " + to_string(vv) + " of " +
             to_string(shared_.history.durable_vv(index_)) + ", which is durable");
    }
}

bool SimReplica::idle() const {
    if (!up() || flushing_ || checkpointing_ || replica_->session_active()) return false;
    for (const SimClient& client : clients_) {
        if (!client.expecting.empty()) return false;
    }
    return replica_->durable_vv() == replica_->group().vv();
}

// --- Clients

void SimReplica::client_loop() {
    later(random_.around(shared_.plan.operation_gap), [this](Replica& replica) {
        if (clients_run_ && !replica.failure() && !replica.overloaded()) {
            operate(choose_operation());
        }
        if (clients_run_) client_loop();
    });
}

/// Clients of a backup mostly read; those who write must hear where to go.
OpKind SimReplica::choose_operation() {
    const OpKind kind = workload_.choose(random_);
    // A server that is new waits until it has met a member.
    const bool unmet = index_ >= shared_.plan.replicas && !replica_->membership().on();
    if (unmet) return OpKind::get;
    if (!shared_.plan.primary_backup() || is_primary() || random_.one_in(8)) return kind;
    return random_.one_in(2) ? OpKind::get : OpKind::collection_read;
}

bool SimReplica::write_once() {
    if (!up() || replica_->failure()) return false;
    if (shared_.plan.primary_backup() && !is_primary()) return false;
    run([this](Replica&) { operate(OpKind::pair); });
    return true;
}

void SimReplica::operate(OpKind kind) {
    SimClient& client = clients_[random_.below(clients_.size())];
    Attempt attempt;
    attempt.kind = kind;
    attempt_ = &attempt;
    Dot dot;
    const std::uint64_t number = ++last_request_;
    const Result<void> executed =
        replica_->execute(client.client, [&](Transaction& txn) -> Result<Bytes> {
            SYNCLINE_CHECK(workload_.perform(txn, random_, attempt));
            if (!txn.empty()) dot = txn.dot();
            return number_bytes(number);
        });
    attempt_ = nullptr;
    shared_.timeline.note(op_names[static_cast<std::size_t>(kind)], index_, dot.counter, [&] {
        return "request " + std::to_string(number) +
               (executed ? dot.counter > 0 ? " makes " + to_string(dot) : std::string(" reads")
                         : " refused: " + executed.error().message);
    });
    ++shared_.coverage.operations;
    if (attempt.read_checked) ++shared_.coverage.reads_checked;
    for (std::size_t i = 0; i < faults_count; ++i) {
        if (afflictions.test(i)) ++shared_.coverage.pairs[i][static_cast<std::size_t>(kind)];
    }
    if (afflictions.none()) ++shared_.coverage.pairs[faults_count][static_cast<std::size_t>(kind)];
    if (!attempt.violation.empty()) return fail(attempt.violation);
    if (executed) {
        if (dot.counter > 0) attempt.seen.push_back(dot);
        const TermId led = is_primary() ? term() : TermId{};
        client.expecting.push_back(
            Expecting{number,
                      {dot.counter > 0, std::move(attempt.seen), std::move(attempt.grounds), led},
                      clock_.steady_ms()});
    } else if (executed.error().code == Code::read_only) {
        ++shared_.coverage.refused;
        shared_.terms.refused(index_, *replica_, executed.error());
    } else if (is_refusal(executed.error()) || executed.error().code == Code::unavailable ||
               (rotten_ && executed.error().code == Code::corrupt)) {
        ++shared_.coverage.refused;
    } else {
        fail("a request failed: " + executed.error().message);
    }
}

void SimReplica::on_applied(const Event& event, BytesView bytes) {
    changed_ = true;
    const bool own = !receiving_;
    shared_.timeline.note(own ? "event" : "apply", index_, hash64(bytes),
                          [&] { return to_string(event.dot) + " on " + to_string(event.past); });
    if (!own) {
        ++shared_.coverage.events_applied;
        shared_.history.applied(index_, event, bytes);
        shared_.terms.applied(index_, *replica_, event.dot);
        shared_.members.applied(index_, *replica_, event.dot);
        return;
    }
    ++shared_.coverage.events;
    shared_.history.issued(index_, event, bytes,
                           attempt_ == nullptr ? expiry_intents(event) : attempt_->intents);
    shared_.terms.accepted(index_, *replica_, event.dot);
    shared_.members.issued(index_, *replica_);
}

/// What a replica does on its own: it removes keys whose deadline is behind.
std::vector<Intent> SimReplica::expiry_intents(const Event& event) {
    std::vector<Intent> intents;
    for (const Op& op : event.ops) {
        const auto* const clear = std::get_if<ClearKey>(&op);
        if (clear == nullptr) continue;  // the resets of counters that go with it
        const Oracle& oracle = shared_.history.oracle();
        if (!oracle.expired(event.past, clear->key, clock_.wall_ms())) {
            fail("removed " + printable(clear->key) + " on its own, which has not expired");
        }
        Intent intent;
        intent.kind = Intent::Kind::clear_key;
        intent.key = clear->key;
        intents.push_back(std::move(intent));
        ++shared_.coverage.keys_expired;
    }
    if (intents.empty()) fail("made an event that no client asked for");
    return intents;
}

// --- Checks

void SimReplica::check_pairs() {
    changed_ = false;
    for (std::size_t index = 0; index < Workload::pairs_count; ++index) {
        std::optional<Bytes> values[2];
        for (std::size_t side = 0; side < 2; ++side) {
            const Bytes key = Workload::pair_keys(index)[side];
            const Result<Cell> cell = replica_->group().cell(key, CellType::string, std::nullopt);
            if (!cell && rotten_) return;  // and nobody is told anything wrong
            if (!cell) return fail("key " + key + " cannot be read: " + cell.error().message);
            values[side] = string_value(*cell);
        }
        if (values[0] == values[1]) continue;
        return fail("keys that are only written together differ: " +
                    printable(values[0].value_or("nothing")) + " and " +
                    printable(values[1].value_or("nothing")));
    }
}

void SimReplica::check(bool mended) {
    if (!up()) return;
    adopted_ = false;
    if (rotten_ && !mended) return check_pairs();
    ++shared_.coverage.state_checks;
    shared_.coverage.cells_checked += shared_.history.check_state(index_, *replica_, !rotten_);
    check_pairs();
    replica_->group().store().end_turn();
    const ReplicaStats& stats = replica_->stats();
    if (stats.causality_errors > 0) fail("received an event before its causal past");
    // Rows that rotted differ at equal vectors, and an alarm is what they deserve.
    if (stats.divergence_alarms > 0 && !shared_.plan.has(Fault::rot)) {
        fail("raised a divergence alarm");
    }
    const ScrubStatus scrub = replica_->scrub_status();
    if (scrub.damages + scrub.last_faults > 0 && !rotten_) {
        fail("found damage: " + scrub.finding);
    }
}

void SimReplica::count_statistics() {
    const ReplicaStats& stats = replica_->stats();
    shared_.coverage.sessions_completed += stats.sessions_completed;
    shared_.coverage.sessions_failed += stats.sessions_failed;
    shared_.coverage.session_rows += stats.session_rows_received;
    shared_.coverage.checkpoints += stats.checkpoints;
    shared_.coverage.clock_pauses += stats.clock_pauses;
    shared_.coverage.rows_collected += stats.rows_collected;
    shared_.coverage.damages += replica_->scrub_status().damages;
    shared_.coverage.buckets_repaired += replica_->scrub_status().repaired;
}

}  // namespace syncline::sim
