// From permissions back to rules: as few as Redis 7.0.15 would need, found in its way.
#include <array>

#include "net/acl/catalog.hpp"
#include "net/acl/user.hpp"

namespace syncline {
namespace {

constexpr std::size_t future = acl_commands_max - 1;
constexpr std::size_t categories_max = 32;

/// How many of the commands of a category are in the set, and how many are not.
struct Share {
    std::size_t in = 0;
    std::size_t out = 0;
};

template <std::size_t size>
Share share_of(std::uint32_t category, const std::bitset<size>& set) {
    Share share;
    const auto count = [&](const CatalogEntry& entry) {
        if ((entry.categories & category) == 0) return;
        ++(set.test(entry.number) ? share.in : share.out);
    };
    for (const CatalogEntry& entry : acl_catalog()) {
        count(entry);
        for (const CatalogEntry& sub : entry.subcommands) count(sub);
    }
    return share;
}

void append_word(Bytes& words, BytesView prefix, BytesView word) {
    if (!words.empty()) words += ' ';
    words.append(prefix).append(word);
}

}  // namespace

/// Categories that fit better than they miss, the best first; the rules that name them.
Bytes AclSelector::take_categories(AclSelector& fake, bool additive) const {
    const std::span<const BytesView> names = acl_category_names();
    std::array<bool, categories_max> taken{};
    AclSelector left(false);
    left.commands_ = commands_;
    Bytes rules;
    while (true) {
        std::optional<std::size_t> best;
        Share best_share;
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (taken.at(i)) continue;
            Share share = share_of(std::uint32_t{1} << i, left.commands_);
            if (!additive) std::swap(share.in, share.out);
            const bool better = !best || share.out < best_share.out ||
                                (share.out == best_share.out && share.in > best_share.in);
            if (share.in <= share.out || !better) continue;
            best = i;
            best_share = share;
        }
        if (!best) return rules;
        taken.at(*best) = true;
        fake.set_category(std::uint32_t{1} << *best, additive);
        left.set_category(std::uint32_t{1} << *best, !additive);
        append_word(rules, additive ? "+@" : "-@", names[*best]);
    }
}

/// Each rule is applied to a fake, so that it is known what is still missing.
Bytes AclSelector::describe_commands() const {
    const bool additive = !commands_.test(future);
    AclSelector fake(false);
    fake.set_all_commands(!additive);
    Bytes rules = additive ? "-@all" : "+@all";
    const Bytes by_category = take_categories(fake, additive);
    if (!by_category.empty()) append_word(rules, "", by_category);
    const auto settle = [&](const CatalogEntry& entry) {
        const bool wanted = commands_.test(entry.number);
        if (wanted == fake.commands_.test(entry.number)) return;
        append_word(rules, wanted ? "+" : "-", entry.name.full_name());
        fake.set_command(*entry.name.command, wanted);
    };
    for (const CatalogEntry& entry : acl_catalog()) {
        settle(entry);
        for (const CatalogEntry& sub : entry.subcommands) settle(sub);
        const auto firsts = first_arguments_.find(entry.number);
        if (firsts == first_arguments_.end() || commands_.test(entry.number)) continue;
        for (const Bytes& first : firsts->second) {
            append_word(rules, "+" + Bytes(entry.name.command->name) + "|", first);
        }
    }
    SYNCLINE_ASSERT(fake.commands_ == commands_);
    return rules;
}

Bytes AclSelector::describe_keys() const {
    if (all_keys_) return "~*";
    Bytes words;
    for (const KeyPattern& key : keys_) {
        const BytesView prefix = key.access == key_access::read    ? "%R~"
                                 : key.access == key_access::write ? "%W~"
                                                                   : "~";
        append_word(words, prefix, key.pattern);
    }
    return words;
}

Bytes AclSelector::describe_channels() const {
    if (all_channels_) return "&*";
    Bytes words;
    for (const Bytes& channel : channels_) append_word(words, "&", channel);
    return words;
}

Bytes AclSelector::describe() const {
    Bytes rules;
    const auto add = [&](const Bytes& words) {
        if (!words.empty()) append_word(rules, "", words);
    };
    add(describe_keys());
    if (!all_channels_) add("resetchannels");
    add(describe_channels());
    add(describe_commands());
    return rules;
}

}  // namespace syncline
