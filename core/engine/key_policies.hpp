#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/base/pack.hpp"
#include "core/base/result.hpp"

namespace syncline {

/// What a removal does against an add that has not seen it. The numbers travel in HELLO.
enum class RemovalRule : std::uint8_t {
    add_wins = 0,     ///< nothing: the add stays
    remove_wins = 1,  ///< it counts, until somebody who has seen it adds anew
};

/// Which rule holds for which keys: of the prefixes that a key begins with the longest decides, and
/// add_wins where there is none. It decides what a removal writes at its origin; how states merge
/// does not depend on it, so replicas converge even while they disagree about it. Sets and flags
/// know both rules.
/// A constant of the cluster: replicas refuse peers that have others.
class KeyPolicies {
public:
    static constexpr std::size_t count_max = 64;
    static constexpr std::size_t prefix_bytes_max = 256;

    /// Adds "PREFIX=RULE", where RULE is add-wins or remove-wins, and the prefix may contain '='.
    /// Error invalid_argument, in a sentence: no such rule, a prefix given twice, too long, or too
    /// many of them.
    Result<void> add(const std::string& text);
    /// In the order of the prefixes, as add() takes them.
    [[nodiscard]] std::vector<std::string> texts() const;

    /// O(policies).
    [[nodiscard]] bool removal_wins(BytesView key) const;
    [[nodiscard]] bool empty() const { return rules_.empty(); }

    bool operator==(const KeyPolicies&) const = default;

    friend void pack(Packer& out, const KeyPolicies& policies);
    friend KeyPolicies unpack_key_policies(Unpacker& in);

private:
    Result<void> add(Bytes prefix, RemovalRule rule);

    std::map<Bytes, RemovalRule> rules_;
};

KeyPolicies unpack_key_policies(Unpacker& in);

}  // namespace syncline
