#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/backup/progress.hpp"
#include "core/engine/data_directory.hpp"
#include "core/engine/key_policies.hpp"
#include "core/protocol/message.hpp"

namespace syncline {

/// A replica that is new and has not opened its data yet: copies the rows of a peer that has many,
/// straight into its base. What a Merkle session would hold in memory, and make the peer hold its
/// checkpoint for, flows through in pieces; the peer works on meanwhile, and what it does goes
/// behind the rows as events. At the end the rows must add up to the peer's. Why they do:
/// core/backup/README.md.
///
/// Happy path: the HELLO of a peer says that it has many rows; OPEN; OPENED and pieces, which a
/// thread of its own puts into the base, and for each of which another is asked for; END; done.
/// Failures: the peer is gone, busy, silent, or ends it: what came is removed, and some time later
/// a peer is asked again, the one that was asked least. Bytes that make no sense close the link.
/// Nothing of what it writes means anything before done; a start after a crash removes it.
/// Thread-safety: confined to one thread, but `on_done`, which its own thread calls.
class CopyReceiver {
public:
    enum class State : std::uint8_t {
        waiting,   ///< for a peer, or for the next attempt
        copying,   ///< pieces come
        needless,  ///< all peers have few rows: they come as to any replica
        done,      ///< the base holds the peer's rows; a replica may be opened on it
        failed,    ///< the own disk does not take them: see failure()
    };

    struct Options {
        unsigned leaf_bits = 16;                           ///< a constant of the cluster
        KeyPolicies policies;                              ///< of the whole cluster, too
        std::uint64_t rows_min = limits::copy_rows_min;    ///< fewer are not copied,
        std::uint64_t bytes_min = limits::copy_bytes_min;  ///< unless they have so many bytes
    };
    /// `on_done`: turn() has something to do. The directory must outlive this, is of a cluster, and
    /// must hold nothing: DataDirectory::begin_copy() was called.
    CopyReceiver(DataDirectory& data, Env env, Options options, std::function<void()> on_done);
    /// Waits for the piece under way.
    ~CopyReceiver();
    CopyReceiver(const CopyReceiver&) = delete;
    CopyReceiver& operator=(const CopyReceiver&) = delete;

    void link_up(LinkId link, const Uuid& peer);
    void link_down(LinkId link);
    /// Any message of a peer; those that are not for this are passed by.
    void receive(LinkId link, std::uint8_t type, BytesView payload);
    /// In each turn, and every 100 ms or so.
    void turn();
    std::vector<Outgoing> take_messages();
    /// Links to be closed, and why: what came over them was damaged.
    std::vector<std::pair<LinkId, Error>> take_closed();

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
    [[nodiscard]] const CopyProgress& progress() const { return progress_; }
    [[nodiscard]] const std::map<LinkId, Uuid>& links() const { return links_; }

private:
    struct Running;
    /// A peer whose HELLO came.
    struct Source {
        std::uint64_t rows = 0;
        bool many = false;  ///< it has much to copy, and a copy of it would be ours
        unsigned attempts = 0;
    };

    Result<void> take_in(LinkId link, std::uint8_t type, BytesView payload);
    Result<void> on_hello(LinkId link, const Hello& hello);
    Result<void> on_opened(const CopyOpened& opened);
    Result<void> on_piece(CopyPiece piece);
    Result<void> on_end(const CopyEnd& end);
    void open(LinkId link);
    void decide(std::uint64_t now_ms);
    void tell(std::uint64_t now_ms);
    void feed();
    void finish_piece(const Result<void>& result);
    void abandon(const std::string& reason);
    void fail(const Error& error);
    void send(LinkId link, const Message& message);

    DataDirectory& data_;
    Env env_;
    const Options options_;
    std::function<void()> on_done_;
    State state_ = State::waiting;
    std::optional<Error> failure_;
    CopyProgress progress_;
    std::map<LinkId, Uuid> links_;
    std::map<LinkId, Source> sources_;
    bool met_many_ = false;        // a peer with much to copy was there
    std::uint64_t hello_ms_ = 0;   // steady; when the first HELLO came
    std::uint64_t retry_ms_ = 0;   // steady; no attempt before
    std::uint64_t active_ms_ = 0;  // steady; when the copy went on last
    std::uint64_t told_ms_ = 0;    // steady; when something was logged
    std::unique_ptr<Running> running_;
    std::vector<Outgoing> messages_;
    std::vector<std::pair<LinkId, Error>> closed_;
};

}  // namespace syncline
