#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/log.hpp"
#include "net/commands/command.hpp"
#include "net/peer_link.hpp"

namespace syncline {

/// What the peers are for: the server's side of a link.
class PeerOwner {
public:
    virtual ~PeerOwner() = default;
    virtual PeerLink::Self self() = 0;
    /// A peer has proved itself. The owner may become a member of its cluster here. False: no use
    /// for the link, close it.
    virtual bool admit(const PeerIdentity& peer) = 0;
    virtual void link_up(LinkId link, const Uuid& peer) = 0;
    virtual void link_down(LinkId link) = 0;
    virtual void peer_message(LinkId link, std::uint8_t type, BytesView payload) = 0;
    /// A long message is on its way, and some of it went in the last half second.
    virtual void peer_transfer(LinkId link) = 0;
    /// Rows are copied, in or out; a copy ends with its link.
    [[nodiscard]] virtual bool copies_rows() const = 0;
    /// How many addresses are configured says how many replicas there are: each is one.
    [[nodiscard]] virtual bool counts_addresses() const = 0;
};

/// All links of a replica: dials the configured peers, again and again with growing pauses, accepts
/// those who dial, and keeps one link to each peer.
///
/// Two connections to one peer: the one whose initiator has the smaller uuid stays; of two in the
/// same direction the newer. Both sides come to the same result. A configured peer that is
/// connected the other way round is not dialed. An address that leads back here is no peer, so that
/// all replicas may be given the same list (not in mode primary-backup: its length counts there).
/// Confined to the loop's thread.
class Peers {
public:
    Peers(Loop& loop, PeerOwner& owner, PeerCredentials credentials, Env env);
    ~Peers();
    Peers(const Peers&) = delete;
    Peers& operator=(const Peers&) = delete;

    /// Dials these from now on, and no others. Call it when the server runs, and again when its
    /// settings have changed: links that were made by dialing others end, those that others made
    /// stay.
    void dial(const std::vector<TcpEndpoint>& endpoints);
    void accept(std::unique_ptr<TcpConnection> connection);
    /// No more links, in or out.
    void stop();

    void send(LinkId link, std::uint8_t type, BytesView payload);
    void close(LinkId link, const Error& reason);
    /// Reads certificates again when their files have changed, and lets go of peers whose own are
    /// believed no more. Call it now and then; it looks once a second.
    void tick();
    /// Frees what ended in this turn. Call at the end of each turn.
    void finish_turn();

    [[nodiscard]] std::vector<PeerView> views() const;
    /// Refuses a peer, by name, uuid or address, or allows it again. Error invalid_argument.
    Result<void> set_blocked(BytesView peer, bool blocked);
    /// Whether a configured address has turned out to be this replica's own, and is no peer. A name
    /// that leads nowhere else is one still where no other address is configured: peers may get it
    /// later, and without it nobody would be missed.
    [[nodiscard]] bool is_itself(BytesView address) const;
    /// The link to a peer. Errors: invalid_argument (unknown), unavailable (not connected; why, as
    /// far as it is known).
    Result<LinkId> find(BytesView peer) const;

private:
    struct Target;
    struct Known {  // what is known of a peer that was here once
        std::string name;
        std::string address;  // as configured, or where it last came from
        std::uint32_t node_id = 0;
        std::uint64_t bytes_in = 0;  // of ended links
        std::uint64_t bytes_out = 0;
        std::uint64_t dropped = 0;   // publications, by ended links
        std::uint64_t heard_ms = 0;  // by ended links
    };

    using Names = std::set<std::string>;

    PeerLink& add_link(PeerAuth::Role role, std::unique_ptr<TcpConnection> connection);
    void on_ready(PeerLink& link);
    void on_name(PeerLink& link);
    /// The end of a link, whoever ended it.
    void drop(PeerLink& link, LogLevel level, const std::string& reason);
    /// Why a peer that has proved itself is not welcome; empty if it is.
    [[nodiscard]] std::string refusal(const PeerIdentity& peer) const;
    /// Whether a new link to a peer takes the place of the one there is.
    [[nodiscard]] bool replaces(const PeerLink& newer, const PeerLink& older) const;
    /// The link in use.
    [[nodiscard]] PeerLink* live_link(const Uuid& peer) const;
    [[nodiscard]] Target* target_of(LinkId link) const;
    /// The other end of a link that leads from this process back to it.
    [[nodiscard]] PeerLink* far_end(const PeerLink& link) const;
    /// What came of dialing. `own_address`: the one that led back here; empty: none did.
    void note_round(Target& target, const std::string& own_address);
    [[nodiscard]] bool is_itself(const Target& target) const;

    void try_dial(Target& target);
    void dial_again(Target& target);
    void dialed(Target& target, Result<std::unique_ptr<TcpConnection>> connection);

    [[nodiscard]] Names names_of(const Uuid& peer) const;
    [[nodiscard]] Names names_of(const Target& target) const;
    [[nodiscard]] bool is_blocked(const Names& names) const;
    /// The names of all peers that go by this one.
    [[nodiscard]] Names aliases(BytesView name) const;
    [[nodiscard]] PeerView view_of(const Uuid& uuid, const Known& known) const;

    Loop& loop_;
    PeerOwner& owner_;
    PeerCredentials credentials_;
    std::uint64_t credentials_ms_ = 0;  // when their files were looked at
    Env env_;
    LinkId next_link_ = 1;
    std::map<LinkId, std::unique_ptr<PeerLink>> links_;
    std::vector<std::unique_ptr<Target>> targets_;
    std::map<Uuid, Known> known_;
    std::set<LinkId> up_;  // the owner knows of them
    Names blocked_;
    std::optional<std::uint64_t> refusal_logged_ms_;  // of a connection from outside
    bool stopped_ = false;
};

}  // namespace syncline
