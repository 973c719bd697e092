#pragma once
#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/base/bytes.hpp"

/// Users of the client port and what they may do, with the rules of Redis 7.0.15.
namespace syncline {

struct Command;
struct CommandName;

/// What is done to a key.
namespace key_access {
constexpr unsigned read = 1;
constexpr unsigned write = 2;
}  // namespace key_access

/// Commands and subcommands that rules can tell apart. The last number stands for those that a
/// later version may bring: it is set by "+@all" alone.
constexpr std::size_t acl_commands_max = 1024;

/// Why a rule is not taken.
enum class RuleFault : std::uint8_t {
    none,
    syntax,
    unknown_name,       ///< of a command or a category
    key_after_all,      ///< a pattern of keys behind the one of all
    channel_after_all,  ///< the same of channels
    no_such_password,
    bad_hash,
    nested_argument,  ///< a first argument of a subcommand
};
/// In Redis's words. Precondition: not none.
BytesView fault_text(RuleFault fault);

/// What a user lacks for a request.
struct AccessDenial {
    enum class Reason : std::uint8_t { none, command, key, channel };
    Reason reason = Reason::none;
    std::size_t index = 0;  ///< of the argument; of a key that is not named, 0
};

/// A set of permissions: commands, keys and channels. A user has one, and others beside it: a
/// request must be allowed by one of them as a whole.
class AclSelector {
public:
    explicit AclSelector(bool all_channels) : all_channels_(all_channels) {}

    /// Takes one rule: "+get", "-@admin", "~key*", "&channel", "resetkeys" ...
    RuleFault apply(BytesView rule);
    [[nodiscard]] AccessDenial check(const CommandName& name,
                                     std::span<const Bytes> arguments) const;
    [[nodiscard]] bool has_all_keys(unsigned access) const;
    [[nodiscard]] bool allows_channel(BytesView channel, bool is_pattern) const;
    [[nodiscard]] bool all_channels() const { return all_channels_; }
    [[nodiscard]] const std::vector<Bytes>& channels() const { return channels_; }
    [[nodiscard]] bool unrestricted() const { return all_commands_ && all_keys_ && all_channels_; }

    // As rules that make it again, and as ACL GETUSER has them.
    [[nodiscard]] Bytes describe() const;
    [[nodiscard]] Bytes describe_commands() const;
    [[nodiscard]] Bytes describe_keys() const;
    [[nodiscard]] Bytes describe_channels() const;

private:
    using CommandSet = std::bitset<acl_commands_max>;
    struct KeyPattern {
        Bytes pattern;
        unsigned access = 0;
    };

    RuleFault apply_key(BytesView rule);
    RuleFault apply_channel(BytesView rule);
    RuleFault apply_command(BytesView rule);
    RuleFault add_first_argument(BytesView full_name, BytesView argument);
    RuleFault apply_category(BytesView name, bool allow);
    void set_all_commands(bool allow);
    void set_command(const Command& command, bool allow);
    void set_category(std::uint32_t category, bool allow);
    [[nodiscard]] bool may_run(const CommandName& name, std::span<const Bytes> arguments) const;
    [[nodiscard]] bool may_use(BytesView key, unsigned access) const;
    Bytes take_categories(AclSelector& fake, bool additive) const;

    bool all_commands_ = false;
    bool all_keys_ = false;
    bool all_channels_ = false;
    CommandSet commands_;
    std::map<unsigned, std::vector<Bytes>> first_arguments_;  // by number of the command
    std::vector<KeyPattern> keys_;
    std::vector<Bytes> channels_;
};

/// Somebody who may use the client port. Passwords are kept as SHA-256 in hexadecimal.
/// Thread-safety: confined to one thread.
class AclUser {
public:
    /// One who may do nothing and is off.
    AclUser(Bytes name, bool all_channels)
        : name_(std::move(name)), selectors_(1, AclSelector(all_channels)) {}

    [[nodiscard]] const Bytes& name() const { return name_; }
    /// Takes one rule, those of selectors included. `all_channels`: what "reset" leaves.
    RuleFault apply(BytesView rule, bool all_channels);
    /// Takes over everything but the name.
    void become(const AclUser& other);

    [[nodiscard]] bool enabled() const { return enabled_; }
    /// Any password will do.
    [[nodiscard]] bool open() const { return open_; }
    /// Compares with all of its passwords in constant time. `hash`: as they are kept.
    [[nodiscard]] bool knows(BytesView hash) const;
    /// May do everything: nothing need be checked.
    [[nodiscard]] bool unrestricted() const { return unrestricted_; }

    /// What it lacks for a request. Precondition: the arity fits. Cost: O(N P) with N keys and P
    /// patterns.
    [[nodiscard]] AccessDenial check(const CommandName& name,
                                     std::span<const Bytes> arguments) const;
    /// Whether it may do so to all keys with a command.
    [[nodiscard]] bool has_all_keys(unsigned access, const CommandName& name,
                                    std::span<const Bytes> arguments) const;

    /// The first one has what rules outside of parentheses give.
    [[nodiscard]] const std::vector<AclSelector>& selectors() const { return selectors_; }
    [[nodiscard]] const std::vector<Bytes>& passwords() const { return passwords_; }
    [[nodiscard]] std::vector<BytesView> flags() const;
    /// The rules that make it again, as ACL LIST and the file have them.
    [[nodiscard]] Bytes describe() const;

private:
    enum class Payloads : std::uint8_t { unsaid, trusted, checked };

    RuleFault apply_password(BytesView rule);
    RuleFault add_selector(BytesView rules, bool all_channels);
    RuleFault apply_flag_or_selector(BytesView rule, bool all_channels);
    void reset(bool all_channels);

    Bytes name_;
    bool enabled_ = false;
    bool open_ = false;
    bool unrestricted_ = false;
    Payloads payloads_ = Payloads::unsaid;  // noted for Redis's sake; RESTORE always checks
    std::vector<Bytes> passwords_;
    std::vector<AclSelector> selectors_;
};

/// Selectors in parentheses that are spread over several rules, each as one rule. Nothing, and the
/// index of the first rule of one whose end is missing.
std::optional<std::vector<Bytes>> merge_selectors(std::span<const Bytes> rules, std::size_t& open);

}  // namespace syncline
