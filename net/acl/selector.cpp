// The permissions of a user: rules one by one, and the check of a request. The way back from
// permissions to rules is in net/acl/describe.cpp.
#include <algorithm>

#include "net/acl/catalog.hpp"
#include "net/acl/key_uses.hpp"
#include "net/acl/user.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/glob.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

/// Such a name or pattern could not be read back.
bool has_blank(BytesView text) {
    return text.find_first_of(BytesView(" \t\n\v\f\r\0", 7)) != BytesView::npos;
}

/// What stands between % and ~; nothing when it is wrong.
std::optional<unsigned> parse_access(BytesView letters) {
    unsigned access = 0;
    for (const char letter : letters) {
        const unsigned one = letter == 'R' || letter == 'r'   ? key_access::read
                             : letter == 'W' || letter == 'w' ? key_access::write
                                                              : 0;
        if (one == 0 || (access & one) != 0) return std::nullopt;
        access |= one;
    }
    return access == 0 ? std::nullopt : std::optional(access);
}

}  // namespace

RuleFault AclSelector::apply(BytesView rule) {
    const auto is = [&](BytesView word) { return equal_nocase(rule, word); };
    if (is("allkeys") || is("~*") || is("resetkeys")) {
        all_keys_ = !is("resetkeys");
        keys_.clear();
    } else if (is("allchannels") || is("&*") || is("resetchannels")) {
        all_channels_ = !is("resetchannels");
        channels_.clear();
    } else if (is("allcommands") || is("+@all")) {
        set_all_commands(true);
    } else if (is("nocommands") || is("-@all")) {
        set_all_commands(false);
    } else if (rule.starts_with('~') || rule.starts_with('%')) {
        return apply_key(rule);
    } else if (rule.starts_with('&')) {
        return apply_channel(rule.substr(1));
    } else if (rule.starts_with("+@") || rule.starts_with("-@")) {
        return apply_category(rule.substr(2), rule.front() == '+');
    } else if (rule.starts_with('+') || rule.starts_with('-')) {
        return apply_command(rule);
    } else {
        return RuleFault::syntax;
    }
    return RuleFault::none;
}

RuleFault AclSelector::apply_key(BytesView rule) {
    if (all_keys_) return RuleFault::key_after_all;
    const std::size_t tilde = rule.find('~');
    if (tilde == BytesView::npos) return RuleFault::syntax;
    std::optional<unsigned> access = key_access::read | key_access::write;
    if (rule.front() == '%') access = parse_access(rule.substr(1, tilde - 1));
    const BytesView pattern = rule.substr(tilde + 1);
    if (!access || has_blank(pattern)) return RuleFault::syntax;
    const auto same = std::find_if(keys_.begin(), keys_.end(),
                                   [&](const KeyPattern& key) { return key.pattern == pattern; });
    if (same != keys_.end()) {
        same->access |= *access;
    } else {
        keys_.push_back({Bytes(pattern), *access});
    }
    return RuleFault::none;
}

RuleFault AclSelector::apply_channel(BytesView pattern) {
    if (all_channels_) return RuleFault::channel_after_all;
    if (has_blank(pattern)) return RuleFault::syntax;
    const bool known = std::find(channels_.begin(), channels_.end(), pattern) != channels_.end();
    if (!known) channels_.emplace_back(pattern);
    return RuleFault::none;
}

RuleFault AclSelector::apply_command(BytesView rule) {
    const bool allow = rule.front() == '+';
    const BytesView full_name = rule.substr(1);
    const std::size_t bar = full_name.rfind('|');
    if (allow && bar != BytesView::npos) {
        const CommandName container = find_full_name(full_name.substr(0, bar));
        if (container.command == nullptr) return RuleFault::unknown_name;
        if (container.parent != nullptr) return RuleFault::nested_argument;
        if (bar + 1 == full_name.size()) return RuleFault::syntax;
        if (container.command->subcommands.empty()) {
            return add_first_argument(full_name.substr(0, bar), full_name.substr(bar + 1));
        }
    }
    const CommandName name = find_full_name(full_name);
    if (name.command == nullptr) return RuleFault::unknown_name;
    set_command(*name.command, allow);
    return RuleFault::none;
}

RuleFault AclSelector::add_first_argument(BytesView full_name, BytesView argument) {
    const Command* const command = find_command(full_name);
    SYNCLINE_ASSERT(command != nullptr);
    std::vector<Bytes>& known = first_arguments_[acl_entry(*command).number];
    const bool has = std::any_of(known.begin(), known.end(),
                                 [&](const Bytes& one) { return equal_nocase(one, argument); });
    if (!has) known.emplace_back(argument);
    return RuleFault::none;
}

RuleFault AclSelector::apply_category(BytesView name, bool allow) {
    const std::optional<std::uint32_t> category = acl_category(name);
    if (!category) return RuleFault::unknown_name;
    set_category(*category, allow);
    return RuleFault::none;
}

void AclSelector::set_all_commands(bool allow) {
    all_commands_ = allow;
    allow ? commands_.set() : commands_.reset();
    first_arguments_.clear();
}

/// A container's subcommands go with it.
void AclSelector::set_command(const Command& command, bool allow) {
    const CatalogEntry& entry = acl_entry(command);
    commands_.set(entry.number, allow);
    first_arguments_.erase(entry.number);
    for (const CatalogEntry& sub : entry.subcommands) commands_.set(sub.number, allow);
    all_commands_ = all_commands_ && allow;
}

void AclSelector::set_category(std::uint32_t category, bool allow) {
    for (const CatalogEntry& entry : acl_catalog()) {
        if ((entry.categories & category) != 0) set_command(*entry.name.command, allow);
        for (const CatalogEntry& sub : entry.subcommands) {
            if ((sub.categories & category) != 0) set_command(*sub.name.command, allow);
        }
    }
}

bool AclSelector::may_run(const CommandName& name, std::span<const Bytes> arguments) const {
    if (all_commands_ || name.command->has(command_flag::no_auth)) return true;
    const unsigned number = acl_entry(*name.command).number;
    if (commands_.test(number)) return true;
    const auto found = first_arguments_.find(number);
    if (found == first_arguments_.end() || arguments.size() < 2) return false;
    return std::any_of(found->second.begin(), found->second.end(),
                       [&](const Bytes& first) { return equal_nocase(first, arguments[1]); });
}

bool AclSelector::may_use(BytesView key, unsigned access) const {
    return std::any_of(keys_.begin(), keys_.end(), [&](const KeyPattern& allowed) {
        return (allowed.access & access) == access && glob_match(allowed.pattern, key);
    });
}

bool AclSelector::has_all_keys(unsigned access) const {
    return all_keys_ || std::any_of(keys_.begin(), keys_.end(), [&](const KeyPattern& allowed) {
               return (allowed.access & access) == access && allowed.pattern == "*";
           });
}

bool AclSelector::allows_channel(BytesView channel, bool is_pattern) const {
    return all_channels_ ||
           std::any_of(channels_.begin(), channels_.end(), [&](const Bytes& allowed) {
               return is_pattern ? allowed == channel : glob_match(allowed, channel);
           });
}

AccessDenial AclSelector::check(const CommandName& name, std::span<const Bytes> arguments) const {
    using Reason = AccessDenial::Reason;
    if (!may_run(name, arguments)) return {Reason::command, 0};
    if (!all_keys_) {
        const KeyUses uses = key_uses(name, arguments);
        for (const KeyUse& use : uses.keys) {
            if (!may_use(arguments[use.index], use.access)) return {Reason::key, use.index};
        }
        if (uses.everything != 0 && !has_all_keys(uses.everything)) return {Reason::key, 0};
    }
    if (!all_channels_) {
        const ChannelUses uses = channel_uses(name, arguments);
        for (std::size_t i = uses.first; i < uses.end; ++i) {
            if (!allows_channel(arguments[i], uses.patterns)) return {Reason::channel, i};
        }
    }
    return {};
}

}  // namespace syncline
