#pragma once
#include <algorithm>
#include <concepts>
#include <tuple>
#include <vector>

#include "crdt/hlc.hpp"
#include "crdt/version_vector.hpp"

/// Specifications are functions of histories: they know events and what each event had seen, and
/// nothing of states, deltas or merges.
namespace syncline::test::spec {

template <typename Operation>
struct Event {
    Dot dot;
    VersionVector past;
    Hlc hlc;
    Operation operation;

    [[nodiscard]] bool sees(const Event& other) const { return past.covers(other.dot); }
    [[nodiscard]] bool older_than(const Event& other) const {
        return std::tie(hlc, dot.actor) < std::tie(other.hlc, other.dot.actor);
    }
};

template <typename Operation>
using Events = std::vector<Event<Operation>>;

/// Some visible event whose operation matters has this one in its past.
template <typename Operation, std::predicate<const Operation&> Matters>
bool seen_by_any(const Event<Operation>& event, const Events<Operation>& visible,
                 const Matters& matters) {
    return std::any_of(visible.begin(), visible.end(), [&](const Event<Operation>& other) {
        return other.sees(event) && matters(other.operation);
    });
}

}  // namespace syncline::test::spec
