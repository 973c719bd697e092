#pragma once
#include <cstdint>

namespace syncline {

/// When a write is acknowledged. Peers are told of durable transactions only, whatever this says.
enum class Durability : std::uint8_t {
    always,    ///< when it is synced: nothing acknowledged is ever lost
    interval,  ///< when the operating system has it, which syncs every so often: a power cut takes
               ///< what was written since then, the end of the process does not
};

}  // namespace syncline
