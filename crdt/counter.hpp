#pragma once
#include <vector>

#include "crdt/decimal.hpp"
#include "crdt/dot.hpp"
#include "crdt/version_vector.hpp"

namespace syncline {

/// What is added to a counter: integers mod 2^64, read as signed, and decimals beside them.
struct Amount {
    Amount(std::uint64_t whole = 0, Decimal part = {})  // NOLINT: a number is an amount
        : integer(whole), decimal(part) {}

    std::uint64_t integer;
    Decimal decimal;

    friend Amount operator+(const Amount& a, const Amount& b) {
        return {a.integer + b.integer, a.decimal + b.decimal};
    }
    friend Amount operator-(const Amount& a, const Amount& b) {
        return {a.integer - b.integer, a.decimal - b.decimal};
    }
    bool operator==(const Amount&) const = default;
};
/// "5", "0.5", or "5 and 0.5".
std::string to_string(const Amount& amount);

/// One actor's part of a counter.
struct CounterEntry {
    std::uint64_t genesis = 0;  ///< dot counter at which this entry was (re)created
    std::uint64_t reset = 0;    ///< the `last` that the latest observed reset saw; 0 = none
    Amount reset_sum;           ///< the `sum` at that reset
    Dot reset_dot;              ///< the transaction that reset; counter 0 = none
    std::uint64_t last = 0;     ///< dot counter of the actor's latest increment; genesis <= last
    Amount sum;                 ///< sum of the actor's increments since genesis

    /// Increments that no reset has seen remain.
    [[nodiscard]] bool live() const { return last > reset; }
    bool operator==(const CounterEntry&) const = default;
};

/// Counter with exact observed reset: its value is the sum of the increments that no visible reset
/// has seen. Source: the entry (g, r, Cr, rho, n, Cn) and its proof are in crdt/README.md; compare
/// Weidner & Almeida, PaPoC 2022.
/// Thread-safety: a value.
class Counter {
public:
    using Entry = std::pair<Actor, CounterEntry>;

    [[nodiscard]] bool empty() const { return entries_.empty(); }
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
    [[nodiscard]] const CounterEntry* find(const Actor& actor) const;
    /// Some entry has increments that no reset has seen. A counter of increments 0 exists.
    [[nodiscard]] bool exists() const;
    /// Sum over entries of (sum - reset_sum).
    [[nodiscard]] Amount total() const;
    /// Of the integers in it, as signed.
    [[nodiscard]] std::int64_t value() const { return static_cast<std::int64_t>(total().integer); }

    /// The delta of an increment by dot.actor in transaction dot, on this state. With reset_first
    /// the transaction also resets what it sees of the actor's own entry before the increment.
    [[nodiscard]] Entry increment(const Dot& dot, const Amount& amount, bool reset_first) const;
    /// The delta of a reset of everything visible here: one entry per live actor.
    [[nodiscard]] std::vector<Entry> reset(const Dot& dot) const;
    /// Joins one entry in, as apply does for an event's delta.
    void merge(const Actor& actor, const CounterEntry& entry);

    /// Some entry could go once its reset is stable.
    [[nodiscard]] bool collectable() const;
    /// Drops entries without increments that no reset has seen, whose reset every replica has.
    void collect(const VersionVector& cut);

    /// Join of two states with their contexts: an entry that only one side has stays iff the other
    /// side's context does not cover (actor, last), else the other side has collected it.
    static Counter join(const Counter& a, const VersionVector& a_context, const Counter& b,
                        const VersionVector& b_context);
    /// Larger genesis wins whole; else reset part by max (reset, reset_dot), increments by max
    /// last.
    static CounterEntry join(const CounterEntry& a, const CounterEntry& b);

    bool operator==(const Counter&) const = default;

private:
    std::vector<Entry> entries_;  // strictly ascending by actor
};

void write(ByteWriter& out, const Counter::Entry& entry);
/// Fails the reader unless the entry is canonical and could have come from a replica.
Counter::Entry read_counter_entry(ByteReader& in);
/// 5 numbers, or 10 with a reset; decimals add 2, or 4.
void pack(Packer& out, const Counter::Entry& entry);
Counter::Entry unpack_counter_entry(Unpacker& in);

}  // namespace syncline
