#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/bytes.hpp"
#include "core/base/limits.hpp"

namespace syncline {

/// How much output a client may leave unread before it is cut. 0 bytes: no bound of that kind.
struct OutputLimit {
    std::uint64_t hard_bytes = 0;  ///< at once
    std::uint64_t soft_bytes = 0;  ///< when it lasts for longer than `soft_s`
    std::uint64_t soft_s = 0;

    bool operator==(const OutputLimit&) const = default;
};

/// The setting client-output-buffer-limit, which has a limit for each class of clients. Only that
/// of subscribers has an effect: the others are bounded by limits::client_output_bytes_max.
struct OutputLimits {
    OutputLimit normal{limits::client_output_bytes_max, 0, 0};
    OutputLimit replica;
    OutputLimit pubsub{limits::subscriber_output_bytes_max, limits::subscriber_output_bytes_soft,
                       limits::subscriber_output_soft_s};

    /// Changes the classes that the text names: "pubsub 32mb 8mb 60 normal 0 0 0". What is wrong
    /// with it, in Redis's words; empty if nothing is, and only then something has changed.
    std::string parse(BytesView text);

    bool operator==(const OutputLimits&) const = default;
};

/// All classes, with bytes as numbers; what CONFIG GET shows.
std::string to_string(const OutputLimits& limits);

}  // namespace syncline
