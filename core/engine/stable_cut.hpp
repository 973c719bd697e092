#pragma once
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/engine/identity.hpp"
#include "crdt/version_vector.hpp"

namespace syncline {

/// What every replica of the cluster has: a version vector below all of theirs, found from what
/// they report. Only with a declared number of replicas, and with all of them known: what one has
/// that nobody hears of must hold the cut back.
/// A report counts once this replica has all of it itself. Otherwise it might know through another
/// peer that the reporter has seen a reset, collect the entry, and only then get the reporter's own
/// older increments.
/// Source: causal stability as in C. Baquero, P. Almeida, A. Shoker, "Pure operation-based
/// replicated data types", 2017.
/// Thread-safety: a value; confined to one thread.
class StableCut {
public:
    /// `replicas`: all of them, this one included; 0: not declared.
    explicit StableCut(std::size_t replicas) : replicas_(replicas) {}

    [[nodiscard]] bool on() const { return replicas_ > 0; }
    /// Who belongs to the cluster now, this replica not counted, by the membership record; from
    /// here on no other number counts. What was reported before counts no more: a replica may have
    /// reported less than it had of one that is no member any more, and that nobody else has.
    /// `self`: this replica is a member; else the cut stays where it is.
    /// `joins`: it has not yet what the others have.
    void set_members(const std::vector<Uuid>& others, bool self, bool joins);
    [[nodiscard]] std::size_t replicas() const { return replicas_; }
    /// Whether a replica belongs to the cluster, or there is room for it.
    [[nodiscard]] bool has_room_for(const Uuid& peer) const {
        return !on() || peers_.contains(peer) || peers_.size() + 1 < replicas_;
    }
    /// Precondition: has_room_for(peer).
    void introduce(const Uuid& peer, std::string name);
    /// A peer that will not come back. False: it is not known. What the others reported counts no
    /// more; what they reported before this and is still on its way here must not come to report().
    bool forget(std::string_view name_or_uuid);
    /// A peer holds this durably.
    void report(const Uuid& peer, const VersionVector& durable);
    /// Takes reports into account that `own` covers by now. True: the cut grew.
    bool advance(const VersionVector& own);

    /// Takes over what a peer has found. Whoever joins its rows must: they may lack what this cut
    /// allows to collect. Precondition: this replica has all that the peer had; the cut alone would
    /// not do, for the same reason for which reports must be covered. Also one that does not know
    /// yet who the others are: it is let in only later. True: the cut grew, and rows can be
    /// collected.
    bool adopt(const VersionVector& peer_cut);

    [[nodiscard]] const VersionVector& cut() const { return cut_; }

    /// A replica that begins with little takes no writes between its first contact and having what
    /// the others had: an event that has seen one of two stable values and not the other would
    /// remove the wrong one where the other was collected. Called with what a peer's HELLO says.
    void met(const VersionVector& own, const VersionVector& peer, const VersionVector& peer_cut);
    /// The same from now on, before the first contact: for one whose data may be old, as those of a
    /// copied directory are.
    void begin_anew() {
        joined_ = false;
        alone_ = on() && replicas_ > 1;
    }
    /// It once had what the others had.
    [[nodiscard]] bool joined() const { return joined_; }
    /// Whether that is so now.
    [[nodiscard]] bool joining(const VersionVector& own);

    void write(ByteWriter& out) const;
    /// Fails the reader unless the bytes are what write() makes.
    void read(ByteReader& in);

private:
    struct Peer {
        std::string name;
        VersionVector known;  ///< reports that this replica has all of
        /// The oldest report of which it has not; a later one would always be ahead.
        std::optional<VersionVector> ahead;
    };

    std::size_t replicas_;
    bool frozen_ = false;  ///< this replica is no member
    std::map<Uuid, Peer> peers_;
    VersionVector cut_;
    bool joined_ = false;
    bool alone_ = false;  ///< begun anew, and no contact since
    std::optional<VersionVector> join_target_;
};

}  // namespace syncline
