#pragma once
#include <vector>

#include "core/engine/transaction.hpp"
#include "crdt/bounded_counter.hpp"

/// What users can do to data, with Redis's meaning on local state: types are checked, what is seen
/// is replaced, counts are answered. Commands, the embedded database and the simulator all go
/// through these. Each may return Code::wrong_type, Code::limit (key or value too long) and storage
/// errors besides what is named.
namespace syncline::operations {

Result<std::optional<Bytes>> string_get(Transaction& txn, BytesView key);
/// Replaces a value of any type, and unless told otherwise a deadline.
enum class Deadline : std::uint8_t { removed, kept };
/// Error permanent (see removable_type).
Result<void> string_set(Transaction& txn, BytesView key, Bytes value,
                        Deadline deadline = Deadline::removed);
/// The value after adding. Errors: invalid_argument (not an integer), overflow.
Result<std::int64_t> string_increment(Transaction& txn, BytesView key, std::int64_t amount);
/// The text after adding. Errors: invalid_argument (no number, or out of range), overflow (the sum
/// is out of range).
Result<Bytes> string_increment(Transaction& txn, BytesView key, Decimal amount);

/// True when the key existed. Error permanent (see removable_type).
Result<bool> key_delete(Transaction& txn, BytesView key);

/// Lets the key end at a time (milliseconds since 1970; at once if that is not after the
/// transaction's own). Of concurrent deadlines the latest counts. False: there is no such key.
/// Error permanent (see removable_type).
Result<bool> key_expire(Transaction& txn, BytesView key, std::uint64_t deadline_ms);
/// Lets the key stay for ever, against concurrent deadlines too. False: it had no deadline.
Result<bool> key_persist(Transaction& txn, BytesView key);
/// When the key ends; nothing: never, or there is no such key.
Result<std::optional<std::uint64_t>> key_deadline(Transaction& txn, BytesView key);

/// True when the member was not in the set. An add of a present member still makes a new dot, so
/// that it wins over a concurrent removal.
Result<bool> set_add(Transaction& txn, BytesView key, BytesView member);
/// True when the member was in the set. Where removals win (KeyPolicies), the removal of a member
/// that is not there is written as well: somebody may just be adding it.
Result<bool> set_remove(Transaction& txn, BytesView key, BytesView member);
Result<bool> set_contains(Transaction& txn, BytesView key, BytesView member);
Result<std::vector<Bytes>> set_members(Transaction& txn, BytesView key);
/// Which part of a collection, in the order of rows: up to `count` elements behind one.
struct Slice {
    std::optional<BytesView> after;
    std::size_t count = 0;
};
/// As before the transaction, as all slices are.  O(log n + count), and dead rows between.
Result<std::vector<Bytes>> set_members(Transaction& txn, BytesView key, const Slice& slice);

// Flags. Of concurrent calls enabling wins, or where removals win (KeyPolicies) disabling.
/// True when it was disabled, as a flag is that was never enabled.
Result<bool> flag_enable(Transaction& txn, BytesView key);
/// True when it was enabled.
Result<bool> flag_disable(Transaction& txn, BytesView key);
Result<bool> flag_enabled(Transaction& txn, BytesView key);

/// True when the field is new.
Result<bool> hash_set(Transaction& txn, BytesView key, BytesView field, Bytes value);
Result<std::optional<Bytes>> hash_get(Transaction& txn, BytesView key, BytesView field);
Result<bool> hash_remove(Transaction& txn, BytesView key, BytesView field);
/// The value after adding. Errors: invalid_argument (not an integer), overflow.
Result<std::int64_t> hash_increment(Transaction& txn, BytesView key, BytesView field,
                                    std::int64_t amount);
Result<Bytes> hash_increment(Transaction& txn, BytesView key, BytesView field, Decimal amount);
Result<std::vector<std::pair<Bytes, Bytes>>> hash_all(Transaction& txn, BytesView key);
Result<std::vector<std::pair<Bytes, Bytes>>> hash_all(Transaction& txn, BytesView key,
                                                      const Slice& slice);

/// Sets the score of a member. Returns the one it had; nothing: the member is new. Precondition:
/// the score is not NaN.
Result<std::optional<double>> sorted_add(Transaction& txn, BytesView key, BytesView member,
                                         double score);
/// The score after adding; a missing member begins at 0. Concurrent additions add up, exactly, as
/// long as amount and score are decimals of at most 17 digits behind the point and below 10^21;
/// else the sum is written, and concurrent ones compete. Error invalid_argument (an infinity less
/// itself). Precondition: the amount is not NaN.
Result<double> sorted_increment(Transaction& txn, BytesView key, BytesView member, double amount);
/// True when the member was there.
Result<bool> sorted_remove(Transaction& txn, BytesView key, BytesView member);
Result<std::optional<double>> sorted_score(Transaction& txn, BytesView key, BytesView member);
/// Walks members by score, then by member.
Result<void> sorted_scan(Transaction& txn, BytesView key, const ScoreRange& range, WalkOrder walk,
                         const ScoreVisitor& visit);

// Lists. Indexes count from 0, negative ones from the end (-1 is the last); what another replica
// does meanwhile happens to elements, wherever they then stand. Finding an index is O(1) near an
// end; inside O(elements) when nobody has asked for long, else O(elements / 128).
enum class ListEnd : std::uint8_t { front, back };
/// Puts values at an end one after the other, so that at the front the last one comes first. They
/// stay together whatever others push meanwhile. Returns the new length.
Result<std::uint64_t> list_push(Transaction& txn, BytesView key, ListEnd end,
                                std::vector<Bytes> values);
/// Takes up to `count` elements off an end, in the order of taking. Another replica may take the
/// same ones.
Result<std::vector<Bytes>> list_pop(Transaction& txn, BytesView key, ListEnd end,
                                    std::size_t count);
/// Takes an element off one list and puts it on another, or the same. Nothing: there was none.
Result<std::optional<Bytes>> list_move(Transaction& txn, BytesView source, ListEnd from,
                                       BytesView target, ListEnd to);
Result<std::optional<Bytes>> list_get(Transaction& txn, BytesView key, std::int64_t index);
/// Elements from `first` to `last`, both included, as far as there are any.
Result<std::vector<Bytes>> list_range(Transaction& txn, BytesView key, std::int64_t first,
                                      std::int64_t last);
/// Replaces one element; concurrent replacements of it compete. Error invalid_argument (there is no
/// such element).
Result<void> list_set(Transaction& txn, BytesView key, std::int64_t index, Bytes value);
/// Puts a value in front of or behind the first element that equals `pivot`. Returns the new
/// length; nothing: no element equals it. Error limit: too many were put at this very spot.
Result<std::optional<std::uint64_t>> list_insert(Transaction& txn, BytesView key, bool before,
                                                 BytesView pivot, Bytes value);
/// Puts a value in front of the element at an index, or at the end if the index is not in front of
/// any. Error limit as above.
Result<void> list_insert_at(Transaction& txn, BytesView key, std::int64_t index, Bytes value);
/// Removes the element at an index. False: there is none.
Result<bool> list_erase(Transaction& txn, BytesView key, std::int64_t index);
/// Removes elements that equal a value: the first `count`, the last -`count`, or with 0 all.
/// Returns how many.
Result<std::uint64_t> list_remove(Transaction& txn, BytesView key, std::int64_t count,
                                  BytesView value);
/// Removes all elements but those from `first` to `last`.
Result<void> list_trim(Transaction& txn, BytesView key, std::int64_t first, std::int64_t last);
/// Writes, or removes, the element at a position (crdt/position.hpp), whether it is there or not.
Result<void> list_put_at(Transaction& txn, BytesView key, BytesView position, Bytes value);
Result<void> list_remove_at(Transaction& txn, BytesView key, BytesView position);
/// Walks elements with their values, from the front or back.
using ListVisitor = std::function<bool(BytesView value)>;
Result<void> list_scan(Transaction& txn, BytesView key, ListEnd from, const ListVisitor& visit);

// Texts. Positions and counts are in Unicode code points, from 0; a text is made by the first
// insertion and stays, empty or not, until its key is deleted. Concurrent insertions at one place
// stand one behind the other, whole. DEL removes a text with what others write into it meanwhile.
/// Puts UTF-8 in front of the character at a position, or at the end. Returns the new length.
/// Error invalid_argument (the position is behind the end, or the text is empty or no UTF-8).
Result<std::uint64_t> text_insert(Transaction& txn, BytesView key, std::uint64_t position,
                                  BytesView utf8);
/// The same at the end.
Result<std::uint64_t> text_append(Transaction& txn, BytesView key, BytesView utf8);
/// Erases `count` characters, or as many as there are, from a position on. Returns how many. Error
/// invalid_argument (the position is behind the end).
Result<std::uint64_t> text_erase(Transaction& txn, BytesView key, std::uint64_t position,
                                 std::uint64_t count);
/// The generation that is seen; nothing: there is no text. Valid until the transaction's next
/// write.
Result<const Text*> text_get(Transaction& txn, BytesView key);
/// A generation of a text, of which there are several if it was made concurrently.
struct TextGeneration {
    Dot made;
    Hlc time;
    std::uint64_t length = 0;
    bool seen = false;
};
/// All generations, the one that is seen first.
Result<std::vector<TextGeneration>> text_generations(Transaction& txn, BytesView key);

/// Replaces the values that are seen. With a context only if it covers all of them, else Error
/// conflict: the write's past is all that is here, so it would replace unread ones as well.
Result<void> multi_value_set(Transaction& txn, BytesView key, Bytes value,
                             const VersionVector* context);
/// All values side by side, the latest first; none for a missing key.
Result<std::vector<DotMap::Entry>> multi_value_get(Transaction& txn, BytesView key);

// Bounded counters. Amounts are at least 1 (Error invalid_argument). O(rows of the key): at most
// one for each actor's use and making, and for each two between which rights were transferred.
/// All rows added up; a counter that does not exist for a missing key.
Result<BoundedCounter> bounded_read(Transaction& txn, BytesView key);
/// Adds, and makes as many rights of this replica's actor; makes the counter exist. Returns the
/// value. Error overflow: the value, or what this actor has made in all, would exceed rights_max.
Result<std::int64_t> bounded_increment(Transaction& txn, BytesView key, std::int64_t amount);
/// Takes off, and uses up as many rights of this replica's actor. Returns the value. Error
/// no_rights: it has fewer; the message says who has how many.
Result<std::int64_t> bounded_decrement(Transaction& txn, BytesView key, std::int64_t amount);
/// Gives rights of this replica's actor to another. Whether that one exists is not known here; its
/// rights are stranded if not. Errors: no_rights; invalid_argument (to itself, or to an actor whose
/// node has begun a later incarnation).
Result<void> bounded_transfer(Transaction& txn, BytesView key, std::int64_t amount,
                              const Actor& to);
/// The visible type, of a key that is to be removed, replaced or given an end. Error permanent: it
/// holds a bounded counter, whose invariant would go with its rows.
Result<std::optional<CellType>> removable_type(Transaction& txn, BytesView key);

/// Whether a caller who has read a cell with this context has seen all that a write would replace.
/// Error conflict if not.
Result<void> check_seen(Transaction& txn, BytesView key, CellType type,
                        std::optional<BytesView> field, const VersionVector& context);

/// Elements of a collection: SCARD, HLEN. 0 for a missing key.
Result<std::uint64_t> count(Transaction& txn, BytesView key, CellType type);

}  // namespace syncline::operations
