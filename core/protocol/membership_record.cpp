#include "core/protocol/membership_record.hpp"

#include <algorithm>

#include "core/base/assert.hpp"
#include "core/base/limits.hpp"

namespace syncline {
namespace {

constexpr std::size_t name_bytes_max = 256;

std::string shown(BytesView name, const Uuid& uuid) {
    return name.empty() ? to_string(uuid) : printable(name);
}

Error refusal(std::string sentence) {
    return Error{Code::invalid_argument, std::move(sentence)};
}

Error no_member(const ClusterMember& subject) {
    return refusal(shown(subject.name, subject.uuid) + " is no member");
}

std::size_t active_count(const MembershipRecord& record) {
    return static_cast<std::size_t>(std::count_if(
        record.members.begin(), record.members.end(),
        [](const ClusterMember& member) { return member.state == MemberState::active; }));
}

ClusterMember* member_of(MembershipRecord& record, const Uuid& uuid) {
    const auto found =
        std::find_if(record.members.begin(), record.members.end(),
                     [&](const ClusterMember& member) { return member.uuid == uuid; });
    return found == record.members.end() ? nullptr : &*found;
}

/// In the order of uuids.
void insert(MembershipRecord& record, ClusterMember member) {
    const auto place = std::lower_bound(
        record.members.begin(), record.members.end(), member,
        [](const ClusterMember& a, const ClusterMember& b) { return a.uuid < b.uuid; });
    record.members.insert(place, std::move(member));
}

Result<void> check_newcomer(const MembershipRecord& record, const ClusterMember& subject) {
    if (record.find(subject.uuid) != nullptr) {
        return refusal(shown(subject.name, subject.uuid) + " is a member already");
    }
    if (record.find_former(subject.uuid) != nullptr) {
        return refusal(shown(subject.name, subject.uuid) +
                       " was a member and may hold what the others have collected since: it can "
                       "only come back as a new replica (syncline cluster rejoin)");
    }
    if (record.members.size() >= limits::members_max) {
        return Error{Code::limit,
                     "a cluster has at most " + std::to_string(limits::members_max) + " members"};
    }
    return {};
}

Result<void> found(MembershipRecord& record, const std::vector<ClusterMember>& founders) {
    if (record.epoch > 0) return refusal("the cluster has a membership record already");
    for (ClusterMember founder : founders) {
        SYNCLINE_CHECK(check_newcomer(record, founder));
        founder.state = MemberState::active;
        insert(record, std::move(founder));
    }
    return record.members.empty() ? refusal("a cluster has at least one member") : Result<void>();
}

Result<void> join(MembershipRecord& record, ClusterMember subject) {
    SYNCLINE_CHECK(check_newcomer(record, subject));
    subject.state = MemberState::joining;
    insert(record, std::move(subject));
    return {};
}

Result<void> activate(MembershipRecord& record, const ClusterMember& subject) {
    ClusterMember* const member = member_of(record, subject.uuid);
    if (member == nullptr || member->state != MemberState::joining) {
        return refusal(shown(subject.name, subject.uuid) + " is not joining");
    }
    member->state = MemberState::active;
    return {};
}

Result<void> drain(MembershipRecord& record, const ClusterMember& subject) {
    ClusterMember* const member = member_of(record, subject.uuid);
    if (member == nullptr) return no_member(subject);
    if (member->state == MemberState::leaving) {
        return refusal(shown(member->name, member->uuid) + " is leaving already");
    }
    if (member->state == MemberState::active && active_count(record) == 1) {
        return refusal(shown(member->name, member->uuid) + " is the only member that takes writes");
    }
    member->state = MemberState::leaving;
    return {};
}

void remove(MembershipRecord& record, const Uuid& uuid, bool evicted,
            std::optional<VersionVector> final_vv) {
    const auto gone =
        std::find_if(record.members.begin(), record.members.end(),
                     [&](const ClusterMember& member) { return member.uuid == uuid; });
    SYNCLINE_ASSERT(gone != record.members.end());
    record.formers.push_back(FormerMember{uuid, gone->name, evicted, std::move(final_vv)});
    record.members.erase(gone);
}

Result<void> evict(MembershipRecord& record, const ClusterMember& subject) {
    const ClusterMember* const member = record.find(subject.uuid);
    if (member == nullptr) return no_member(subject);
    if (member->state == MemberState::active && active_count(record) == 1) {
        return refusal(shown(member->name, member->uuid) + " is the only member that takes writes");
    }
    remove(record, subject.uuid, true, std::nullopt);
    return {};
}

Result<void> retire(MembershipRecord& record, const MembershipStep& step) {
    const Uuid& uuid = step.subject.uuid;
    if (!step.final_vv) return refusal("nobody retires without its last transactions");
    if (const ClusterMember* const member = record.find(uuid)) {
        if (member->state != MemberState::leaving) {
            return refusal(shown(member->name, uuid) + " is not leaving");
        }
        remove(record, uuid, false, step.final_vv);
        return {};
    }
    for (FormerMember& former : record.formers) {
        if (former.uuid != uuid) continue;
        if (former.final_vv) return refusal(shown(former.name, uuid) + " is retired already");
        former.final_vv = step.final_vv;
        return {};
    }
    return no_member(step.subject);
}

void pack(Packer& out, const ClusterMember& member) {
    out.array(4);
    pack(out, member.uuid);
    out.bin(member.name);
    out.bin(member.address);
    out.uint(static_cast<std::uint64_t>(member.state));
}

ClusterMember unpack_member(Unpacker& in) {
    ClusterMember member;
    in.array_of(4);
    member.uuid = unpack_uuid(in);
    member.name = in.text(name_bytes_max);
    member.address = in.text(name_bytes_max);
    member.state =
        static_cast<MemberState>(in.uint_at_most(static_cast<std::uint64_t>(MemberState::leaving)));
    return member;
}

void pack(Packer& out, const FormerMember& former) {
    out.array(4);
    pack(out, former.uuid);
    out.bin(former.name);
    out.boolean(former.evicted);
    if (former.final_vv) {
        pack(out, *former.final_vv);
    } else {
        out.nil();
    }
}

FormerMember unpack_former(Unpacker& in) {
    FormerMember former;
    in.array_of(4);
    former.uuid = unpack_uuid(in);
    former.name = in.text(name_bytes_max);
    former.evicted = in.boolean();
    if (!in.nil()) former.final_vv = unpack_version_vector(in);
    return former;
}

}  // namespace

std::string to_string(MemberState state) {
    switch (state) {
        case MemberState::joining:
            return "joining";
        case MemberState::active:
            return "active";
        case MemberState::leaving:
            break;
    }
    return "leaving";
}

std::string to_string(MembershipStep::Kind kind) {
    switch (kind) {
        case MembershipStep::Kind::init:
            return "init";
        case MembershipStep::Kind::join:
            return "join";
        case MembershipStep::Kind::activate:
            return "activate";
        case MembershipStep::Kind::drain:
            return "drain";
        case MembershipStep::Kind::retire:
            return "retire";
        case MembershipStep::Kind::evict:
            break;
    }
    return "evict";
}

std::string describe(const MembershipStep& step) {
    if (step.kind == MembershipStep::Kind::init) return "init";
    return to_string(step.kind) + " " + shown(step.subject.name, step.subject.uuid);
}

const ClusterMember* MembershipRecord::find(const Uuid& uuid) const {
    const auto found =
        std::find_if(members.begin(), members.end(),
                     [&](const ClusterMember& member) { return member.uuid == uuid; });
    return found == members.end() ? nullptr : &*found;
}

const ClusterMember* MembershipRecord::find(BytesView name_or_uuid) const {
    const auto found =
        std::find_if(members.begin(), members.end(), [&](const ClusterMember& member) {
            return member.name == name_or_uuid || to_string(member.uuid) == name_or_uuid;
        });
    return found == members.end() ? nullptr : &*found;
}

const FormerMember* MembershipRecord::find_former(const Uuid& uuid) const {
    const auto found =
        std::find_if(formers.begin(), formers.end(),
                     [&](const FormerMember& former) { return former.uuid == uuid; });
    return found == formers.end() ? nullptr : &*found;
}

std::vector<Uuid> MembershipRecord::voters() const {
    std::vector<Uuid> voters;
    for (const ClusterMember& member : members) {
        if (member.state != MemberState::joining) voters.push_back(member.uuid);
    }
    return voters;
}

Result<MembershipRecord> apply_step(const MembershipRecord& record, const MembershipStep& step) {
    MembershipRecord next = record;
    Result<void> done;
    if (record.epoch == 0 && step.kind != MembershipStep::Kind::init) {
        return refusal("the cluster has no membership record; begin with: init");
    }
    switch (step.kind) {
        case MembershipStep::Kind::init:
            done = found(next, step.founders);
            next.founding = step.founding;
            break;
        case MembershipStep::Kind::join:
            done = join(next, step.subject);
            break;
        case MembershipStep::Kind::activate:
            done = activate(next, step.subject);
            break;
        case MembershipStep::Kind::drain:
            done = drain(next, step.subject);
            break;
        case MembershipStep::Kind::retire:
            done = retire(next, step);
            break;
        case MembershipStep::Kind::evict:
            done = evict(next, step.subject);
            break;
    }
    SYNCLINE_CHECK(done);
    ++next.epoch;
    return next;
}

void pack(Packer& out, const MembershipRecord& record) {
    out.array(4);
    out.uint(record.epoch);
    out.uint(record.founding);
    out.array(record.members.size());
    for (const ClusterMember& member : record.members) pack(out, member);
    out.array(record.formers.size());
    for (const FormerMember& former : record.formers) pack(out, former);
}

MembershipRecord unpack_membership(Unpacker& in) {
    MembershipRecord record;
    in.array_of(4);
    record.epoch = in.uint();
    record.founding = in.uint();
    const std::size_t members = in.array();
    if (members > limits::members_max) in.fail();
    for (std::size_t i = 0; i < members && in.ok(); ++i) {
        record.members.push_back(unpack_member(in));
        const std::size_t last = record.members.size() - 1;
        if (last > 0 && record.members[last - 1].uuid >= record.members[last].uuid) in.fail();
    }
    const std::size_t formers = in.array();
    for (std::size_t i = 0; i < formers && in.ok(); ++i) {
        record.formers.push_back(unpack_former(in));
    }
    const bool empty = record.members.empty();
    if ((record.epoch == 0) != empty || (empty && !record.formers.empty())) in.fail();
    return record;
}

Bytes encode_membership(const MembershipRecord& record) {
    Bytes bytes;
    Packer out(bytes);
    pack(out, record);
    return bytes;
}

Result<MembershipRecord> decode_membership(BytesView bytes) {
    Unpacker in(bytes);
    MembershipRecord record = unpack_membership(in);
    if (!in.done()) return Error{Code::corrupt, "a membership record is damaged"};
    return record;
}

}  // namespace syncline
