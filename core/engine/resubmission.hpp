#pragma once
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "core/engine/identity.hpp"
#include "core/engine/text_names.hpp"
#include "core/engine/transaction.hpp"

namespace syncline {

/// A transaction that only an evicted replica has, on its way to become a new one of a member. An
/// event says what an actor had added to a counter in all; how much it added itself is known where
/// that is told as well.
struct LostTransaction {
    Uuid cluster;
    Event event;
    /// What the event's actor had added before, by number of the operation, where it is known.
    std::map<std::uint64_t, Amount> before;

    bool operator==(const LostTransaction&) const = default;
};

/// Bytes with a checksum, as they stand in a file.
Bytes encode_lost_transaction(const LostTransaction& lost);
/// Error corrupt for anything that encode_lost_transaction() does not write.
Result<LostTransaction> decode_lost_transaction(BytesView bytes);

/// The counter entry to which the transaction of this name adds; null: it adds nothing there.
const CounterEntry* own_increments(const CellOp& op, const Dot& dot);

/// Follows the transactions of one node, and knows what it had added to counters before each of
/// them. Thread-safety: confined to one thread.
class AmountsBefore {
public:
    /// Of the next event, for LostTransaction::before. Events come in the order of the log.
    std::map<std::uint64_t, Amount> next(const Event& event);

private:
    using Name = std::tuple<Bytes, CellType, std::optional<Bytes>, Actor>;
    struct Sum {
        std::uint64_t genesis = 0;
        Amount sum;
    };

    std::map<Name, Sum> sums_;
};

/// What became of a lost transaction.
struct Resubmitted {
    enum class Outcome : std::uint8_t {
        done,     ///< it is a new transaction
        nothing,  ///< there was nothing to do: what it removed is not there
        present,  ///< the replica has it already, under its old name
    };

    Outcome outcome = Outcome::nothing;
    std::optional<Dot> dot;  ///< of the new transaction
    TextNames names;         ///< of the characters that it inserted

    bool operator==(const Resubmitted&) const = default;
};
std::string_view to_string(Resubmitted::Outcome outcome);
Bytes encode_resubmitted(const Resubmitted& resubmitted);
/// Error corrupt for anything else.
Result<Resubmitted> decode_resubmitted(BytesView bytes);

/// What a lost transaction had seen of those before it, as they are now: their new dots, where it
/// matters who saw what, and the new names of their characters.
struct ResubmittedPast {
    std::set<Dot> seen;
    TextNames names;

    bool operator==(const ResubmittedPast&) const = default;
};
Bytes encode_resubmitted_past(const ResubmittedPast& past);
/// Error corrupt for anything else.
Result<ResubmittedPast> decode_resubmitted_past(BytesView bytes);

/// What became of a replica's lost transactions so far. Thread-safety: confined to one thread.
class ResubmissionHistory {
public:
    void note(const Event& event, const Resubmitted& resubmitted);
    /// The part that concerns an event which comes after them.  O(its operations x log n).
    [[nodiscard]] ResubmittedPast past_of(const Event& event) const;

private:
    /// By key, of those types where it matters whether a value was seen.
    std::map<std::pair<Bytes, CellType>, Dot> writes_;
    TextNames names_;
};

/// Does a lost transaction again, as part of this one, which is empty: writes and additions as they
/// were, removals of what is there now. What counts is that it happens now: a value that somebody
/// wrote since is replaced. But for those that nobody may replace unread: a register of several
/// values is not written, and a later deadline stays. A key that was given an end since is not
/// removed: that its time was over may be all there was to it. List elements keep their places. A
/// text's characters stand beside those that they stood beside. Of a bounded counter rights of this
/// replica are used.
/// Error conflict, with the reason, if it cannot be done as things are now: then the transaction
/// must be dropped. Errors of storage besides.
/// Thread-safety: as the transaction.  Cost: as the operations that it consists of.
Result<Resubmitted> resubmit(Transaction& txn, const LostTransaction& lost,
                             const ResubmittedPast& past);

}  // namespace syncline
