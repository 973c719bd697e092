#include "core/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace syncline {

void assert_failed(const char* condition, const char* file, int line) {
    // Plain stdio: the log sink itself may be what is broken.
    std::fprintf(stderr, "syncline: broken invariant: %s (%s:%d)\n", condition, file, line);
    std::abort();
}

}  // namespace syncline
