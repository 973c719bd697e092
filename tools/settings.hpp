#pragma once
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

/// Values as they were given, by the name of the setting; several for a repeated one.
using GivenSettings = std::map<std::string, std::vector<std::string>>;

/// Adds one option for each setting, each also an environment variable (--peer-port is
/// SYNCLINE_PEER_PORT), and --config. `given` must outlive the parse and is filled by it.
void add_settings(CLI::App& app, GivenSettings& given);

/// Reads a TOML file whose keys are the names of the settings. Error invalid_argument with file and
/// line: a key that is no setting, a value of the wrong kind, no TOML; io: no such file.
Result<GivenSettings> read_settings_file(const std::string& path);

/// What holds in the end: flags before environment before file before defaults.
/// Error invalid_argument names the setting.
Result<ServeSettings> resolve_settings(const GivenSettings& given);

}  // namespace syncline
