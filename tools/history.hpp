#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

namespace syncline {

/// A recorded history of many writers: key-value transactions, each with the ones it had seen.
/// Made from the commits of a real repository; format: tests/data/kv_dag/README.md.
struct History {
    static constexpr std::int32_t removed = -1;

    struct Txn {
        std::vector<std::uint32_t> parents;  ///< indexes of earlier transactions
        std::uint32_t agent = 0;             ///< the author's number
        std::int64_t time = 0;               ///< seconds since 1970, by the author's clock
        std::vector<std::pair<std::uint32_t, std::int32_t>> ops;  ///< key, and value or `removed`
    };

    std::vector<std::string> keys;
    std::vector<std::uint32_t> value_sizes;  ///< bytes; the contents are not recorded
    std::vector<std::pair<std::uint32_t, std::uint32_t>> final_state;  ///< key, value
    std::vector<Txn> txns;  ///< in an order in which every parent stands before its children
};

/// Reads a history file. Error{io} when it cannot be read, Error{corrupt} as in parse_history.
Result<History> load_history(const std::string& path);
/// Error{corrupt} unless the bytes are a gzip file of one history whose indexes are all in range.
Result<History> parse_history(BytesView gzip_bytes);

/// Bytes that stand for a recorded value: its index, ':', and letters up to its size, but at most
/// 1 KiB. Different values have different bytes.
Bytes history_value(const History& history, std::uint32_t value);

}  // namespace syncline
