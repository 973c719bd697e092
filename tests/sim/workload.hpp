#pragma once
#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/engine/operations.hpp"
#include "tests/sim/history.hpp"
#include "tests/sim/plan.hpp"

namespace syncline::sim {

/// One client transaction: what was asked for, and what came of it.
struct Attempt {
    OpKind kind = OpKind::get;
    std::vector<Intent> intents;  ///< of the operations that were not refused
    std::vector<Dot> seen;        ///< events whose effects the reply shows
    Oracle::Grounds grounds;      ///< in primary-backup mode: what a read's answer rests on
    bool read_checked = false;
    std::set<Bytes> cleared;  ///< keys whose remains the transaction has cleared
    std::set<Bytes> emptied;  ///< keys that the transaction has emptied so far
    std::string violation;    ///< an answer that history does not give; empty: none
};

/// The clients of one replica: random transactions on few keys, through the same operations that
/// commands use. Answers of reads are compared with the oracle on the spot.
class Workload {
public:
    Workload(const Plan& plan, const History& history, std::size_t replica);

    /// What the next transaction shall be.
    OpKind choose(SimRandom& random) const;
    /// Runs it. Errors: what the operations return, or unavailable when the client changes its
    /// mind.
    Result<void> perform(Transaction& txn, SimRandom& random, Attempt& attempt) const;

    /// The keys that are only ever written together, with equal values.
    static constexpr std::size_t pairs_count = 2;
    static std::array<Bytes, 2> pair_keys(std::size_t index);

private:
    [[nodiscard]] Bytes key(SimRandom& random, CellType type) const;
    [[nodiscard]] Bytes field(SimRandom& random) const;
    [[nodiscard]] Bytes value(SimRandom& random) const;
    [[nodiscard]] std::int64_t amount(SimRandom& random) const;

    Result<void> read(Transaction& txn, SimRandom& random, Attempt& attempt) const;
    Result<void> read_string(Transaction& txn, const Bytes& key, Attempt& attempt) const;
    Result<void> read_collection(Transaction& txn, const Bytes& key, CellType type,
                                 Attempt& attempt) const;
    Result<void> read_text(Transaction& txn, const Bytes& key, Attempt& attempt) const;
    static Result<std::map<Bytes, Bytes>> read_sorted(Transaction& txn, const Bytes& key,
                                                      Attempt& attempt);
    static Result<std::map<Bytes, Bytes>> read_list(Transaction& txn, const Bytes& key,
                                                    Attempt& attempt);
    Result<void> read_keys(Transaction& txn, std::size_t step, Attempt& attempt) const;
    Result<void> write(Transaction& txn, SimRandom& random, OpKind kind, Attempt& attempt) const;
    Result<void> write_signed(Transaction& txn, SimRandom& random, OpKind kind,
                              Attempt& attempt) const;
    Result<void> write_sorted(Transaction& txn, SimRandom& random, OpKind kind,
                              Attempt& attempt) const;
    Result<void> write_list(Transaction& txn, SimRandom& random, OpKind kind,
                            Attempt& attempt) const;
    Result<void> write_text(Transaction& txn, SimRandom& random, OpKind kind,
                            Attempt& attempt) const;
    Result<void> write_deadline(Transaction& txn, SimRandom& random, OpKind kind,
                                Attempt& attempt) const;
    void clear_remains(Transaction& txn, const Bytes& key, Attempt& attempt) const;
    static Result<void> begin_anew(Transaction& txn, std::size_t first, Attempt& attempt);
    [[nodiscard]] Oracle::Grounds grounds(const Transaction& txn, BytesView key,
                                          CellType type) const;
    [[nodiscard]] std::optional<CellType> seen_type(const Transaction& txn, BytesView key) const;
    Result<void> write_pair(Transaction& txn, SimRandom& random, Attempt& attempt) const;
    Result<void> write_many(Transaction& txn, SimRandom& random, Attempt& attempt) const;
    Result<void> clear_buckets(Transaction& txn, SimRandom& random, Attempt& attempt) const;
    Result<void> use_bounded(Transaction& txn, SimRandom& random, Attempt& attempt) const;
    Result<void> read_bounded(Transaction& txn, const Bytes& key, Attempt& attempt) const;
    Result<void> replace_bounded(Transaction& txn, SimRandom& random, const Bytes& key,
                                 Attempt& attempt) const;
    [[nodiscard]] std::map<RightsRow, std::int64_t> bounded_rows(BytesView key) const;
    [[nodiscard]] const VersionVector& vv() const { return history_.vv(replica_); }

    const Plan& plan_;
    const History& history_;
    std::size_t replica_;
};

Intent intent(Intent::Kind kind, const Bytes& key, CellType type = CellType::string,
              const Bytes& field = {});

/// Operations that may be refused on local state without anything being wrong.
bool is_refusal(const Error& error);
/// Rows are damaged, or being repaired: nothing is known of them. Only where rows rot.
bool is_damage(const Error& error);

}  // namespace syncline::sim
