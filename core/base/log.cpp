#include "core/base/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <memory>

namespace syncline {

namespace {

/// The one sink of the process; the only global of the program.
struct Sink {
    spdlog::logger logger{"syncline", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
    LogFormat format = LogFormat::text;
    std::string node;

    Sink() { configure(LogLevel::warning, LogFormat::text, ""); }
    void configure(LogLevel level, LogFormat format_wanted, std::string_view node_name);
};

Sink& sink() {
    static Sink instance;
    return instance;
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return spdlog::level::debug;
        case LogLevel::info:
            return spdlog::level::info;
        case LogLevel::warning:
            return spdlog::level::warn;
        case LogLevel::error:
            return spdlog::level::err;
        case LogLevel::off:
            return spdlog::level::off;
    }
    return spdlog::level::off;
}

/// The length of the valid UTF-8 sequence at the start of text, or 0.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    std::size_t length = 0;
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) length = 2;
    if (first >= 0xe0 && first <= 0xef) length = 3;
    if (first >= 0xf0 && first <= 0xf4) length = 4;
    if (length == 0 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) return 0;
    }
    const unsigned second = byte(1);
    const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool surrogate = first == 0xed && second >= 0xa0;
    const bool too_large = first == 0xf4 && second >= 0x90;
    return overlong || surrogate || too_large ? 0 : length;
}

void append_escaped(std::string& out, char character) {
    constexpr char digits[] = "0123456789abcdef";
    const auto value = static_cast<unsigned char>(character);
    if (character == '"' || character == '\\') {
        out.push_back('\\');
        out.push_back(character);
    } else if (value < 0x20 || value == 0x7f) {
        out.append("\\u00");
        out.push_back(digits[value >> 4]);
        out.push_back(digits[value & 0xf]);
    } else {
        out.push_back(character);
    }
}

/// A JSON string. Bytes that are not UTF-8 become U+FFFD, so that a line is always valid JSON.
void append_quoted(std::string& out, std::string_view text) {
    out.push_back('"');
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0) out.append("\\ufffd");
        if (length == 1) append_escaped(out, text.front());
        if (length > 1) out.append(text.substr(0, length));
        text.remove_prefix(length == 0 ? 1 : length);
    }
    out.push_back('"');
}

/// As it is when that cannot be misread, quoted otherwise: a value can never forge a line.
void append_text(std::string& out, std::string_view text) {
    bool plain = !text.empty();
    for (const char character : text) {
        const auto value = static_cast<unsigned char>(character);
        const bool harmless = value > 0x20 && value < 0x7f && character != '"' &&
                              character != '\\' && character != '=';
        plain = plain && harmless;
    }
    if (plain) {
        out.append(text);
    } else {
        append_quoted(out, text);
    }
}

std::string text_line(const std::string& node, std::string_view event,
                      std::initializer_list<LogField> fields) {
    std::string line;
    if (!node.empty()) {
        append_text(line, node);
        line.push_back(' ');
    }
    line.append(event);
    for (const LogField& field : fields) {
        line.push_back(' ');
        line.append(field.name);
        line.push_back('=');
        append_text(line, field.value);
    }
    return line;
}

/// The rest of the JSON object that the sink's pattern opens.
std::string json_line(const std::string& node, std::string_view event,
                      std::initializer_list<LogField> fields) {
    std::string line = "\"node\":";
    append_quoted(line, node);
    line.append(",\"event\":");
    append_quoted(line, event);
    for (const LogField& field : fields) {
        line.push_back(',');
        append_quoted(line, field.name);
        line.push_back(':');
        append_quoted(line, field.value);
    }
    line.push_back('}');
    return line;
}

void Sink::configure(LogLevel level, LogFormat format_wanted, std::string_view node_name) {
    const char* pattern = format_wanted == LogFormat::json
                              ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v)"
                              : "%Y-%m-%dT%H:%M:%S.%eZ %l %v";
    logger.set_formatter(
        std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
    logger.set_level(spdlog_level(level));
    format = format_wanted;
    node = node_name;
}

}  // namespace

void configure_log(LogLevel level, LogFormat format, std::string_view node) {
    sink().configure(level, format, node);
}

void set_log_level(LogLevel level) {
    sink().logger.set_level(spdlog_level(level));
}

void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
    Sink& out = sink();
    const auto wanted = spdlog_level(level);
    if (level == LogLevel::off || !out.logger.should_log(wanted)) return;
    const std::string line = out.format == LogFormat::json ? json_line(out.node, event, fields)
                                                           : text_line(out.node, event, fields);
    // As one string view, so that braces in a value are never taken for a format.
    out.logger.log(wanted, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace syncline
