#pragma once
#include <vector>

#include "core/engine/operations.hpp"
#include "crdt/score.hpp"
#include "net/commands/arguments.hpp"

namespace syncline {

/// A member of a sorted set, as commands pass it on.
struct Member {
    Bytes name;
    double score;
};
using Members = std::vector<Member>;

/// Removes the first members of a sorted set in this order, `count` at most, and returns them.
/// Errors: wrong_type, storage errors.
Result<Members> take_members(Transaction& txn, BytesView key, WalkOrder walk, std::size_t count);

/// An array of a member and its score.
inline void reply_member(RespWriter& reply, const Member& member) {
    reply.array(2);
    reply.bulk(member.name);
    reply.real(member.score);
}

/// Members, and their scores behind them: in pairs under RESP3.
inline void reply_members(RespWriter& reply, const Members& members, bool with_scores) {
    const bool pairs = with_scores && reply.resp3();
    reply.array(with_scores && !pairs ? 2 * members.size() : members.size());
    for (const Member& member : members) {
        if (pairs) {
            reply_member(reply, member);
            continue;
        }
        reply.bulk(member.name);
        if (with_scores) reply.real(member.score);
    }
}

/// Replaces what stands under the first argument by these members, and replies how many they are.
inline Result<void> store_members(CommandContext& context, const Members& members) {
    const Bytes& target = context.argument(1);
    SYNCLINE_CHECK(check_key_size(target));
    SYNCLINE_CHECK(operations::key_delete(context.txn(), target));
    for (const Member& member : members) {
        // Nothing is left under the key: sorted_add() would look for it each time.
        SYNCLINE_CHECK(context.txn().put(target, CellType::sorted_set, member.name,
                                         score_bytes(member.score)));
    }
    context.reply.integer(std::ssize(members));
    return {};
}

}  // namespace syncline
