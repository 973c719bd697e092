#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tools/command_sender.hpp"
#include "tools/redis_reader.hpp"

namespace syncline {

struct RedisImportOptions {
    std::string match;     ///< a pattern as SCAN has them; empty: all keys
    Bytes cursor = "0";    ///< where a former run says that it stopped
    bool dry_run = false;  ///< count, and write nothing
    bool stop_at_error = false;
};

/// What became of the keys of a Redis.
struct RedisImported {
    /// Keys of a type that Syncline has not, and the first few of them.
    struct Unsupported {
        std::uint64_t count = 0;
        std::vector<Bytes> examples;
    };

    std::map<std::string, std::uint64_t> keys;  ///< taken, of each type
    std::map<std::string, Unsupported> unsupported;
    Imported imported;        ///< its `failed` are among `keys`
    std::uint64_t bytes = 0;  ///< of keys and values taken
    Bytes cursor = "0";       ///< all before it is safe in the replica
    bool interrupted = false;

    [[nodiscard]] std::uint64_t keys_count() const;
};

/// Whoever looks on.
struct RedisImportEvents {
    /// A key that failed, and why.
    std::function<void(const Bytes&, const std::string&)> wrong;
    /// After each page: keys seen, of how many in all (0: not known).
    std::function<void(std::uint64_t, std::uint64_t)> looked;
    /// Asked between pages.
    std::function<bool()> interrupted;
};

/// Reads all keys of a Redis and writes them to a replica. A key's first piece replaces what is
/// there, so that it may be done again. `target`: null in a dry run.
/// Errors: unavailable, corrupt, io of either side; then `imported.cursor` says where to go on.
Result<void> import_redis(RespClient& source, RespClient* target, const RedisImportOptions& options,
                          const RedisImportEvents& events, RedisImported& imported);

}  // namespace syncline
