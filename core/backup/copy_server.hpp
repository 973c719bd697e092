#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "core/backup/source.hpp"
#include "core/engine/replica.hpp"
#include "core/protocol/message.hpp"

namespace syncline {

/// Lets new replicas copy the rows of one that works: pieces of a backup as messages, as fast as
/// they are taken and the replica's RepairBudget allows. One copy at a time; who asks meanwhile is
/// told to come again, and so is who would wait for long for the first piece.
/// Happy path: COPY OPEN; COPY OPENED with the first piece that can be read; pieces in front of the
/// end that COPY NEXT names; COPY END with the manifest. While a piece waits for the budget, one
/// without blocks goes out now and then as a sign of life. Failures: the link goes down, the copy
/// is ended by the other side, that one is silent for limits::copy_silence_ms_max, or the replica
/// takes over a peer's rows: then it ends without one. Thread-safety: confined to the replica's
/// thread; the replica must outlive it.
class CopyServer {
public:
    /// Pieces are compressed from `compressed_bytes_min` bytes on; 0: never.
    CopyServer(Replica& replica, Env env, std::size_t compressed_bytes_min,
               std::size_t piece_bytes_target = limits::backup_turn_bytes_target);
    ~CopyServer();
    CopyServer(const CopyServer&) = delete;
    CopyServer& operator=(const CopyServer&) = delete;

    /// Whether a message is for this or for a replica.
    static bool takes(std::uint8_t type);
    /// A message that takes() says is for this. `busy`: the log is held for something else.
    void receive(LinkId link, std::uint8_t type, BytesView payload, bool busy);
    void link_down(LinkId link);
    /// To be called in each turn, before what the turn read is let go: reads one piece, if one may
    /// be sent.
    void turn();
    /// To be sent now.
    std::vector<Outgoing> take_messages();
    /// Links to be closed, and why: what came over them was damaged.
    std::vector<std::pair<LinkId, Error>> take_closed();
    /// A copy is under way: the log is held.
    [[nodiscard]] bool active() const { return running_ != nullptr; }
    /// Another turn should follow at once.
    [[nodiscard]] bool due() const;

private:
    struct Running;

    [[nodiscard]] bool runs(LinkId link, std::uint64_t nonce) const;
    void wait_for_budget(std::uint64_t now_ms);
    void send_piece(BackupPiece piece, std::uint64_t now_ms);
    std::size_t send(LinkId link, const Message& message);
    void end(const std::string& reason);

    Replica& replica_;
    Env env_;
    const std::size_t compressed_bytes_min_;
    const std::size_t piece_bytes_target_;
    std::unique_ptr<Running> running_;
    std::vector<Outgoing> messages_;
    std::vector<std::pair<LinkId, Error>> closed_;
};

}  // namespace syncline
