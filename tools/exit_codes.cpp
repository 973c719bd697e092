#include "tools/exit_codes.hpp"

#include <fmt/core.h>

#include <cstdio>

#include "core/base/result.hpp"

namespace syncline {

int exit_code_of(const Error& error) {
    switch (error.code) {
        case Code::invalid_argument:
            return exit_usage;
        case Code::unavailable:
        case Code::locked:
        case Code::version:
            return exit_unreachable;
        default:
            return exit_failed;
    }
}

int report_failure(const Error& error) {
    fmt::print(stderr, "syncline: {}\n", error.message);
    return exit_code_of(error);
}

}  // namespace syncline
