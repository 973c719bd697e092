#pragma once
#include "core/base/pack.hpp"
#include "core/protocol/message.hpp"

/// The bytes of the messages about membership, for core/protocol/message.cpp; and of ballots.
namespace syncline {

void pack(Packer& out, const caspaxos::Ballot& ballot);
/// Fails the unpacker on anything that pack() does not write.
caspaxos::Ballot unpack_ballot(Unpacker& in);

void encode(Packer& out, const MembershipNotice& notice);
void decode(Unpacker& in, MembershipNotice& notice);
void encode(Packer& out, const Prepare& prepare);
void decode(Unpacker& in, Prepare& prepare);
void encode(Packer& out, const Promise& promise);
void decode(Unpacker& in, Promise& promise);
void encode(Packer& out, const Accept& accept);
void decode(Unpacker& in, Accept& accept);
void encode(Packer& out, const Accepted& accepted);
void decode(Unpacker& in, Accepted& accepted);

}  // namespace syncline
