#include "net/acl/user.hpp"

#include <algorithm>
#include <utility>

#include "core/base/assert.hpp"
#include "net/commands/arguments.hpp"
#include "net/peer_auth.hpp"
#include "net/resp.hpp"

namespace syncline {
namespace {

constexpr std::size_t hash_digits = 64;

bool is_password_hash(BytesView text) {
    return text.size() == hash_digits &&
           text.find_first_not_of("0123456789abcdef") == BytesView::npos;
}

}  // namespace

BytesView fault_text(RuleFault fault) {
    switch (fault) {
        case RuleFault::none:
            break;
        case RuleFault::syntax:
            return "Syntax error";
        case RuleFault::unknown_name:
            return "Unknown command or category name in ACL";
        case RuleFault::key_after_all:
            return "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and "
                   "does not have any effect. Try 'resetkeys' to start with an empty list of "
                   "patterns";
        case RuleFault::channel_after_all:
            return "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid "
                   "and does not have any effect. Try 'resetchannels' to start with an empty list "
                   "of channels";
        case RuleFault::no_such_password:
            return "The password you are trying to remove from the user does not exist";
        case RuleFault::bad_hash:
            return "The password hash must be exactly 64 characters and contain only lowercase "
                   "hexadecimal characters";
        case RuleFault::nested_argument:
            return "Allowing first-arg of a subcommand is not supported";
    }
    SYNCLINE_ASSERT(fault != RuleFault::none);
    return {};
}

RuleFault AclUser::apply(BytesView rule, bool all_channels) {
    if (rule.empty()) return RuleFault::none;
    const BytesView passwords = "><#!";
    const RuleFault fault = passwords.find(rule.front()) != BytesView::npos
                                ? apply_password(rule)
                                : apply_flag_or_selector(rule, all_channels);
    unrestricted_ = std::any_of(selectors_.begin(), selectors_.end(),
                                [](const AclSelector& one) { return one.unrestricted(); });
    return fault;
}

RuleFault AclUser::apply_flag_or_selector(BytesView rule, bool all_channels) {
    const auto is = [&](BytesView word) { return equal_nocase(rule, word); };
    if (is("on") || is("off")) {
        enabled_ = is("on");
    } else if (is("nopass") || is("resetpass")) {
        open_ = is("nopass");
        passwords_.clear();
    } else if (is("skip-sanitize-payload")) {
        payloads_ = Payloads::trusted;
    } else if (is("sanitize-payload")) {
        payloads_ = Payloads::checked;
    } else if (is("clearselectors")) {
        selectors_.erase(selectors_.begin() + 1, selectors_.end());
    } else if (is("reset")) {
        reset(all_channels);
    } else if (rule.front() == '(' && rule.back() == ')' && rule.size() > 1) {
        return add_selector(rule.substr(1, rule.size() - 2), all_channels);
    } else {
        return selectors_.front().apply(rule);
    }
    return RuleFault::none;
}

RuleFault AclUser::apply_password(BytesView rule) {
    const BytesView text = rule.substr(1);
    const bool hashed = rule.front() == '#' || rule.front() == '!';
    if (hashed && !is_password_hash(text)) return RuleFault::bad_hash;
    const Bytes hash = hashed ? Bytes(text) : sha256_hex(text);
    const auto found = std::find(passwords_.begin(), passwords_.end(), hash);
    if (rule.front() == '<' || rule.front() == '!') {
        if (found == passwords_.end()) return RuleFault::no_such_password;
        passwords_.erase(found);
        return RuleFault::none;
    }
    if (found == passwords_.end()) passwords_.push_back(hash);
    open_ = false;
    return RuleFault::none;
}

RuleFault AclUser::add_selector(BytesView rules, bool all_channels) {
    AclSelector selector(all_channels);
    const std::optional<std::vector<Bytes>> words = split_arguments(rules);
    if (!words) return RuleFault::syntax;
    for (const Bytes& word : *words) {
        const RuleFault fault = selector.apply(word);
        if (fault != RuleFault::none) return fault;
    }
    selectors_.push_back(std::move(selector));
    return RuleFault::none;
}

void AclUser::reset(bool all_channels) {
    enabled_ = false;
    open_ = false;
    payloads_ = Payloads::checked;
    passwords_.clear();
    selectors_.assign(1, AclSelector(all_channels));
}

void AclUser::become(const AclUser& other) {
    Bytes name = std::move(name_);
    *this = other;
    name_ = std::move(name);
}

bool AclUser::knows(BytesView hash) const {
    bool known = false;
    for (const Bytes& password : passwords_) {
        known = equal_constant_time(password, hash) || known;
    }
    return known;
}

/// Of several refusals that is told which came farthest.
AccessDenial AclUser::check(const CommandName& name, std::span<const Bytes> arguments) const {
    AccessDenial relevant{AccessDenial::Reason::command, 0};
    for (const AclSelector& selector : selectors_) {
        const AccessDenial denial = selector.check(name, arguments);
        if (denial.reason == AccessDenial::Reason::none) return denial;
        const bool farther = denial.reason > relevant.reason ||
                             (denial.reason == relevant.reason && denial.index > relevant.index);
        if (farther) relevant = denial;
    }
    return relevant;
}

bool AclUser::has_all_keys(unsigned access, const CommandName& name,
                           std::span<const Bytes> arguments) const {
    return std::any_of(selectors_.begin(), selectors_.end(), [&](const AclSelector& selector) {
        return selector.has_all_keys(access) &&
               selector.check(name, arguments).reason == AccessDenial::Reason::none;
    });
}

std::vector<BytesView> AclUser::flags() const {
    std::vector<BytesView> flags{enabled_ ? "on" : "off"};
    if (open_) flags.emplace_back("nopass");
    if (payloads_ == Payloads::trusted) flags.emplace_back("skip-sanitize-payload");
    if (payloads_ == Payloads::checked) flags.emplace_back("sanitize-payload");
    return flags;
}

Bytes AclUser::describe() const {
    Bytes text;
    for (const BytesView flag : flags()) text += Bytes(flag) + " ";
    for (const Bytes& password : passwords_) text += "#" + password + " ";
    for (std::size_t i = 0; i < selectors_.size(); ++i) {
        text += i == 0 ? selectors_[i].describe() : " (" + selectors_[i].describe() + ")";
    }
    return text;
}

std::optional<std::vector<Bytes>> merge_selectors(std::span<const Bytes> rules, std::size_t& open) {
    std::vector<Bytes> merged;
    std::optional<std::size_t> began;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const Bytes& rule = rules[i];
        const bool ends = rule.ends_with(')');
        if (began) {
            merged.back() += " " + rule;
            if (ends) began.reset();
        } else {
            merged.push_back(rule);
            if (rule.starts_with('(') && !ends) began = i;
        }
    }
    if (!began) return merged;
    open = *began;
    return std::nullopt;
}

}  // namespace syncline
