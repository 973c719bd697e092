#pragma once
#include <cstddef>

#include "core/base/bytes.hpp"

namespace syncline {

/// Unicode code points of well-formed UTF-8.  O(bytes).
inline std::size_t count_points(BytesView utf8) {
    std::size_t count = 0;
    for (const char byte : utf8) count += (static_cast<unsigned char>(byte) & 0xc0U) != 0x80U;
    return count;
}

/// Where the points-th code point of well-formed UTF-8 starts, in bytes; its end if there are not
/// so many.  O(bytes).
inline std::size_t point_offset(BytesView utf8, std::size_t points) {
    for (std::size_t i = 0; i < utf8.size(); ++i) {
        const bool starts = (static_cast<unsigned char>(utf8[i]) & 0xc0U) != 0x80U;
        if (starts && points-- == 0) return i;
    }
    return utf8.size();
}

}  // namespace syncline
