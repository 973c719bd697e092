#pragma once
#include <set>
#include <string>

#include "tests/crdt/spec_register.hpp"

/// What a register that keeps all concurrent values means, as a function of its history alone.
namespace syncline::test::spec {

/// The values of the writes that no other write or removal has seen.
inline std::multiset<std::string> multi_value(const Events<RegisterOperation>& visible) {
    std::multiset<std::string> values;
    for (const auto& write : visible) {
        if (write.operation.kind != RegisterOperation::Kind::set) continue;
        if (seen_by_any(write, visible, [](const RegisterOperation&) { return true; })) continue;
        values.insert(write.operation.value);
    }
    return values;
}

}  // namespace syncline::test::spec
