#pragma once
#include <cstdint>

#include "tests/crdt/spec.hpp"

/// What a counter that never goes below 0 means, as a function of its history alone.
namespace syncline::test::spec {

struct BoundedOperation {
    enum class Kind { make, use, transfer };
    Kind kind;
    std::uint64_t amount;
    Actor to;  ///< of a transfer
};

inline std::uint64_t rights_made(const Events<BoundedOperation>& visible, const Actor& actor) {
    std::uint64_t made = 0;
    for (const auto& event : visible) {
        const bool counts = event.operation.kind == BoundedOperation::Kind::make;
        if (counts && event.dot.actor == actor) made += event.operation.amount;
    }
    return made;
}

/// What was made less what was used.
inline std::int64_t bounded_value(const Events<BoundedOperation>& visible) {
    std::int64_t value = 0;
    for (const auto& event : visible) {
        const auto amount = static_cast<std::int64_t>(event.operation.amount);
        if (event.operation.kind == BoundedOperation::Kind::make) value += amount;
        if (event.operation.kind == BoundedOperation::Kind::use) value -= amount;
    }
    return value;
}

/// What an actor may still use: what it made and got, less what it used and gave away. Nobody
/// violates the bound as long as this is never below 0.
inline std::int64_t rights_of(const Events<BoundedOperation>& visible, const Actor& actor) {
    std::int64_t rights = 0;
    for (const auto& event : visible) {
        const BoundedOperation& operation = event.operation;
        const auto amount = static_cast<std::int64_t>(operation.amount);
        const bool makes = operation.kind == BoundedOperation::Kind::make;
        if (event.dot.actor == actor) rights += makes ? amount : -amount;
        if (operation.kind == BoundedOperation::Kind::transfer && operation.to == actor) {
            rights += amount;
        }
    }
    return rights;
}

}  // namespace syncline::test::spec
