#include "core/backup/copy_receiver.hpp"

#include <deque>
#include <mutex>
#include <utility>

#include "core/backup/builder.hpp"
#include "core/base/hash.hpp"
#include "core/base/log.hpp"
#include "storage/worker.hpp"

namespace syncline {
namespace {

/// On their way, or waiting for the thread: keeps link and disk busy at once.
constexpr std::uint64_t pieces_ahead = 8;
constexpr std::uint64_t retry_pause_ms = 1000;
constexpr std::uint64_t told_each_ms = 5000;

}  // namespace

/// A copy under way. The thread's while `busy`: manifest, builder, sequence.
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
    bool busy = false;
    std::mutex mutex;  // guards the result
    std::optional<Result<void>> result;
    Worker worker{"copy"};  // last: its end waits for the job, which uses what is above

    std::optional<Result<void>> take_result() {
        const std::lock_guard lock(mutex);
        return std::exchange(result, std::nullopt);
    }
    void post(std::function<Result<void>()> work, const std::function<void()>& on_done) {
        busy = true;
        worker.post([this, work = std::move(work), on_done]() {
            Result<void> done = work();
            {
                const std::lock_guard lock(mutex);
                result = std::move(done);
            }
            on_done();
        });
    }

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

CopyReceiver::CopyReceiver(DataDirectory& data, Env env, unsigned leaf_bits, std::uint64_t rows_min,
                           std::function<void()> on_done)
    : data_(data),
      env_(env),
      leaf_bits_(leaf_bits),
      rows_min_(rows_min),
      on_done_(std::move(on_done)) {}

CopyReceiver::~CopyReceiver() = default;

void CopyReceiver::send(LinkId link, const Message& message) {
    messages_.push_back(
        Outgoing{link, static_cast<std::uint8_t>(message_type(message)), encode_message(message)});
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
    rows_of_.erase(link);
    if (running_ && running_->link == link) abandon("the link to the peer ended");
}

void CopyReceiver::receive(LinkId link, std::uint8_t type, BytesView payload) {
    if (state_ != State::waiting && state_ != State::copying) return;
    if (const Result<void> taken = take_in(link, type, payload); !taken) {
        closed_.emplace_back(link, taken.error());
    }
}

Result<void> CopyReceiver::take_in(LinkId link, std::uint8_t type, BytesView payload) {
    if (type == static_cast<std::uint8_t>(MessageType::compressed)) {
        SYNCLINE_TRY(const WireMessage inner, decompress_message(payload));
        return take_in(link, inner.type, inner.payload);
    }
    SYNCLINE_TRY(Message message, decode_message(type, payload));
    if (const auto* hello = std::get_if<Hello>(&message)) return on_hello(link, *hello);
    if (!running_ || running_->link != link) return {};
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
    rows_of_[link] = hello.copied_rows;
    if (running_ || state_ != State::waiting) return {};
    const bool many = hello.copied_rows >= rows_min_ && hello.leaf_bits == leaf_bits_;
    // In a term, too, rows are not all that there is to a backup.
    if (!many || hello.mode != ReplicationMode::multi_master) {
        state_ = State::needless;
        return {};
    }
    if (env_.clock.steady_ms() >= retry_ms_) open(link);
    return {};
}

void CopyReceiver::open(LinkId link) {
    running_ = std::make_unique<Running>(data_, link, env_.random.next());
    progress_ = CopyProgress{0, rows_of_[link], 0, env_.clock.steady_ms()};
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
    if (run.manifest.cluster != data_.identity.cluster || run.manifest.leaf_bits != leaf_bits_) {
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
    run.end = std::move(manifest);
    feed();
    return {};
}

/// Gives the thread something to do.
void CopyReceiver::feed() {
    Running& run = *running_;
    if (run.busy) return;
    if (!run.waiting.empty()) {
        CopyPiece piece = std::move(run.waiting.front());
        run.waiting.pop_front();
        run.post([&run, piece = std::move(piece)]() { return run.build(piece); }, on_done_);
    } else if (run.end && !run.finishing) {
        run.finishing = true;
        run.manifest = *run.end;
        run.post([&run, &random = env_.random]() { return run.finish(random); }, on_done_);
    }
}

void CopyReceiver::turn() {
    const std::uint64_t now = env_.clock.steady_ms();
    if (running_ && running_->busy) {
        const std::optional<Result<void>> result = running_->take_result();
        if (result) finish_piece(*result);
    }
    if (state_ == State::copying && now - told_ms_ >= told_each_ms) {
        told_ms_ = now;
        log(LogLevel::info, "copy.progress",
            {{"rows", std::to_string(progress_.rows)},
             {"rows_expected", std::to_string(progress_.rows_expected)},
             {"bytes", std::to_string(progress_.bytes)}});
    }
    if (running_ || state_ != State::waiting || now < retry_ms_) return;
    for (const auto& [link, rows] : rows_of_) {
        if (rows >= rows_min_) return open(link);
    }
}

/// What the thread has done, well or not.
void CopyReceiver::finish_piece(const Result<void>& result) {
    Running& run = *running_;
    run.busy = false;
    if (!result) {
        const Error error = result.error();
        const bool of_peer = error.code == Code::corrupt || error.code == Code::version ||
                             error.code == Code::causality || error.code == Code::limit;
        if (of_peer) closed_.emplace_back(run.link, error.in("copy"));
        abandon(error.message);
        if (of_peer) return;
        failure_ = error;
        state_ = State::failed;
        return;
    }
    if (run.finishing) {
        if (const Result<void> ended = data_.end_copy(); !ended) {
            failure_ = ended.error();
            state_ = State::failed;
            return;
        }
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
    running_.reset();  // waits for the thread
    state_ = State::waiting;
    retry_ms_ = env_.clock.steady_ms() + retry_pause_ms;
    if (const Result<void> cleared = data_.clear_copy(); !cleared) {
        failure_ = cleared.error();
        state_ = State::failed;
    }
}

}  // namespace syncline
