#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../crdt/bounded_counter.hpp"
#include "../crdt/dot.hpp"
#include "../crdt/version_vector.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"

namespace syncline {

class Access;

/// What a key holds. Strings are registers; a counter is a string that is a number.
enum class KeyType : std::uint8_t {
    string,
    map,
    set,
    sorted_set,
    list,
    text,
    multi_value,
    flag,
    bounded_counter,
};
/// "string", "map", "set", "sorted-set", "list", "text", "multi-value", "flag", "bounded-counter".
std::string_view key_type_name(KeyType type);

/// One of the concurrent values of a register.
struct Sibling {
    Bytes value;
    Dot origin;                 ///< the transaction that wrote it, and with it who
    std::uint64_t wall_ms = 0;  ///< when, by the writer's clock; milliseconds since 1970
};

/// All concurrent values of a register, the one that get() shows first.
struct Siblings {
    std::vector<Sibling> values;
    VersionVector context;  ///< what this replica had seen when it was asked; for put()
};

/// One slice of a walk over keys.
struct KeyPage {
    struct Entry {
        Bytes key;
        KeyType type = KeyType::string;
    };
    std::vector<Entry> keys;
    std::uint64_t cursor = 0;  ///< where the walk goes on; 0: this was the last slice
};

/// What all handles are: a key, and where its operations run. Cheap to make and to copy; without
/// state of its own, so that two handles of one key are the same.
///
/// Made by a Database: each call is a transaction of its own, and returns when all it saw and wrote
/// is durable. Made by a Batch or a Reader: part of that one transaction, and of no use after it
/// (Error unavailable). Made by a Snapshot: each call reads that state, as long as it can be read.
/// A handle may outlive its Database: then too it answers unavailable. Errors of every call,
/// besides those named: wrong_type (the key holds another type), limit (key, field or value too
/// long), unavailable (closed, or called from inside a callback of the database), no_space (of
/// calls that add something: disk or map_bytes are full, nothing was done), and the storage's: io,
/// corrupt. After one of these every call returns it. Thread-safety: as where it comes from; a
/// Database's handles may be used by many threads.
class Handle {
public:
    /// For Keyspace, which makes them.
    Handle(std::shared_ptr<Access> access, BytesView key);

    [[nodiscard]] const Bytes& key() const { return key_; }

protected:
    // Shared with the Database, Batch or Reader it came from, so that it can outlive it harmlessly.
    std::shared_ptr<Access> access_;
    Bytes key_;
};

/// A 64-bit number to which replicas add concurrently; no addition is lost.
class CounterHandle : public Handle {
public:
    using Handle::Handle;

    /// Adds, and returns the sum that this replica sees. Adding 0 makes a missing counter exist.
    /// Errors: invalid_argument (the value is no number), overflow.
    Result<std::int64_t> add(std::int64_t amount) const;
    /// 0 for a missing key. Error invalid_argument (the value is no number).
    Result<std::int64_t> get() const;
    /// Overwrites: what this replica sees is replaced, additions made elsewhere meanwhile are kept.
    Result<void> set(std::int64_t value) const;
};

/// A 64-bit number that never goes below 0, whatever replicas do while they cannot reach each
/// other: each unit added is a right to take one off, and a replica takes off only what it has the
/// rights to. It cannot be removed, and the rights of a replica that is lost are lost with it.
/// Amounts are at least 1 (Error invalid_argument).
class BoundedCounterHandle : public Handle {
public:
    using Handle::Handle;

    /// Adds, and gives this replica as many rights; returns the value that it sees. Error overflow.
    Result<std::int64_t> increment(std::int64_t amount) const;
    /// Takes off, and uses up as many rights; returns the value that this replica sees. Error
    /// no_rights: this replica has fewer; the message says who has more.
    Result<std::int64_t> decrement(std::int64_t amount) const;
    /// 0 for a missing key. The largest number when concurrent increments went beyond it.
    Result<std::int64_t> get() const;
    /// Who may take off how much: this replica first, then the others, those with most rights
    /// first.
    Result<std::vector<BoundedCounter::Part>> rights() const;
    /// Gives rights of this replica to another, which calls itself by the actor that its rights()
    /// begin with. Rights given to an actor that does not exist are of no use to anybody. Errors:
    /// no_rights; invalid_argument (it is this replica, or its node has a later incarnation).
    Result<void> transfer(std::int64_t amount, const Actor& to) const;
};

/// Enabled or disabled, at first disabled. Of concurrent calls enabling wins, or disabling for keys
/// with such a policy (DatabaseOptions::policies).
class FlagHandle : public Handle {
public:
    using Handle::Handle;

    /// True: it was disabled. Enabling again what is enabled lets it survive concurrent disabling.
    Result<bool> enable() const;
    /// True: it was enabled.
    Result<bool> disable() const;
    Result<bool> enabled() const;
};

/// A register of bytes: the last writer is shown, concurrent values are kept as siblings.
class StringHandle : public Handle {
public:
    using Handle::Handle;

    /// Nothing for a missing key.
    Result<std::optional<Bytes>> get() const;
    /// Replaces all values that this replica sees.
    Result<void> set(BytesView value) const;
    /// Replaces the siblings that the caller has seen, and only those: for values merged by hand.
    /// Error conflict: another value, or an addition to the counter, has come since; nothing was
    /// written, so read the siblings again. What other replicas write meanwhile stays beside it.
    Result<void> put(BytesView value, const VersionVector& context) const;
    /// Removes all values that this replica sees. True: there was one.
    Result<bool> remove() const;
    /// All concurrent values. Additions made to a counter are not among them.
    Result<Siblings> siblings() const;
};

/// A set of byte strings: an add survives a concurrent removal, or the removal wins for keys with
/// such a policy (DatabaseOptions::policies).
class SetHandle : public Handle {
public:
    using Handle::Handle;

    /// True: it was not a member. Adding a member again lets it survive concurrent removals.
    Result<bool> add(BytesView member) const;
    /// True: it was a member.
    Result<bool> remove(BytesView member) const;
    Result<bool> contains(BytesView member) const;
    /// O(1).
    Result<std::uint64_t> size() const;
    /// In the order of their hashes. O(n), in memory at once.
    Result<std::vector<Bytes>> members() const;
    /// A slice of them: up to `count` behind a member, which need not be one any more; nothing:
    /// from the first on. Fewer than `count`: it was the last slice. A member that is there
    /// throughout a walk is met exactly once. In a Batch: as before it. O(log n + count).
    Result<std::vector<Bytes>> members(std::optional<BytesView> after, std::size_t count) const;
    /// Removes the members that this replica sees.
    Result<void> clear() const;
};

/// Members in the order of their scores, and of equal scores in their own. Of concurrent scores of
/// a member the last one written is seen; additions beside it add up. An add survives a concurrent
/// removal. Scores may be infinite, but not NaN (Error invalid_argument).
class SortedSetHandle : public Handle {
public:
    using Handle::Handle;

    struct Member {
        Bytes name;
        double score = 0;
    };

    /// Sets the score. True: it was not a member.
    Result<bool> add(BytesView member, double score) const;
    /// Adds to the score, from 0 on for a new member; returns the score that this replica sees.
    /// Exact for decimals of at most 17 digits behind the point and below 10^21; what is finer or
    /// larger is written as a score, and competes with other writes.
    Result<double> increment(BytesView member, double amount) const;
    /// True: it was a member.
    Result<bool> remove(BytesView member) const;
    /// Nothing if it is no member.
    Result<std::optional<double>> score(BytesView member) const;
    /// O(1).
    Result<std::uint64_t> size() const;
    /// `count` members from place `first` on, in ascending order. O(first + count).
    Result<std::vector<Member>> range(std::size_t first, std::size_t count) const;
    /// The same from the largest score on.
    Result<std::vector<Member>> largest(std::size_t first, std::size_t count) const;
    /// Members with scores from `low` to `high`, both included, ascending. O(log n + their number).
    Result<std::vector<Member>> between(double low, double high) const;
    /// Removes the members that this replica sees.
    Result<void> clear() const;

private:
    Result<std::vector<Member>> walk(bool ascending, std::size_t first, std::size_t count) const;
};

/// Values in an order that all replicas agree on. Every value put in stays until somebody who has
/// seen it takes it out; two replicas that pop at the same time may pop the same one. Indexes count
/// from 0, negative ones from the end.
class ListHandle : public Handle {
public:
    using Handle::Handle;

    /// Puts values behind the last one; they stay together. Returns the new length.
    Result<std::uint64_t> push_back(const std::vector<Bytes>& values) const;
    /// Puts values in front of the first one, one after the other: the last of them comes first.
    Result<std::uint64_t> push_front(const std::vector<Bytes>& values) const;
    /// Nothing: the list is empty.
    Result<std::optional<Bytes>> pop_back() const;
    Result<std::optional<Bytes>> pop_front() const;
    /// Puts a value in front of the element at an index, or at the end if there is none. Error
    /// limit: there is no room, after hundreds that each halved what was left at one spot.
    Result<void> insert(std::int64_t index, BytesView value) const;
    /// Nothing: there is no such element. O(1) near an end; inside O(elements) once, and then
    /// O(elements / 128).
    Result<std::optional<Bytes>> get(std::int64_t index) const;
    /// Error invalid_argument: there is no such element.
    Result<void> set(std::int64_t index, BytesView value) const;
    /// False: there was no such element.
    Result<bool> remove(std::int64_t index) const;
    /// O(1).
    Result<std::uint64_t> size() const;
    /// Elements from `first` to `last`, both included.
    Result<std::vector<Bytes>> range(std::int64_t first, std::int64_t last) const;
    /// Removes the elements that this replica sees.
    Result<void> clear() const;

private:
    Result<std::uint64_t> push(bool front, const std::vector<Bytes>& values) const;
    Result<std::optional<Bytes>> pop(bool front) const;
};

/// A text that several edit at once. Positions and counts are in Unicode code points, from 0; texts
/// are UTF-8. What is inserted at one place at the same time stands one behind the other, whole.
/// The text is made by the first insertion; clear() removes it with what others write into it
/// meanwhile.
class TextHandle : public Handle {
public:
    using Handle::Handle;

    /// Puts a text in front of the character at a position, or at the end. Returns the new length.
    /// Error invalid_argument: the position is behind the end, or the text is empty or no UTF-8.
    /// O(log n) once the text is in memory.
    Result<std::uint64_t> insert(std::uint64_t position, BytesView utf8) const;
    Result<std::uint64_t> append(BytesView utf8) const;
    /// Erases characters, as many as there are up to `count`. Returns how many.
    /// Error invalid_argument: the position is behind the end.
    Result<std::uint64_t> erase(std::uint64_t position, std::uint64_t count) const;
    /// All of it; nothing for a missing key.
    Result<std::optional<Bytes>> get() const;
    /// At most `count` characters from a position on.
    Result<Bytes> get(std::uint64_t position, std::uint64_t count) const;
    Result<std::uint64_t> size() const;
    /// The lasting name of a character, for cursors and comments that must keep their place;
    /// nothing: the position is not in front of one.
    Result<std::optional<Bytes>> mark(std::uint64_t position) const;
    /// Where a marked character is, or, if it was erased, the one behind it; nothing: the mark is
    /// not of this text. Error invalid_argument: it is no mark.
    Result<std::optional<std::uint64_t>> position_of(BytesView mark) const;
    /// Removes the text.
    Result<void> clear() const;
};

/// Fields with values; each field is a register of its own, or a counter.
class MapHandle : public Handle {
public:
    using Handle::Handle;

    Result<std::optional<Bytes>> get(BytesView field) const;
    /// True: the field is new.
    Result<bool> put(BytesView field, BytesView value) const;
    /// As StringHandle::put.
    Result<void> put(BytesView field, BytesView value, const VersionVector& context) const;
    /// True: the field was there.
    Result<bool> remove(BytesView field) const;
    Result<bool> contains(BytesView field) const;
    /// O(1).
    Result<std::uint64_t> size() const;
    /// In the order of the fields' hashes. O(n), in memory at once.
    Result<std::vector<std::pair<Bytes, Bytes>>> entries() const;
    /// A slice of them, as SetHandle::members().
    Result<std::vector<std::pair<Bytes, Bytes>>> entries(std::optional<BytesView> after,
                                                         std::size_t count) const;
    /// Adds to a field that is a counter; returns the sum that this replica sees.
    /// Errors: invalid_argument (the value is no number), overflow.
    Result<std::int64_t> increment(BytesView field, std::int64_t amount) const;
    /// All concurrent values of a field.
    Result<Siblings> siblings(BytesView field) const;
    /// Removes the fields that this replica sees.
    Result<void> clear() const;
};

/// The keys of a database, as a Database, a Batch, a Reader and a Snapshot show them alike.
class Keyspace {
public:
    [[nodiscard]] CounterHandle counter(BytesView key) const;
    [[nodiscard]] BoundedCounterHandle bounded_counter(BytesView key) const;
    [[nodiscard]] FlagHandle flag(BytesView key) const;
    [[nodiscard]] StringHandle string(BytesView key) const;
    [[nodiscard]] SetHandle set(BytesView key) const;
    [[nodiscard]] MapHandle map(BytesView key) const;
    [[nodiscard]] SortedSetHandle sorted_set(BytesView key) const;
    [[nodiscard]] ListHandle list(BytesView key) const;
    [[nodiscard]] TextHandle text(BytesView key) const;

    /// Nothing for a missing key.
    Result<std::optional<KeyType>> type(BytesView key) const;
    Result<bool> exists(BytesView key) const;
    /// Removes what this replica sees of a key, whatever it holds. True: there was something.
    /// Error permanent, as of the next two: it holds a bounded counter.
    Result<bool> remove(BytesView key) const;
    /// Lets a key end so long from now; at once if that is not after now. Of concurrent deadlines
    /// the latest counts; setting a string removes those it has seen. False: there is no such key.
    Result<bool> expire(BytesView key, std::chrono::milliseconds after) const;
    /// The same at a time in milliseconds since 1970.
    Result<bool> expire_at(BytesView key, std::uint64_t wall_ms) const;
    /// Lets a key stay for ever, whatever deadlines others give it meanwhile. False: it had none.
    Result<bool> persist(BytesView key) const;
    /// When a key ends, in milliseconds since 1970; nothing: never, or there is no such key.
    Result<std::optional<std::uint64_t>> deadline(BytesView key) const;
    /// Number of keys, with those that have ended and not been removed yet. O(1).
    Result<std::uint64_t> size() const;
    /// One slice of a walk over all keys, in the order of their hashes. Begin with cursor 0; looks
    /// at about `count` keys. A key that is there throughout is visited exactly once; keys that
    /// come and go meanwhile may be missed. In a Batch: the keys as before it.
    Result<KeyPage> keys(std::uint64_t cursor, std::size_t count) const;

protected:
    Keyspace() = default;
    explicit Keyspace(std::shared_ptr<Access> access) : access_(std::move(access)) {}
    ~Keyspace() = default;
    Keyspace(Keyspace&&) = default;
    Keyspace& operator=(Keyspace&&) = default;

    // Shared with the handles that were made here.
    std::shared_ptr<Access> access_;
};

}  // namespace syncline
