#pragma once
#include <optional>
#include <vector>

#include "core/engine/operations.hpp"

namespace syncline {

/// What a reader sees of a key, without how it came to be: counters are numbers, texts their
/// characters. For commands that bring a whole key elsewhere.
struct KeyValue {
    struct Element {
        Bytes name;   ///< of a hash its field, of sets the member; else empty
        Bytes value;  ///< of a sorted set score_bytes() of the score; empty of a set

        bool operator==(const Element&) const = default;
    };
    CellType type = CellType::string;
    /// One of a string, a text and a register of many values, none of a flag; those of a list in
    /// order.
    std::vector<Element> elements;

    bool operator==(const KeyValue&) const = default;
};

/// What the checksum of such bytes begins with, so that no others are taken for a value.
constexpr std::uint64_t key_value_checksum_seed = 0x73796e636b657976;
/// The value as opaque bytes with a version and a checksum; the layout stands in key_value.cpp.
/// O(bytes).
Bytes encode_key_value(const KeyValue& value);
/// Bytes from anywhere. Errors: corrupt (not of this version, or the checksum is wrong);
/// invalid_argument (what they hold cannot be the value of a key).  O(bytes).
Result<KeyValue> decode_key_value(BytesView bytes);

namespace operations {

/// Nothing: there is no such key. Errors: permanent (a bounded counter, whose rights are no value);
/// limit (more than one transaction can write, or values side by side, of which a transaction
/// writes one).  O(bytes).
Result<std::optional<KeyValue>> key_read(Transaction& txn, BytesView key);
/// Removes what is seen under a key, its deadline too, and writes a value that key_read() or
/// decode_key_value() answered. Errors as of key_delete(), then nothing is staged.  O(bytes).
Result<void> key_write(Transaction& txn, BytesView key, KeyValue value);

}  // namespace operations
}  // namespace syncline
