#pragma once
#include <cstdint>
#include <string>

namespace syncline {

/// Memory of this process, in bytes.
struct MemoryUse {
    std::uint64_t used = 0;      ///< handed out by the allocator
    std::uint64_t resident = 0;  ///< in RAM, pages of the base's map included
    std::uint64_t peak = 0;      ///< most that was resident
    std::string allocator;       ///< its name and version; "libc" for the system's
};
/// 0 for what the system does not tell.
MemoryUse memory_use();

}  // namespace syncline
