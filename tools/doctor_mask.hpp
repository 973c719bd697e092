#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "net/resp_client.hpp"

namespace syncline {

// What `syncline doctor` leaves out. A bundle goes to people who may see neither keys nor values
// nor secrets: what is not known to be harmless is replaced by its length.

/// "(12 bytes)".
std::string masked(std::string_view bytes);
/// The text with what stands in '...' or "..." masked: errors quote what they were given.
std::string without_quotes(std::string_view text);

/// The last lines of a log, of both formats, also behind the prefix of a journal: time, level and
/// event stay, of the fields those that cannot hold data of users. Of other lines only those stay
/// that a start prints. `bytes_max` bounds what is looked at, from the end.
std::string masked_log(std::string_view log, std::size_t bytes_max);

/// A command as it stands in SLOWLOG: the name stays, if there is such a command, and a
/// subcommand's; arguments are lengths.
std::string masked_command(const std::vector<RespValue>& arguments);

/// The settings as `config print` writes them, without prefixes of keys, and without values of
/// names that sound like secrets unless they name a file.
std::string masked_settings(std::string_view text);
/// Whether a setting's value is a secret, by its name.
bool is_secret_name(std::string_view name);

}  // namespace syncline
