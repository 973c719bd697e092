/// Checkpoints of a replica: when one is due, what it holds, what a snapshot is, what it lets the
/// log forget. A checkpoint is handed to its thread only when the log is durable up to its
/// position: the base never holds what the log could lose.
#include <algorithm>
#include <array>

#include "core/base/hash.hpp"
#include "core/base/log.hpp"
#include "core/engine/replica_state.hpp"
#include "core/protocol/link.hpp"

namespace syncline {
namespace {

const BytesView meta_replica = "replica";
const BytesView meta_cursors = "replica.cursors";
const BytesView meta_samples = "replica.samples";
const BytesView meta_cut = "replica.cut";
/// The node whose rows they are; not there in older data.
const BytesView meta_node = "replica.node";
/// When a scrub was finished last.
const BytesView meta_scrub = "replica.scrub";
const BytesView meta_sample_times = "replica.sample_times";

/// The rows that say what a checkpoint is; leaf sums are compared with rows anyway.
constexpr std::array<BytesView, 5> digested = {"group.state", "group.vv", "replica.cursors",
                                               "replica.cut", "replica.samples"};

/// A damaged page can show rows of an older checkpoint beside newer ones, each sound in itself.
std::uint64_t digest_of(const RowChanges& meta) {
    std::uint64_t digest = 0;
    for (const BytesView name : digested) {
        const auto row = meta.find(name);
        if (row != meta.end() && row->second) digest = hash64(*row->second, digest + 1);
    }
    return digest;
}

}  // namespace

bool Replica::checkpoint_due() const {
    if (checkpoint_requested_ || snapshot_wanted_ || group_->purge_due()) return true;
    std::uint64_t log_bytes = options_.checkpoint_log_bytes;
    if (space_.disk_low())
        log_bytes = std::min<std::uint64_t>(log_bytes, options_.log.segment_bytes);
    if (log_->end() - checkpoint_position_ >= log_bytes) return true;
    if (space_.pressed() && !store_.overlay_empty()) return true;
    // Rows that backups have not confirmed stay in the overlay, where readers see their positions.
    if (primary_backup_->released() < log_->end()) return false;
    return !store_.overlay_empty() &&
           env_.clock.steady_ms() - checkpoint_ms_ >= options_.checkpoint_interval_ms;
}

std::optional<Store::Checkpoint> Replica::begin_checkpoint() {
    if (failure_) return std::nullopt;
    const bool possible = !checkpointing_ && snapshot_.expired();
    if (possible && checkpoint_due()) prepare_checkpoint(log_->end());
    if (!prepared_ || log_->durable() < prepared_->position()) return std::nullopt;
    std::optional<Store::Checkpoint> job;
    std::swap(job, prepared_);
    return job;
}

void Replica::prepare_checkpoint(Position position) {
    checkpoint_hurried_ = std::exchange(checkpoint_requested_, false);
    checkpoint_ms_ = env_.clock.steady_ms();
    if (snapshot_wanted_) {
        snapshot_making_ = take_snapshot(position);
        snapshot_wanted_ = false;
        if (pulling_ && !pulling_->session) pulling_->passed_by = group_->passed_by();
    }
    checkpointing_ = LogSample{position, group_->vv(), env_.clock.wall_ms()};
    samples_.push_back(*checkpointing_);
    RowChanges meta;
    save_meta(meta, position);
    group_->save(meta);
    ByteWriter(*meta[Bytes(meta_replica)]).u64(digest_of(meta));
    std::vector<Purge> purges = group_->take_purges();
    purging_ = !purges.empty();
    distrust_purged();
    prepared_ = store_.begin_checkpoint(position, std::move(meta), std::move(purges));
    store_.hurry(checkpoint_waited_for());
}

/// A purge removes every row of its tables that fails its checksum, also where nobody has noticed
/// that yet, and such a row would be absent from then on. So no bucket is trusted without another
/// look, neither while the purge is under way nor after it.
void Replica::distrust_purged() {
    if (purging_) group_->forget_verified();
}

std::shared_ptr<const HeldCheckpoint> Replica::take_snapshot(Position position) const {
    return std::make_shared<const HeldCheckpoint>(HeldCheckpoint{position,
                                                                 group_->vv(),
                                                                 group_->clock().last(),
                                                                 group_->leaf_sums(),
                                                                 stable_cut_.cut(),
                                                                 {},
                                                                 nullptr});
}

std::shared_ptr<const HeldCheckpoint> Replica::snapshot_or_ask() {
    std::shared_ptr<const HeldCheckpoint> snapshot = snapshot_.lock();
    if (!snapshot && snapshot_making_ && !checkpointing_) snapshot = snapshot_making_;
    if (!snapshot && !checkpointing_) snapshot_wanted_ = true;
    return snapshot;
}

std::shared_ptr<const void> Replica::finish_checkpoint(const Result<void>& result) {
    SYNCLINE_ASSERT(checkpointing_.has_value());
    checkpoint_waits_.reset();
    if (!result) {
        fail(result.error());
        return nullptr;
    }
    std::shared_ptr<const void> flushed = store_.finish_checkpoint();
    look_at_space();
    ++stats_.checkpoints;
    stats_.last_checkpoint_ms = env_.clock.wall_ms();
    distrust_purged();
    if (std::exchange(purging_, false)) group_->purged();
    base_position_ = checkpoint_position_ = checkpointing_->position;
    checkpointing_.reset();
    checkpoint_hurried_ = false;
    if (flush_hold_ && *flush_hold_ == checkpoint_position_) {
        base_position_ = pending_barrier_end_;
        flush_hold_.reset();
        pending_barrier_.reset();
    }
    snapshot_ = snapshot_making_;
    trim_log();
    drive_sessions();
    if (reader_waits_) reader_snapshot_ = snapshot_making_;
    snapshot_making_.reset();  // lives on while a session or a reader holds it
    return flushed;
}

std::shared_ptr<const HeldCheckpoint> Replica::hold_checkpoint(Position from) {
    std::shared_ptr<const HeldCheckpoint> held = checkpointing_ ? nullptr : snapshot_.lock();
    if (held && held->position >= from) return held;
    reader_snapshot_.reset();  // too old for whoever asks
    reader_waits_ = true;
    if (!held && !checkpointing_) snapshot_wanted_ = true;
    return nullptr;
}

void Replica::forget_reader() {
    reader_waits_ = false;
    reader_snapshot_.reset();
}

void Replica::save_meta(RowChanges& meta, Position position) const {
    Bytes state;
    ByteWriter out(state);
    out.u64(position);
    out.u64(log_->id());
    out.u8(pending_barrier_ ? 1 : 0);
    if (pending_barrier_) write(out, *pending_barrier_);
    out.varint(actor_.incarnation);
    meta[Bytes(meta_replica)] = std::move(state);

    Bytes cursors;
    ByteWriter cursors_out(cursors);
    cursors_out.varint(cursors_.size());
    for (const auto& [peer, cursor] : cursors_) {
        cursors_out.raw(to_bytes(peer));
        cursors_out.u64(cursor.log_id);
        cursors_out.varint(cursor.position);
    }
    meta[Bytes(meta_cursors)] = std::move(cursors);

    Bytes samples;
    ByteWriter samples_out(samples);
    samples_out.varint(samples_.size());
    for (const LogSample& sample : samples_) {
        samples_out.varint(sample.position);
        write(samples_out, sample.vv);
    }
    meta[Bytes(meta_samples)] = std::move(samples);
    meta[Bytes(meta_sample_times)] = encode_sample_times(samples_);

    Bytes cut;
    ByteWriter cut_out(cut);
    stable_cut_.write(cut_out);
    meta[Bytes(meta_cut)] = std::move(cut);
    meta[Bytes(meta_node)] = to_bytes(stable_cut_.joined() ? options_.identity.node : origin_);

    Bytes scrub;
    ByteWriter(scrub).u64(scrub_status_.last_ms);
    meta[Bytes(meta_scrub)] = std::move(scrub);
}

/// Without its first row the description says that there is no checkpoint; then there is no other
/// row either, or it was lost.
Result<void> Replica::check_no_checkpoint() {
    bool any = false;
    for (std::size_t table = 0; table < tables_count; ++table) {
        SYNCLINE_CHECK(store_.scan(static_cast<Table>(table), {}, {}, [&](BytesView, BytesView) {
            any = true;
            return false;
        }));
    }
    if (any) return Error{Code::corrupt, "the checkpoint has lost a part of its description"};
    // Nothing is stored that could be damaged.
    scrub_status_.last_ms = env_.clock.wall_ms();
    group_->trust_empty_base();
    return {};
}

Result<void> Replica::load_meta() {
    SYNCLINE_TRY(const std::optional<Bytes> state, store_.get(Table::meta, meta_replica));
    if (!state) return check_no_checkpoint();
    SYNCLINE_TRY(const std::optional<Bytes> cursors, store_.get(Table::meta, meta_cursors));
    SYNCLINE_TRY(const std::optional<Bytes> samples, store_.get(Table::meta, meta_samples));
    const Error damaged{Code::corrupt, "the checkpoint's description is damaged"};
    if (!cursors || !samples) return damaged;

    ByteReader in(*state);
    base_position_ = checkpoint_position_ = in.u64();
    checkpoint_log_id_ = in.u64();
    if (in.u8() == 1) pending_barrier_ = read_version_vector(in);
    if (in.left() > 0) actor_.incarnation = static_cast<std::uint32_t>(in.varint());
    ByteReader cursors_in(*cursors);
    for (std::uint64_t left = cursors_in.varint(); left > 0 && cursors_in.ok(); --left) {
        const Result<Uuid> peer = uuid_from(cursors_in.raw(16));
        const std::uint64_t log_id = cursors_in.u64();
        if (peer) cursors_[*peer] = Cursor{log_id, cursors_in.varint()};
    }
    ByteReader samples_in(*samples);
    for (std::uint64_t left = samples_in.varint(); left > 0 && samples_in.ok(); --left) {
        const Position position = samples_in.varint();
        samples_.push_back(LogSample{position, read_version_vector(samples_in)});
    }
    if (in.left() > 0) {  // older data have none
        const std::uint64_t digest = in.u64();
        RowChanges meta;
        for (const BytesView name : digested) {
            SYNCLINE_TRY(meta[Bytes(name)], store_.get(Table::meta, name));
        }
        if (digest != digest_of(meta)) {
            return Error{Code::corrupt,
                         "rows of the checkpoint's description are of different "
                         "checkpoints"};
        }
    }
    if (!in.done() || !cursors_in.done() || !samples_in.done()) return damaged;
    SYNCLINE_TRY(const std::optional<Bytes> times, store_.get(Table::meta, meta_sample_times));
    SYNCLINE_CHECK(decode_sample_times(times.value_or(Bytes()), env_.clock.wall_ms(), samples_));
    SYNCLINE_TRY(const std::optional<Bytes> cut, store_.get(Table::meta, meta_cut));
    if (cut) {  // older data have none
        ByteReader cut_in(*cut);
        stable_cut_.read(cut_in);
        if (!cut_in.done()) return damaged;
    }
    SYNCLINE_TRY(const std::optional<Bytes> node, store_.get(Table::meta, meta_node));
    SYNCLINE_TRY(origin_, node ? uuid_from(*node) : Result<Uuid>(options_.identity.node));
    SYNCLINE_TRY(const std::optional<Bytes> scrub, store_.get(Table::meta, meta_scrub));
    if (scrub) {  // older data have none
        ByteReader scrub_in(*scrub);
        scrub_status_.last_ms = scrub_in.u64();
        if (!scrub_in.done()) return damaged;
    }
    return group_->load();
}

Result<std::optional<BaseMark>> Replica::base_mark() {
    SYNCLINE_TRY(const std::optional<Bytes> state, store_.get_base(Table::meta, meta_replica));
    if (!state) return std::optional<BaseMark>();
    BaseMark mark;
    ByteReader in(*state);
    mark.position = in.u64();
    if (!in.ok()) return Error{Code::corrupt, "the checkpoint's description is damaged"};
    SYNCLINE_CHECK(group_->read_base(mark.vv, mark.hlc));
    return std::optional(std::move(mark));
}

void Replica::describe_restored(RowChanges& meta, std::uint64_t log_id, const VersionVector& vv,
                                const VersionVector& cut) {
    Bytes state;
    ByteWriter out(state);
    out.u64(0);  // where an empty log ends
    out.u64(log_id);
    out.u8(1);
    write(out, vv);
    meta[Bytes(meta_replica)] = std::move(state);
    meta[Bytes(meta_cursors)] = Bytes(1, '\0');
    meta[Bytes(meta_samples)] = Bytes(1, '\0');
    StableCut stable(1);
    (void)stable.adopt(cut);  // false: it is empty
    Bytes cut_bytes;
    ByteWriter cut_out(cut_bytes);
    stable.write(cut_out);
    meta[Bytes(meta_cut)] = std::move(cut_bytes);
}

Result<void> Replica::check_log_id() const {
    if (!checkpoint_log_id_ || *checkpoint_log_id_ == log_->id()) return {};
    return Error{Code::corrupt, "the log and the checkpoint come from different data directories"};
}

/// Covers everything that was trimmed: the vector at the first sample the log still reaches.
VersionVector Replica::base_vv() const {
    if (log_floor_ > log_->base()) return log_floor_vv_;
    if (log_->base() == 0) return {};
    for (const LogSample& sample : samples_) {
        if (sample.position >= log_->base()) return sample.vv;
    }
    return group_->vv();
}

void Replica::trim_log() {
    retention_ms_ = env_.clock.steady_ms();
    LogUse use{log_->end(), checkpoint_position_, log_hold_, env_.clock.wall_ms(), nullptr};
    // An unreplicated suffix is read from the log by whoever wants to know what it was.
    if (stable_cut_.on() && primary_backup_->suffixes().empty()) use.cut = &stable_cut_.cut();
    const Position target = forgettable(samples_, log_retention(), use);
    if (target > log_->base()) {
        const std::size_t spare = space_.disk_low() ? 1 : Log::spare_files_max;
        if (const Result<void> trimmed = log_->trim(target, spare); !trimmed) {
            return fail(trimmed.error());
        }
    }
    thin(samples_, log_->base());
}

/// While nothing is written no checkpoint does it.
void Replica::trim_old_log() {
    if (failure_ || env_.clock.steady_ms() - retention_ms_ < limits::log_retention_look_ms) return;
    trim_log();
}

}  // namespace syncline
