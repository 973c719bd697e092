#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"
#include "net/keyspace_events.hpp"
#include "net/output_limit.hpp"

namespace syncline {

/// A size as Redis's settings have it: "100", "100b", "1k" (1000), "1kb" (1024), "1mb", "1gb".
/// Nothing when it is none, or too large for 64 bits.
std::optional<std::uint64_t> parse_memory(BytesView text);

/// What CONFIG GET and CONFIG SET show: the settings of Redis that clients and tools ask for, and
/// our own. Those that may be set are remembered and reported; map-bytes, repair-bandwidth, the
/// limit of subscribers in client-output-buffer-limit, keyspace events, what is slow, and what is
/// about users change what the server does.
/// Thread-safety: confined to one thread.
class ConfigTable {
public:
    enum class Kind {
        text,
        number,
        memory,
        fixed,
        boolean,
        channels,  ///< those that new users may use: all or none
        secret,    ///< never shown
        output_limits,
        keyspace_events
    };
    struct Entry {
        BytesView name;
        Kind kind;
        std::string value;
        std::int64_t number_min = 0;  ///< of a number
    };

    ConfigTable();

    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
    /// Null when there is no such setting. Names are case-insensitive.
    [[nodiscard]] const Entry* find(BytesView name) const;
    /// What is wrong with the value in Redis's words, empty if nothing is.
    [[nodiscard]] static std::string refusal(const Entry& entry, BytesView value);
    /// Precondition: the setting exists, and the value is not refused.
    void set(BytesView name, std::string value);
    [[nodiscard]] const OutputLimits& output_limits() const { return output_limits_; }
    [[nodiscard]] KeyspaceEvents& keyspace_events() { return keyspace_events_; }

private:
    std::vector<Entry> entries_;
    OutputLimits output_limits_;
    KeyspaceEvents keyspace_events_;
};

}  // namespace syncline
