#pragma once

/// Planted bugs: each re-introduces one design error that the simulator must find. Only sources
/// compiled with SYNCLINE_MUTATIONS contain them; elsewhere mutated() is a constant and the code
/// vanishes. For sources only: what includes headers need not be compiled twice.
namespace syncline {

enum class Mutation {
    none,
    partial,         ///< a Merkle session adopts the peer's version vector after half of the rows
    lww_prune,       ///< concurrent registers lose the older value when merged
    no_defer,        ///< changes made while a Merkle session is open are not taken into account
    no_barrier,      ///< no barrier stands in the log after a version vector was adopted
    ctr_absent,      ///< a fully reset counter entry is dropped at once instead of when stable
    conflict_past,   ///< conflicts are recorded with values that the event has seen
    conflict_ring,   ///< a checkpoint leaves out where the ring of conflicts stands
    term_late,       ///< a term that is joined is written with the next change only
    vote_twice,      ///< a replica votes for a term although it has promised that number
    ack_early,       ///< a backup confirms what it has not made durable yet
    no_fence,        ///< replicas exchange events whatever their terms
    stable_naive,    ///< the stable cut counts reports of what this replica has not got itself
    rights_clear,    ///< range deletes remove rows of bounded counters, too
    rw_forget,       ///< a removal that must win over concurrent adds leaves nothing behind
    rights_of_all,   ///< a replica takes off a bounded counter what others have the rights to
    accept_any,      ///< an acceptor takes a ballot below the one it has promised
    propose_own,     ///< a proposer does not finish what may have been chosen before
    old_reports,     ///< the stable cut counts what was reported under another membership
    no_eviction,     ///< a replica goes on with one that is no member any more
    leaving_writes,  ///< a replica that leaves goes on taking writes
    retire_early,    ///< an evicted replica's last events are taken to be those that one member has
    skip_gap,        ///< a batch is consumed although the one before it has not come
    barrier_passed,  ///< a log is read on behind a barrier whose rows are not here
    clock_alone,     ///< the clock does not learn from events of others
    reply_early,     ///< a reply leaves before what it rests on is durable
    remove_all,      ///< a removal takes away what its origin had not seen
    reset_lost,      ///< of two resets of a counter entry the one with fewer increments may win
    join_keeps,      ///< what a snapshot has seen removed is not removed by it
    cut_of_one,      ///< the stable cut is what this replica has
    negative_early,  ///< a removal that must win is forgotten although an add may be on its way
    copy_stays,      ///< a copied directory goes on as the node it was made of
};

#ifdef SYNCLINE_MUTATIONS
inline Mutation active_mutation = Mutation::none;
inline bool mutated(Mutation mutation) {
    return active_mutation == mutation;
}
#else
constexpr bool mutated(Mutation /*mutation*/) {
    return false;
}
#endif

}  // namespace syncline
