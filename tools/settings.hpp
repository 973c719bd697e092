#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/log.hpp"
#include "net/server.hpp"

namespace CLI {
class App;
}

namespace syncline {

/// Everything `syncline serve` can be told.
struct ServeSettings {
    ServerOptions server;
    LogLevel log_level = LogLevel::info;
    LogFormat log_format = LogFormat::text;
};

/// Where a value comes from; a later one outranks an earlier one.
enum class Origin : std::uint8_t { built_in, file, environment, flag };

/// Values of one setting as they were given; several for a repeated one.
struct Given {
    std::vector<std::string> values;
    Origin origin = Origin::flag;
    std::string place{};  ///< "syncline.toml:3", "SYNCLINE_PORT"; empty for a flag
};
/// By the name of the setting; "config" names the file.
using GivenSettings = std::map<std::string, Given>;

/// Adds one option for each setting, and --config. `given` must outlive the parse and is filled by
/// it with what stands on the command line.
void add_settings(CLI::App& app, GivenSettings& given);

/// Reads a TOML file whose keys are the names of the settings. Error invalid_argument with file,
/// line and column: a key that is no setting, a value of the wrong kind or out of range, no TOML,
/// no such file.
Result<GivenSettings> read_settings_file(const std::string& path);

/// What was given in all three ways: flags before environment (--peer-port is SYNCLINE_PEER_PORT)
/// before the file of --config. Errors: those of the file.
Result<GivenSettings> gather_settings(const GivenSettings& flags);

/// What holds in the end: gather_settings() before defaults.
/// Error invalid_argument names the setting and where its value comes from.
Result<ServeSettings> resolve_settings(const GivenSettings& flags);

/// All settings as a TOML file, each with the origin of its value as a comment. With
/// `given_only`, those that are not at their default.
Result<std::string> print_settings(const GivenSettings& flags, bool given_only);

/// What each setting is, in the language of scdoc(5): the middle of a manual page.
std::string settings_manual();

/// Names of settings that differ between two texts of print_settings(), in order and with blanks
/// between them, without those in `but`.
std::string changed_settings(const std::string& before, const std::string& after,
                             const std::vector<std::string>& but);

}  // namespace syncline
