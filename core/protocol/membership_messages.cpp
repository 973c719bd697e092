#include "core/protocol/membership_messages.hpp"

namespace syncline {
namespace {

constexpr std::size_t ballot_fields = 3;
constexpr std::size_t reason_bytes_max = 1024;

}  // namespace

void pack(Packer& out, const caspaxos::Ballot& ballot) {
    out.uint(ballot.number);
    out.bin(ballot.number == 0 ? Bytes() : to_bytes(ballot.proposer));
    out.uint(ballot.run);
}

/// Number 0 has nothing else.
caspaxos::Ballot unpack_ballot(Unpacker& in) {
    caspaxos::Ballot ballot;
    ballot.number = in.uint();
    if (ballot.number > 0) {
        ballot.proposer = unpack_uuid(in);
    } else if (!in.bin().empty()) {
        in.fail();
    }
    ballot.run = in.uint();
    if (ballot.number == 0 && ballot.run != 0) in.fail();
    return ballot;
}

void encode(Packer& out, const MembershipNotice& notice) {
    pack(out, notice.record);
}

void decode(Unpacker& in, MembershipNotice& notice) {
    notice.record = unpack_membership(in);
}

void encode(Packer& out, const Prepare& prepare) {
    out.array(ballot_fields + 1);
    pack(out, prepare.ballot);
    out.uint(prepare.epoch);
}

void decode(Unpacker& in, Prepare& prepare) {
    in.array_of(ballot_fields + 1);
    prepare.ballot = unpack_ballot(in);
    prepare.epoch = in.uint();
}

void encode(Packer& out, const Promise& promise) {
    out.array(3 * ballot_fields + 3);
    pack(out, promise.ballot);
    out.boolean(promise.granted);
    out.uint(promise.epoch);
    pack(out, promise.promised);
    pack(out, promise.accepted);
    out.bin(promise.value);
}

void decode(Unpacker& in, Promise& promise) {
    in.array_of(3 * ballot_fields + 3);
    promise.ballot = unpack_ballot(in);
    promise.granted = in.boolean();
    promise.epoch = in.uint();
    promise.promised = unpack_ballot(in);
    promise.accepted = unpack_ballot(in);
    promise.value = Bytes(in.bin());
    if ((promise.accepted.number == 0) != promise.value.empty()) in.fail();
}

void encode(Packer& out, const Accept& accept) {
    out.array(ballot_fields + 2);
    pack(out, accept.ballot);
    pack(out, accept.base);
    pack(out, accept.next);
}

void decode(Unpacker& in, Accept& accept) {
    in.array_of(ballot_fields + 2);
    accept.ballot = unpack_ballot(in);
    accept.base = unpack_membership(in);
    accept.next = unpack_membership(in);
    if (accept.ballot.number == 0 || accept.next.epoch != accept.base.epoch + 1) in.fail();
}

void encode(Packer& out, const Accepted& accepted) {
    out.array(2 * ballot_fields + 3);
    pack(out, accepted.ballot);
    out.boolean(accepted.granted);
    out.uint(accepted.epoch);
    pack(out, accepted.promised);
    out.bin(accepted.reason);
}

void decode(Unpacker& in, Accepted& accepted) {
    in.array_of(2 * ballot_fields + 3);
    accepted.ballot = unpack_ballot(in);
    accepted.granted = in.boolean();
    accepted.epoch = in.uint();
    accepted.promised = unpack_ballot(in);
    accepted.reason = in.text(reason_bytes_max);
}

}  // namespace syncline
