#pragma once
#include <span>
#include <vector>

#include "net/acl/user.hpp"
#include "net/commands/command.hpp"

namespace syncline {

/// A key among the arguments of a request, and what the command does to it, of key_access.
struct KeyUse {
    std::size_t index = 0;
    unsigned access = 0;
    BytesView flags{};  ///< Redis's words for it: "RW access delete"
};

/// What a request does to keys.
struct KeyUses {
    std::vector<KeyUse> keys;
    unsigned everything = 0;  ///< what it does to keys that it does not name
};

/// By the key positions of the table, as Redis's key specifications tell them apart; none if the
/// number of keys in the request is none: the command then refuses it. Precondition: the arity
/// fits. Cost: O(N) with N arguments.
KeyUses key_uses(const CommandName& name, std::span<const Bytes> arguments);

/// The flags of key specifications, with blanks between them.
struct KeyFlags {
    BytesView first;    ///< of the first key
    BytesView others;   ///< of those behind it
    bool vary = false;  ///< with the options of a request
};
/// Precondition: the command has keys.
KeyFlags key_flags(const CommandName& name);

/// The channels of a request: arguments from `first` up to `end`.
struct ChannelUses {
    std::size_t first = 0;
    std::size_t end = 0;
    bool patterns = false;  ///< they are patterns of channels
};
/// Those that it publishes or subscribes to; none when it does neither.
ChannelUses channel_uses(const CommandName& name, std::span<const Bytes> arguments);

}  // namespace syncline
