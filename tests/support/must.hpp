#pragma once
#include <boost/test/unit_test.hpp>
#include <utility>

#include "core/base/result.hpp"

namespace syncline::test {

/// The value; an error ends the test case with its message.
template <typename T>
T must(Result<T> result) {
    BOOST_REQUIRE_MESSAGE(result, (result ? "" : result.error().message));
    return std::move(*result);
}
inline void must(const Result<void>& result) {
    BOOST_REQUIRE_MESSAGE(result, (result ? "" : result.error().message));
}

}  // namespace syncline::test
