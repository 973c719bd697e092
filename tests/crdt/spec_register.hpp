#pragma once
#include <optional>
#include <string>

#include "tests/crdt/spec.hpp"

/// What a last-writer-wins register means, as a function of its history alone.
namespace syncline::test::spec {

struct RegisterOperation {
    enum class Kind { set, remove };
    Kind kind;
    std::string value;
};

/// Among the writes that no other write or removal has seen, the one with the largest timestamp;
/// between equal timestamps the larger actor.
inline std::optional<std::string> register_value(const Events<RegisterOperation>& visible) {
    const Event<RegisterOperation>* winner = nullptr;
    for (const auto& write : visible) {
        if (write.operation.kind != RegisterOperation::Kind::set) continue;
        if (seen_by_any(write, visible, [](const RegisterOperation&) { return true; })) continue;
        if (winner == nullptr || winner->older_than(write)) winner = &write;
    }
    if (winner == nullptr) return std::nullopt;
    return winner->operation.value;
}

}  // namespace syncline::test::spec
