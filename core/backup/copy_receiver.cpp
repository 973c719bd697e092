#include "core/backup/copy_receiver.hpp"

#include <deque>
#include <utility>

#include "core/backup/background.hpp"
#include "core/backup/builder.hpp"
#include "core/base/assert.hpp"
#include "core/base/hash.hpp"
#include "core/base/log.hpp"

namespace syncline {
namespace {

/// On their way, or waiting for the thread: keeps link and disk busy at once.
constexpr std::uint64_t pieces_ahead = 8;
constexpr std::uint64_t retry_pause_ms = 1000;
/// So long other peers may take to say what they have.
constexpr std::uint64_t hello_wait_ms = 2000;
constexpr std::uint64_t told_each_ms = 5000;
constexpr std::uint64_t wait_told_each_ms = 30000;

}  // namespace

/// A copy under way. The thread's while it is busy: manifest, builder, sequence.
struct CopyReceiver::Running {
    Running(DataDirectory& directory, LinkId from, std::uint64_t copy)
        : data(directory), link(from), nonce(copy) {}

    DataDirectory& data;
    LinkId link;
    std::uint64_t nonce;
    BackupManifest manifest;
    std::optional<StateBuilder> builder;
    std::optional<BackupSequence> sequence;
    bool rows_ended = false;
    std::deque<CopyPiece> waiting;
    std::uint64_t received = 0;  // pieces
    std::uint64_t built = 0;     // pieces
    std::optional<BackupManifest> end;
    bool finishing = false;
    Background background{"copy"};  // last: it uses what is above

    Result<void> build(const CopyPiece& piece) {
        if (piece.events) SYNCLINE_CHECK(end_rows());
        const BackupFileKind kind = piece.events ? BackupFileKind::log : BackupFileKind::rows;
        for (const Bytes& block : piece.blocks) SYNCLINE_CHECK(sequence->block(kind, block));
        return {};
    }

    Result<void> end_rows() {
        return std::exchange(rows_ended, true) ? Result<void>() : sequence->rows_end();
    }

    Result<void> finish(Random& random) {
        SYNCLINE_CHECK(end_rows());
        SYNCLINE_CHECK(sequence->end());
        SYNCLINE_CHECK(builder->check());
        SYNCLINE_TRY(const std::unique_ptr<Log> log,
                     Log::open(*data.log_disk, data.log_options(), random, 0));
        return builder->finish(hash64(to_bytes(data.identity.cluster)), log->id());
    }
};

CopyReceiver::CopyReceiver(DataDirectory& data, Env env, Options options,
                           std::function<void()> on_done)
    : data_(data), env_(env), options_(std::move(options)), on_done_(std::move(on_done)) {
    SYNCLINE_ASSERT(data.copying);
    told_ms_ = env_.clock.steady_ms();
}

CopyReceiver::~CopyReceiver() = default;

void CopyReceiver::send(LinkId link, const Message& message) {
    if (links_.count(link) == 0) return;  // it ended while the thread worked
    messages_.push_back(outgoing(link, message));
}

std::vector<Outgoing> CopyReceiver::take_messages() {
    return std::exchange(messages_, {});
}

std::vector<std::pair<LinkId, Error>> CopyReceiver::take_closed() {
    return std::exchange(closed_, {});
}

void CopyReceiver::link_up(LinkId link, const Uuid& peer) {
    links_.emplace(link, peer);
}

void CopyReceiver::link_down(LinkId link) {
    links_.erase(link);
    sources_.erase(link);
    const bool lacks_more = running_ && running_->link == link && !running_->end;
    if (lacks_more) abandon("the link to the peer ended");
}

void CopyReceiver::receive(LinkId link, std::uint8_t type, BytesView payload) {
    if (state_ != State::waiting && state_ != State::copying) return;
    if (const Result<void> taken = take_in(link, type, payload); !taken) {
        closed_.emplace_back(link, taken.error());
    }
}

Result<void> CopyReceiver::take_in(LinkId link, std::uint8_t type, BytesView payload) {
    SYNCLINE_TRY(Message message, decode_message(type, payload));
    if (const auto* hello = std::get_if<Hello>(&message)) return on_hello(link, *hello);
    if (!running_ || running_->link != link) return {};
    active_ms_ = env_.clock.steady_ms();
    if (const auto* opened = std::get_if<CopyOpened>(&message)) {
        return opened->nonce == running_->nonce ? on_opened(*opened) : Result<void>();
    }
    if (auto* piece = std::get_if<CopyPiece>(&message)) {
        return piece->nonce == running_->nonce ? on_piece(std::move(*piece)) : Result<void>();
    }
    if (const auto* end = std::get_if<CopyEnd>(&message)) {
        return end->nonce == running_->nonce ? on_end(*end) : Result<void>();
    }
    return {};
}

Result<void> CopyReceiver::on_hello(LinkId link, const Hello& hello) {
    if (hello.cluster != data_.identity.cluster) {
        return Error{Code::unauthorized, "the peer belongs to another cluster"};
    }
    if (sources_.empty()) hello_ms_ = env_.clock.steady_ms();
    Source& source = sources_[link];
    source.rows = hello.copied_rows;
    // What would be refused later the replica refuses at once. In a term rows are not all that
    // there is to a backup.
    const bool fits = hello.leaf_bits == options_.leaf_bits &&
                      hello.policies == options_.policies &&
                      hello.mode == ReplicationMode::multi_master;
    const bool much =
        hello.copied_rows >= options_.rows_min || hello.copied_bytes >= options_.bytes_min;
    source.many = fits && much && hello.copied_rows > 0;
    met_many_ = met_many_ || source.many;
    return {};
}

/// Whom to ask, or that nobody need be asked.
void CopyReceiver::decide(std::uint64_t now_ms) {
    if (running_ || state_ != State::waiting) return;
    std::optional<LinkId> best;
    for (const auto& [link, source] : sources_) {
        if (!source.many) continue;
        if (!best || source.attempts < sources_[*best].attempts) best = link;
    }
    if (best) {
        if (now_ms >= retry_ms_) open(*best);
    } else if (!met_many_ && !sources_.empty()) {
        const bool all = sources_.size() == links_.size();
        if (all || now_ms - hello_ms_ >= hello_wait_ms) state_ = State::needless;
    }
}

void CopyReceiver::open(LinkId link) {
    running_ = std::make_unique<Running>(data_, link, env_.random.next());
    ++sources_[link].attempts;
    active_ms_ = env_.clock.steady_ms();
    progress_ = CopyProgress{0, sources_[link].rows, 0, active_ms_};
    send(link, CopyOpen{running_->nonce});
}

Result<void> CopyReceiver::on_opened(const CopyOpened& opened) {
    if (!opened.begun) {
        abandon("the peer is busy with another copy or a backup");
        return {};
    }
    Running& run = *running_;
    if (run.builder) return Error{Code::corrupt, "a copy was opened twice"};
    SYNCLINE_TRY(run.manifest, decode_manifest(opened.manifest));
    if (run.manifest.cluster != data_.identity.cluster ||
        run.manifest.leaf_bits != options_.leaf_bits) {
        return Error{Code::corrupt, "the copy is of another cluster"};
    }
    run.builder.emplace(*data_.base, run.manifest);
    run.sequence.emplace(run.manifest, *run.builder);
    state_ = State::copying;
    log(LogLevel::info, "copy.begun",
        {{"peer", to_string(links_[run.link])}, {"rows", std::to_string(progress_.rows_expected)}});
    send(run.link, CopyNext{run.nonce, pieces_ahead});
    return {};
}

Result<void> CopyReceiver::on_piece(CopyPiece piece) {
    Running& run = *running_;
    const bool due = run.builder && !run.end && piece.index == run.received &&
                     piece.index < run.built + pieces_ahead;
    if (!due) return Error{Code::corrupt, "a piece of a copy is out of place"};
    ++run.received;
    for (const Bytes& block : piece.blocks) progress_.bytes += block.size();
    run.waiting.push_back(std::move(piece));
    feed();
    return {};
}

Result<void> CopyReceiver::on_end(const CopyEnd& end) {
    if (end.manifest.empty()) {
        abandon("the peer ended the copy");
        return {};
    }
    Running& run = *running_;
    SYNCLINE_TRY(BackupManifest manifest, decode_manifest(end.manifest));
    const bool same = run.builder && !run.end && manifest.cluster == run.manifest.cluster &&
                      manifest.from == run.manifest.from &&
                      manifest.vv_from == run.manifest.vv_from &&
                      manifest.leaf_bits == run.manifest.leaf_bits;
    if (!same) return Error{Code::corrupt, "the end of a copy does not fit its beginning"};
    for (const VersionVector::Entry& entry : manifest.vv.entries()) {
        if (entry.first.node != data_.identity.node_id) continue;
        return Error{Code::unauthorized, "another replica has written under this one's node id"};
    }
    if (manifest.hlc.ms() > env_.clock.wall_ms() + limits::clock_offset_ms_max) {
        abandon("the peer's clock is ahead");
        return {};
    }
    run.end = std::move(manifest);
    feed();
    return {};
}

/// Gives the thread something to do.
void CopyReceiver::feed() {
    Running& run = *running_;
    if (run.background.busy()) return;
    if (!run.waiting.empty()) {
        CopyPiece piece = std::move(run.waiting.front());
        run.waiting.pop_front();
        run.background.post([&run, piece = std::move(piece)]() { return run.build(piece); },
                            on_done_);
    } else if (run.end && !run.finishing) {
        run.finishing = true;
        run.manifest = *run.end;
        run.background.post([&run, &random = env_.random]() { return run.finish(random); },
                            on_done_);
    }
}

void CopyReceiver::turn() {
    const std::uint64_t now_ms = env_.clock.steady_ms();
    if (running_) {
        if (const auto result = running_->background.take_result()) finish_piece(*result);
    }
    const bool waits_for_peer = running_ && !running_->background.busy() && !running_->end;
    if (waits_for_peer && now_ms - active_ms_ > limits::copy_silence_ms_max) {
        abandon("the peer is silent");
    }
    decide(now_ms);
    tell(now_ms);
}

void CopyReceiver::tell(std::uint64_t now_ms) {
    if (state_ == State::copying && now_ms - told_ms_ >= told_each_ms) {
        told_ms_ = now_ms;
        log(LogLevel::info, "copy.progress",
            {{"rows", std::to_string(progress_.rows)},
             {"rows_expected", std::to_string(progress_.rows_expected)},
             {"bytes", std::to_string(progress_.bytes)}});
    }
    if (state_ == State::waiting && now_ms - told_ms_ >= wait_told_each_ms) {
        told_ms_ = now_ms;
        log(LogLevel::warning, "copy.waiting",
            {{"peers", std::to_string(links_.size())},
             {"meaning",
              "no peer says what it holds, or can be copied now; --copy-rows 0 or --init start "
              "without"}});
    }
}

/// What the thread has done, well or not.
void CopyReceiver::finish_piece(const Result<void>& result) {
    Running& run = *running_;
    active_ms_ = env_.clock.steady_ms();
    if (!result) {
        const Error error = result.error();
        const bool of_peer = error.code == Code::corrupt || error.code == Code::version ||
                             error.code == Code::causality || error.code == Code::limit;
        if (of_peer) closed_.emplace_back(run.link, error.in("copy"));
        abandon(error.message);
        if (!of_peer) fail(error);
        return;
    }
    if (run.finishing) {
        if (const Result<void> ended = data_.end_copy(); !ended) return fail(ended.error());
        log(LogLevel::info, "copy.done",
            {{"rows", std::to_string(run.manifest.rows)},
             {"events", std::to_string(run.manifest.events)},
             {"ms", std::to_string(env_.clock.steady_ms() - progress_.begun_ms)}});
        running_.reset();
        state_ = State::done;
        return;
    }
    ++run.built;
    progress_.rows = run.sequence->rows();
    send(run.link, CopyNext{run.nonce, run.built + pieces_ahead});
    feed();
}

/// The peer is let go, what came is removed, and some time later a peer is asked again.
void CopyReceiver::abandon(const std::string& reason) {
    log(LogLevel::warning, "copy.ended", {{"reason", reason}});
    send(running_->link, CopyEnd{running_->nonce, {}});
    const bool wrote = running_->builder.has_value();
    running_.reset();  // waits for the thread
    state_ = State::waiting;
    retry_ms_ = env_.clock.steady_ms() + retry_pause_ms;
    if (!wrote) return;
    if (const Result<void> cleared = data_.clear_copy(); !cleared) fail(cleared.error());
}

void CopyReceiver::fail(const Error& error) {
    failure_ = error;
    state_ = State::failed;
}

}  // namespace syncline
