#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace syncline {

/// What there is to be said of a command in one line: "SET key value [NX|XX] ...", in upper case
/// the words that are meant as they stand. `full_name` as in "get", "client|list", any case; empty:
/// there is no such command.
std::string command_syntax(std::string_view full_name);

/// The longest command that begins these words, subcommands included: "config|get" of "config",
/// "GET", "x". Empty: none does.
std::string command_in(const std::vector<std::string>& words);

/// Names that may be meant by the last of the words, in order: of commands, if it is the only one,
/// of subcommands, if it follows a container; in the case it is written in.
std::vector<std::string> command_completions(const std::vector<std::string>& words);

/// Syntax, summary, group and more, as lines; of a container its subcommands too. Empty: there is
/// no such command. `words`: "config", "get".
std::string command_help(const std::vector<std::string>& words);
/// All commands of a group ("hash"), or, if it is empty, the groups; empty: there is none.
std::string group_help(std::string_view group);

}  // namespace syncline
