#pragma once
#include "tests/crdt/spec.hpp"

/// What an element of a remove-wins set means, and a disable-wins flag, as a function of its
/// history alone.
namespace syncline::test::spec {

enum class SignedOperation {
    add,
    remove,
    clear,  ///< with its whole key: takes what it has seen, and says nothing against other adds
};

/// Of the operations that no other has seen, one is an add and none a removal.
inline bool signed_element_present(const Events<SignedOperation>& visible) {
    bool added = false;
    for (const Event<SignedOperation>& event : visible) {
        const auto any = [](const SignedOperation&) { return true; };
        if (seen_by_any(event, visible, any)) continue;
        if (event.operation == SignedOperation::remove) return false;
        added = added || event.operation == SignedOperation::add;
    }
    return added;
}

}  // namespace syncline::test::spec
