#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/pack.hpp"
#include "core/engine/identity.hpp"
#include "crdt/version_vector.hpp"

namespace syncline {

/// What a replica of the cluster is to the others.
enum class MemberState : std::uint8_t {
    joining = 0,  ///< gets what the others have; counts for the stable cut, takes no writes
    active = 1,   ///< takes writes, votes
    leaving = 2,  ///< takes no writes, until the others have all it has; votes
};
std::string to_string(MemberState state);

struct ClusterMember {
    Uuid uuid;
    Bytes name;     ///< for people
    Bytes address;  ///< where its clients connect; empty: not known
    MemberState state = MemberState::active;

    bool operator==(const ClusterMember&) const = default;
};

/// A replica that was a member and never will be again: who comes back does so as another one.
struct FormerMember {
    Uuid uuid;
    Bytes name;
    bool evicted = false;  ///< else it left when the others had all it had
    /// Its last transactions that any member has; none come after. Nothing: the members have not
    /// found out yet.
    std::optional<VersionVector> final_vv;

    bool operator==(const FormerMember&) const = default;
};

/// Who belongs to the cluster: the value of its first CASPaxos register. The members of one epoch
/// decide on the next.
struct MembershipRecord {
    std::uint64_t epoch = 0;             ///< 0: there is no record
    std::uint64_t founding = 0;          ///< of all epochs: a number drawn by who founded them
    std::vector<ClusterMember> members;  ///< ascending by uuid, at most limits::members_max
    std::vector<FormerMember> formers;   ///< in the order in which they went

    [[nodiscard]] const ClusterMember* find(const Uuid& uuid) const;
    [[nodiscard]] const FormerMember* find_former(const Uuid& uuid) const;
    /// By name or uuid.
    [[nodiscard]] const ClusterMember* find(BytesView name_or_uuid) const;
    /// Active and leaving ones.
    [[nodiscard]] std::vector<Uuid> voters() const;

    bool operator==(const MembershipRecord&) const = default;
};

/// One change of the record.
struct MembershipStep {
    enum class Kind : std::uint8_t {
        init,      ///< epoch 1: the founders, all of which must agree
        join,      ///< a replica becomes a joining member
        activate,  ///< a joining one has what the others had
        drain,     ///< an active one is to leave
        retire,    ///< a leaving one has left; or what an evicted one wrote is known now
        evict,     ///< a member is gone for good, or is to be taken for it
    };
    Kind kind = Kind::init;
    ClusterMember subject;                  ///< whom it is about; its state does not matter
    std::vector<ClusterMember> founders;    ///< of init
    std::optional<VersionVector> final_vv;  ///< of retire
    std::uint64_t founding = 0;             ///< of init
};
std::string to_string(MembershipStep::Kind kind);
/// "evict c".
std::string describe(const MembershipStep& step);

/// The next record. Errors: invalid_argument, with a sentence for whoever asked for it; limit.
Result<MembershipRecord> apply_step(const MembershipRecord& record, const MembershipStep& step);

/// msgpack. Equal records have equal bytes.
void pack(Packer& out, const MembershipRecord& record);
/// Fails the unpacker on anything that pack() does not write.
MembershipRecord unpack_membership(Unpacker& in);
Bytes encode_membership(const MembershipRecord& record);
/// Error corrupt.
Result<MembershipRecord> decode_membership(BytesView bytes);

}  // namespace syncline
