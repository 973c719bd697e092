#include "core/engine/key_policies.hpp"

namespace syncline {
namespace {

constexpr std::string_view rule_names[] = {"add-wins", "remove-wins"};

Error refused(std::string sentence) {
    return Error{Code::invalid_argument, std::move(sentence)};
}

}  // namespace

Result<void> KeyPolicies::add(const std::string& text) {
    const std::size_t equals = text.rfind('=');
    if (equals == std::string::npos) {
        return refused("'" + text + "' is no policy: PREFIX=add-wins or PREFIX=remove-wins");
    }
    const std::string rule = text.substr(equals + 1);
    for (std::size_t number = 0; number < std::size(rule_names); ++number) {
        if (rule != rule_names[number]) continue;
        return add(text.substr(0, equals), static_cast<RemovalRule>(number));
    }
    return refused("'" + rule + "' is none of: add-wins, remove-wins");
}

Result<void> KeyPolicies::add(Bytes prefix, RemovalRule rule) {
    if (prefix.size() > prefix_bytes_max) {
        return refused("a prefix has at most " + std::to_string(prefix_bytes_max) + " bytes");
    }
    if (rules_.size() == count_max) {
        return refused("there are more than " + std::to_string(count_max) + " policies");
    }
    const auto [place, is_new] = rules_.emplace(std::move(prefix), rule);
    if (!is_new) return refused("the prefix '" + place->first + "' has two policies");
    return {};
}

std::vector<std::string> KeyPolicies::texts() const {
    std::vector<std::string> texts;
    for (const auto& [prefix, rule] : rules_) {
        texts.push_back(prefix + "=" + std::string(rule_names[static_cast<std::size_t>(rule)]));
    }
    return texts;
}

bool KeyPolicies::removal_wins(BytesView key) const {
    // Longer prefixes of one key come later.
    for (auto it = rules_.rbegin(); it != rules_.rend(); ++it) {
        if (key.starts_with(it->first)) return it->second == RemovalRule::remove_wins;
    }
    return false;
}

void pack(Packer& out, const KeyPolicies& policies) {
    out.array(2 * policies.rules_.size());
    for (const auto& [prefix, rule] : policies.rules_) {
        out.bin(prefix);
        out.uint(static_cast<std::uint64_t>(rule));
    }
}

KeyPolicies unpack_key_policies(Unpacker& in) {
    KeyPolicies policies;
    const std::size_t elements = in.array();
    if (elements % 2 != 0) in.fail();
    for (std::size_t i = 0; i < elements && in.ok(); i += 2) {
        Bytes prefix(in.bin());
        const auto rule = static_cast<RemovalRule>(in.uint_at_most(1));
        const bool ascends = policies.empty() || policies.rules_.rbegin()->first < prefix;
        if (!ascends || !policies.add(std::move(prefix), rule)) in.fail();
    }
    return policies;
}

}  // namespace syncline
