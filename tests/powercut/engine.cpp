#include "tests/powercut/engine.hpp"

namespace syncline::powercut {
namespace {

/// More than any checkpoint here has.
constexpr std::size_t many_rows = 1'000'000;

ReplicaOptions small_options(Random& random) {
    ReplicaOptions options;
    options.leaf_bits = leaf_bits;
    // Two sizes, so that files are too small or too large to be used again now and then.
    options.log.segment_bytes = (random.below(4) > 0 ? 12 : 20) * limits::kib;
    options.log_retention.bytes = random.below(4) * 8 * limits::kib;
    options.checkpoint_log_bytes = (1 + random.below(4)) * 8 * limits::kib;
    return options;
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(const std::string& path, std::uint64_t now_ms,
                                             Mode mode, Random& random, Planted planted) {
    auto engine = std::make_unique<Engine>();
    engine->clock_.now_ms = now_ms;
    const bool gradual = planted == Planted::forget_provisional_sync || random.below(4) > 0;
    SYNCLINE_TRY(engine->data_,
                 DataDirectory::open(path, engine->random_, gradual ? 1 : many_rows));
    if (engine->data_.identity.cluster.is_nil()) {
        SYNCLINE_CHECK(engine->data_.join_cluster(random_uuid(engine->random_)));
    }
    ReplicaOptions options = small_options(random);
    if (mode == Mode::interval) options.durability = Durability::interval;
    options.sync_interval_ms = sync_interval_ms;
    if (planted == Planted::no_interval) {
        options.sync_interval_ms = 3'600'000;
        // Small segments and checkpoints ask for syncs of their own.
        options.log.segment_bytes = limits::mib;
        options.checkpoint_log_bytes = limits::mib;
    }
    SYNCLINE_TRY(options.new_incarnation,
                 engine->data_.begin_run(planted == Planted::no_mark ? Durability::always
                                                                     : options.durability));
    if (planted == Planted::same_incarnation) options.new_incarnation = false;
    SYNCLINE_TRY(engine->replica_,
                 engine->data_.open_replica(options, Env{engine->clock_, engine->random_}));
    return engine;
}

State Engine::state() const {
    return State{replica_->group().vv(), replica_->group().leaf_sums().root()};
}

Bytes Engine::identity() const {
    return to_bytes(data_.identity.node) + to_bytes(data_.identity.cluster);
}

Result<void> Engine::compare(Model model) {
    Transaction txn(replica_->group(), replica_->actor(), clock_.now_ms);
    return model.compare(txn);
}

Result<void> Engine::settle() {
    for (bool busy = true; busy;) {
        busy = false;
        replica_->request_sync();
        replica_->write_log();
        if (std::optional<Log::Flush> flush = replica_->begin_flush()) {
            SYNCLINE_CHECK(flush->write());
            SYNCLINE_CHECK(flush->sync());
            replica_->finish_flush(*flush, {});
            SYNCLINE_CHECK(flush->prepare_next());
            busy = true;
        }
        if (std::optional<Store::Checkpoint> checkpoint = replica_->begin_checkpoint()) {
            replica_->finish_checkpoint(checkpoint->commit());
            busy = true;
        }
    }
    if (replica_->failure()) return *replica_->failure();
    return {};
}

}  // namespace syncline::powercut
