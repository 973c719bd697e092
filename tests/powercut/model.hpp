#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/env.hpp"
#include "core/engine/transaction.hpp"

namespace syncline::powercut {

/// One change of a key. Which data type a key has, its first letter says.
struct Change {
    enum class Kind : std::uint8_t {
        set,        ///< `value`
        increment,  ///< `number`
        remove,     ///< the key
        expire,     ///< at `number`, milliseconds since 1970
        persist,
        set_add,          ///< `field`
        set_remove,       ///< `field`
        hash_set,         ///< `field`, `value`
        hash_remove,      ///< `field`
        list_push_front,  ///< `value`
        list_push_back,   ///< `value`
        list_pop_front,
        list_set,          ///< `number`: index; `value`
        list_insert,       ///< `number`: index; `value`
        list_erase,        ///< `number`: index
        sorted_add,        ///< `field`, `number`: score
        sorted_increment,  ///< `field`, `number`
        sorted_remove,     ///< `field`
        text_insert,       ///< `number`: position; `value`
        text_erase,        ///< `number`: position; `count`
        flag_enable,
        flag_disable,
        multi_value_set,    ///< `value`
        bounded_increment,  ///< `number`
        bounded_decrement,  ///< `number`
    };
    Kind kind = Kind::set;
    Bytes key;
    Bytes field;
    Bytes value;
    std::int64_t number = 0;
    std::uint64_t count = 0;

    bool operator==(const Change&) const = default;
};

void write(ByteWriter& out, const Change& change);
Change read_change(ByteReader& in);
/// Makes the change with the operations that users have.
Result<void> run(Transaction& txn, const Change& change);

/// What the data must be after some changes, in the plainest words: maps. Knows nothing of the
/// engine, and is what its answers are compared with.
class Model {
public:
    /// Changes of one transaction, at a time in milliseconds since 1970.
    void apply(const std::vector<Change>& changes, std::uint64_t now_ms);
    /// Error corrupt: names the first key of which the engine says something else.
    Result<void> compare(Transaction& txn);
    /// A change that makes sense on this state: of few keys mostly, or of many.
    [[nodiscard]] Change draw(Random& random, std::uint64_t now_ms) const;

    [[nodiscard]] std::size_t keys_count() const;

private:
    void expire(std::uint64_t now_ms);
    void remove(const Bytes& key);
    void apply(const Change& change);
    void apply_to_collection(const Change& change);
    void apply_to_sequence(const Change& change);
    [[nodiscard]] bool has(const Bytes& key) const;
    [[nodiscard]] Change draw_for_list(Random& random, Change change) const;
    [[nodiscard]] Change draw_for_text(Random& random, Change change) const;
    Result<void> compare_collections(Transaction& txn) const;
    Result<void> compare_sequences(Transaction& txn) const;
    Result<void> compare_keys(Transaction& txn) const;

    std::map<Bytes, Bytes> strings_;  // counters too
    std::map<Bytes, std::set<Bytes>> sets_;
    std::map<Bytes, std::map<Bytes, Bytes>> hashes_;
    std::map<Bytes, std::vector<Bytes>> lists_;
    std::map<Bytes, std::map<Bytes, double>> sorted_;
    std::map<Bytes, std::vector<Bytes>> texts_;  // by code point
    std::set<Bytes> flags_;
    std::map<Bytes, Bytes> multi_values_;
    std::map<Bytes, std::int64_t> bounded_;
    std::map<Bytes, std::uint64_t> deadlines_;
};

}  // namespace syncline::powercut
