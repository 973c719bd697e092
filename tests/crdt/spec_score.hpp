#pragma once
#include "tests/crdt/spec_string.hpp"

/// What a member of a sorted set that takes ZADD, ZREM and ZINCRBY means, as a function of its
/// history alone.
namespace syncline::test::spec {

/// The last of the scores that nothing has cancelled, plus all additions that nothing has
/// cancelled. A member is there if there is any of them. Operations are those of strings whose
/// values are scores; all scores of the tests are decimals, or infinite, which additions do not
/// change.
inline std::optional<double> score(const Events<StringOperation>& visible) {
    const std::optional<std::string> text = string_value(visible);
    if (!text) return std::nullopt;
    return std::stod(*text);
}

}  // namespace syncline::test::spec
