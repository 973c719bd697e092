#pragma once
#include "tests/crdt/spec.hpp"

/// What an element of an add-wins set means, as a function of its history alone.
namespace syncline::test::spec {

enum class ElementOperation { add, remove };

/// Present if some add was seen by no removal.
inline bool element_present(const Events<ElementOperation>& visible) {
    const auto removes = [](const ElementOperation& operation) {
        return operation == ElementOperation::remove;
    };
    return std::any_of(visible.begin(), visible.end(), [&](const Event<ElementOperation>& event) {
        return event.operation == ElementOperation::add && !seen_by_any(event, visible, removes);
    });
}

}  // namespace syncline::test::spec
