#pragma once
#include <initializer_list>
#include <string>
#include <string_view>

namespace syncline {

enum class LogLevel { debug, info, warning, error, off };
enum class LogFormat { text, json };

/// One named value of a log line. Never a secret, never a user's value; keys only as hashes.
struct LogField {
    std::string_view name;
    std::string value;
};

/// Sets up the process-wide sink (standard error). Call once, before threads start. Without a call
/// warnings and errors are printed as text.
void configure_log(LogLevel level, LogFormat format, std::string_view node);

/// From now on. Thread-safe.
void set_log_level(LogLevel level);

/// Writes one line: time, level, node, event, fields. Thread-safe.
void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

}  // namespace syncline
