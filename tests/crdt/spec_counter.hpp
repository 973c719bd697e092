#pragma once
#include <cstdint>
#include <optional>

#include "tests/crdt/spec.hpp"

/// What a counter with observed reset means, as a function of its history alone.
namespace syncline::test::spec {

struct CounterOperation {
    enum class Kind { increment, reset, reset_then_increment };
    Kind kind;
    std::uint64_t amount;
};

/// The sum, mod 2^64, of the increments that no reset has seen; nothing if there are none.
inline std::optional<std::uint64_t> counter_value(const Events<CounterOperation>& visible) {
    const auto resets = [](const CounterOperation& operation) {
        return operation.kind != CounterOperation::Kind::increment;
    };
    std::optional<std::uint64_t> sum;
    for (const auto& event : visible) {
        const bool increments = event.operation.kind != CounterOperation::Kind::reset;
        if (!increments || seen_by_any(event, visible, resets)) continue;
        sum = sum.value_or(0) + event.operation.amount;
    }
    return sum;
}

}  // namespace syncline::test::spec
