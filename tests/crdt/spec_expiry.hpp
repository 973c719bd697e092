#pragma once
#include <algorithm>
#include <optional>

#include "tests/crdt/spec_register.hpp"

/// When a key ends that takes EXPIRE, PERSIST and what removes deadlines, as a function of its
/// history alone.
namespace syncline::test::spec {

/// The latest of the deadlines that nothing has replaced or removed; "never" is later than all.
inline std::optional<std::uint64_t> deadline(const Events<RegisterOperation>& visible) {
    std::optional<std::uint64_t> latest;
    const auto any = [](const RegisterOperation&) { return true; };
    for (const auto& event : visible) {
        if (event.operation.kind != RegisterOperation::Kind::set) continue;
        if (seen_by_any(event, visible, any)) continue;
        const std::string& text = event.operation.value;
        const std::uint64_t deadline = text == "never" ? ~std::uint64_t{0} : std::stoull(text);
        latest = std::max(latest.value_or(deadline), deadline);
    }
    return latest;
}

}  // namespace syncline::test::spec
