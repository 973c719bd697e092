#include "core/backup/copy_server.hpp"

#include <utility>

#include "core/base/log.hpp"

namespace syncline {
namespace {

/// Well before the other side gives up.
constexpr std::uint64_t sign_of_life_ms = limits::copy_silence_ms_max / 6;

}  // namespace

struct CopyServer::Running {
    Running(Replica& replica, Env env, std::size_t piece_bytes, LinkId to, std::uint64_t copy)
        : link(to),
          nonce(copy),
          source(replica, env.clock.wall_ms(), replica.repair_budget().piece_bytes(piece_bytes),
                 BackupSource::Order::rows_first),
          claim(replica.repair_budget()),
          active_ms(env.clock.steady_ms()) {}

    LinkId link;
    std::uint64_t nonce;
    BackupSource source;
    Compressor compressor;
    RepairBudget::Claim claim;
    std::uint64_t sent = 0;
    std::uint64_t end = 1;    // pieces in front of it may be sent
    bool waits = false;       // for a flush or a checkpoint
    std::uint64_t active_ms;  // steady; when something was asked for, or sent
};

CopyServer::CopyServer(Replica& replica, Env env, std::size_t compressed_bytes_min,
                       std::size_t piece_bytes_target)
    : replica_(replica),
      env_(env),
      compressed_bytes_min_(compressed_bytes_min),
      piece_bytes_target_(piece_bytes_target) {}

CopyServer::~CopyServer() = default;

bool CopyServer::takes(std::uint8_t type) {
    switch (static_cast<MessageType>(type)) {
        case MessageType::copy_open:
        case MessageType::copy_next:
        case MessageType::copy_end:
            return true;
        default:
            return false;
    }
}

void CopyServer::receive(LinkId link, std::uint8_t type, BytesView payload, bool busy) {
    const Result<Message> message = decode_message(type, payload);
    if (!message) {
        closed_.emplace_back(link, message.error());
        return;
    }
    if (const auto* open = std::get_if<CopyOpen>(&*message)) {
        if (running_ && running_->link == link) running_.reset();  // it has begun anew
        if (running_ || busy) {
            send(link, CopyOpened{open->nonce, false, {}});
            return;
        }
        running_ =
            std::make_unique<Running>(replica_, env_, piece_bytes_target_, link, open->nonce);
        log(LogLevel::info, "copy.serving",
            {{"rows", std::to_string(replica_.group().leaf_sums().root().count)}});
    } else if (const auto* next = std::get_if<CopyNext>(&*message)) {
        if (!runs(link, next->nonce)) return;
        running_->end = std::max(running_->end, next->end);
        running_->active_ms = env_.clock.steady_ms();
    } else if (const auto* ended = std::get_if<CopyEnd>(&*message)) {
        if (runs(link, ended->nonce)) running_.reset();
    }
}

bool CopyServer::runs(LinkId link, std::uint64_t nonce) const {
    return running_ && running_->link == link && running_->nonce == nonce;
}

void CopyServer::link_down(LinkId link) {
    if (running_ && running_->link == link) running_.reset();
}

void CopyServer::turn() {
    if (!running_) return;
    Running& run = *running_;
    const std::uint64_t now_ms = env_.clock.steady_ms();
    if (run.sent >= run.end) {  // the log is held meanwhile
        run.claim.withdraw();
        if (now_ms - run.active_ms > limits::copy_silence_ms_max) {
            end("the new replica asks for nothing");
        }
        return;
    }
    if (!run.claim.granted(now_ms)) return wait_for_budget(now_ms);
    Result<std::optional<BackupPiece>> piece = run.source.next();
    if (!piece) return end(piece.error().message);
    run.waits = !*piece && !run.source.finished();
    if (*piece && (*piece)->begins_anew) return end("the rows of a peer were taken over");
    if (*piece) send_piece(std::move(**piece), now_ms);
    if (!run.source.finished()) return;
    send(run.link, CopyEnd{run.nonce, encode_manifest(run.source.manifest())});
    log(LogLevel::info, "copy.served",
        {{"rows", std::to_string(run.source.progress().rows)},
         {"events", std::to_string(run.source.progress().events)},
         {"bytes", std::to_string(run.source.progress().bytes)}});
    running_.reset();
}

void CopyServer::send_piece(BackupPiece piece, std::uint64_t now_ms) {
    Running& run = *running_;
    if (run.sent == 0) {
        send(run.link, CopyOpened{run.nonce, true, encode_manifest(run.source.manifest())});
    }
    const bool events = piece.file == BackupFileKind::log;
    const std::size_t bytes =
        send(run.link, CopyPiece{run.nonce, run.sent++, events, std::move(piece.payloads)});
    replica_.repair_budget().spend(bytes, now_ms);
    run.active_ms = now_ms;
}

/// The new replica must not take this one for dead. Before the first piece nothing can be said but
/// that it should ask again, or ask another.
void CopyServer::wait_for_budget(std::uint64_t now_ms) {
    Running& run = *running_;
    if (now_ms - run.active_ms < sign_of_life_ms) return;
    if (run.sent > 0) {
        send(run.link, CopyPiece{run.nonce, run.sent++, false, {}});
        run.active_ms = now_ms;
        return;
    }
    log(LogLevel::info, "copy.put_off", {{"reason", "what is owed to the cap on repair"}});
    send(run.link, CopyOpened{run.nonce, false, {}});
    running_.reset();
}

bool CopyServer::due() const {
    const bool may = running_ && !running_->waits && running_->sent < running_->end;
    return may && replica_.repair_budget().open(env_.clock.steady_ms());
}

std::vector<Outgoing> CopyServer::take_messages() {
    return std::exchange(messages_, {});
}

std::vector<std::pair<LinkId, Error>> CopyServer::take_closed() {
    return std::exchange(closed_, {});
}

/// How many bytes it has as it goes out. Whoever may open a copy takes compressed messages, too.
std::size_t CopyServer::send(LinkId link, const Message& message) {
    WireMessage wire{static_cast<std::uint8_t>(message_type(message)), encode_message(message)};
    if (running_) compress(wire, running_->compressor, compressed_bytes_min_);
    const std::size_t bytes = wire.payload.size();
    messages_.push_back(Outgoing{link, wire.type, std::move(wire.payload)});
    return bytes;
}

void CopyServer::end(const std::string& reason) {
    log(LogLevel::warning, "copy.ended", {{"reason", reason}});
    send(running_->link, CopyEnd{running_->nonce, {}});
    running_.reset();
}

}  // namespace syncline
