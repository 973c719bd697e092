#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

namespace syncline {

/// The value of a key as clients read it, or a part of a large one: what `syncline export` writes
/// and `syncline import` takes.
struct KeyPiece {
    Bytes key;
    std::string type;  ///< as TYPE answers
    std::size_t part = 1;
    bool last = true;  ///< no more of this key follows
    /// string, text, flag ("0", "1"), bounded-counter: one; list, set: elements; hash: field,
    /// value,
    /// ...; zset: member, score, ...; multi-value: all values, the latest first.
    std::vector<Bytes> values;
    std::optional<std::int64_t> ends_ms;  ///< since 1970; in the last piece

    bool operator==(const KeyPiece&) const = default;
};

/// What to send to a server so that it has this piece. The first one of a key replaces what is
/// there, so that a key may be sent again; but for bounded counters, which nothing removes: their
/// value is added. Of several values of a multi-value the latest is written.
std::vector<std::vector<Bytes>> commands_of(const KeyPiece& piece);

/// One line of JSON: {"key": ..., "type": ..., "value": ...} or "values": an array, of hashes and
/// sorted sets an array of pairs; "ends_ms" if it ends; "part" and "more" if it is in parts. Bytes
/// are a string if they are UTF-8, else {"hex": "..."}.
std::string json_line(const KeyPiece& piece);
/// The other way round. Error invalid_argument: what is wrong with the line.
Result<KeyPiece> parse_json_line(std::string_view line);

/// Commands as a client sends them; what `redis-cli --pipe` reads.
void append_request(Bytes& out, const std::vector<Bytes>& command);

}  // namespace syncline
