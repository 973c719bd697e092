#include "tools/settings.hpp"

#include <toml++/toml.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <optional>

namespace syncline {
namespace {

Error usage(std::string sentence) {
    return Error{Code::invalid_argument, std::move(sentence)};
}

Result<std::uint16_t> parse_port(const std::string& text) {
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, port);
    if (error != std::errc() || stop != end) {
        return usage("'" + text + "' is no port; ports are numbers from 0 to 65535");
    }
    return port;
}

/// "host:port", "192.0.2.1:7380", "[2001:db8::1]:7380".
Result<TcpEndpoint> parse_endpoint(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0) {
        return usage("'" + text + "' is no address; write HOST:PORT");
    }
    std::string host = text.substr(0, colon);
    if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    SYNCLINE_TRY(const std::uint16_t port, parse_port(text.substr(colon + 1)));
    return TcpEndpoint{std::move(host), port};
}

template <typename T>
struct Choice {
    const char* name;
    T value;
};

template <typename T, std::size_t count>
Result<T> choose(const Choice<T> (&choices)[count], const std::string& text) {
    std::string names;
    for (const Choice<T>& choice : choices) {
        if (text == choice.name) return choice.value;
        names += (names.empty() ? "" : ", ") + std::string(choice.name);
    }
    return usage("'" + text + "' is none of: " + names);
}

constexpr Choice<bool> yes_no[] = {{"yes", true}, {"no", false}, {"true", true}, {"false", false},
                                   {"1", true},   {"0", false},  {"on", true},   {"off", false}};
constexpr Choice<LogLevel> log_levels[] = {{"debug", LogLevel::debug},
                                           {"info", LogLevel::info},
                                           {"warning", LogLevel::warning},
                                           {"error", LogLevel::error},
                                           {"off", LogLevel::off}};
constexpr Choice<LogFormat> log_formats[] = {{"text", LogFormat::text}, {"json", LogFormat::json}};

using Apply = Result<void> (*)(ServeSettings&, const std::string&);

/// One setting: option, environment variable and key of the file in one.
struct Setting {
    const char* name;
    const char* value_name;  // null: a flag, whose value on the command line is "yes"
    const char* help;
    Apply apply;
    bool repeated = false;
};

template <auto ServerOptions::*member>
Result<void> set_text(ServeSettings& settings, const std::string& text) {
    settings.server.*member = text;
    return {};
}

template <auto ServerOptions::*member>
Result<void> set_port(ServeSettings& settings, const std::string& text) {
    SYNCLINE_TRY(settings.server.*member, parse_port(text));
    return {};
}

template <auto ServerOptions::*member>
Result<void> set_yes_no(ServeSettings& settings, const std::string& text) {
    SYNCLINE_TRY(settings.server.*member, choose(yes_no, text));
    return {};
}

Result<void> add_peer(ServeSettings& settings, const std::string& text) {
    SYNCLINE_TRY(TcpEndpoint endpoint, parse_endpoint(text));
    settings.server.peers.push_back(std::move(endpoint));
    return {};
}

Result<void> check_durability(ServeSettings& /*settings*/, const std::string& text) {
    if (text == "always") return {};
    return usage("'" + text +
                 "' is not in this version; every write is durable before its reply: "
                 "always");
}

Result<void> set_log_level(ServeSettings& settings, const std::string& text) {
    SYNCLINE_TRY(settings.log_level, choose(log_levels, text));
    return {};
}

Result<void> set_log_format(ServeSettings& settings, const std::string& text) {
    SYNCLINE_TRY(settings.log_format, choose(log_formats, text));
    return {};
}

constexpr Setting settings_table[] = {
    {"node", "NAME", "Name of this replica, for people [remembered, at first: syncline]",
     set_text<&ServerOptions::node>},
    {"data", "DIR", "Data directory, made when missing [syncline-data]",
     set_text<&ServerOptions::data_dir>},
    {"bind", "ADDR", "IP address of the client port [127.0.0.1]", set_text<&ServerOptions::bind>},
    {"port", "N", "Client port, for Redis clients; 0: a free one [7379]",
     set_port<&ServerOptions::port>},
    {"protected-mode", "yes|no", "Refuse to let others than this machine in [yes]",
     set_yes_no<&ServerOptions::protected_mode>},
    {"peer", "HOST:PORT", "Peer port of another replica; repeat for each", add_peer, true},
    {"peer-port", "N", "Port for other replicas [7380, if there is a secret]",
     set_port<&ServerOptions::peer_port>},
    {"peer-bind", "ADDR", "IP address of the peer port [as --bind]",
     set_text<&ServerOptions::peer_bind>},
    {"peer-secret-file", "FILE", "What all replicas of the cluster know, and nobody else",
     set_text<&ServerOptions::peer_secret_file>},
    {"init", nullptr, "Found the cluster; for the first of several replicas",
     set_yes_no<&ServerOptions::init>},
    {"durability", "always", "When a write is replied to: when it is durable [always]",
     check_durability},
    {"log-level", "LEVEL", "debug, info, warning, error or off [info]", set_log_level},
    {"log-format", "FORMAT", "text or json [text]", set_log_format},
};

constexpr int repeats_max = 1000;
const char* const config_name = "config";

const Setting* find_setting(std::string_view name) {
    for (const Setting& setting : settings_table) {
        if (name == setting.name) return &setting;
    }
    return nullptr;
}

std::string variable_of(const std::string& name) {
    std::string variable = "SYNCLINE_";
    for (const char byte : name) {
        variable += byte == '-' ? '_' : static_cast<char>(byte - 'a' + 'A');
    }
    return variable;
}

/// A value of the file as text; nothing when it is of a kind that no setting has.
std::optional<std::string> text_of(const toml::node& node) {
    if (const auto* const text = node.as_string()) return text->get();
    if (const auto* const number = node.as_integer()) return std::to_string(number->get());
    if (const auto* const boolean = node.as_boolean()) return boolean->get() ? "yes" : "no";
    return std::nullopt;
}

/// All values of one key; nothing when one of them is of the wrong kind.
std::optional<std::vector<std::string>> values_of(const Setting& setting, const toml::node& node) {
    std::vector<std::string> values;
    const toml::array* const array = node.as_array();
    if (array == nullptr) {
        const std::optional<std::string> value = text_of(node);
        return value ? std::optional(std::vector{*value}) : std::nullopt;
    }
    if (!setting.repeated) return std::nullopt;
    for (const toml::node& element : *array) {
        const std::optional<std::string> value = text_of(element);
        if (!value) return std::nullopt;
        values.push_back(*value);
    }
    return values;
}

}  // namespace

void add_settings(CLI::App& app, GivenSettings& given) {
    for (const Setting& setting : settings_table) {
        const std::string name = setting.name;
        CLI::Option* option = nullptr;
        if (setting.value_name == nullptr) {
            option = app.add_flag_callback(
                "--" + name, [&given, name]() { given[name] = {"yes"}; }, setting.help);
        } else {
            option = app.add_option_function<std::vector<std::string>>(
                "--" + name,
                [&given, name](const std::vector<std::string>& values) { given[name] = values; },
                setting.help);
            option->type_name(setting.value_name);
            option->expected(1, setting.repeated ? repeats_max : 1);
            // One value for each time, so that no value is taken for one more.
            if (setting.repeated) option->delimiter(',')->allow_extra_args(false);
        }
        option->envname(variable_of(name));
    }
    app.add_option_function<std::string>(
           "--config", [&given](const std::string& path) { given[config_name] = {path}; },
           "TOML file with settings; the keys are the names of these options")
        ->type_name("FILE")
        ->envname(variable_of(config_name));
}

Result<GivenSettings> read_settings_file(const std::string& path) {
    GivenSettings given;
    toml::table table;
    try {  // toml++ reports by exceptions; none leaves this function
        table = toml::parse_file(path);
    } catch (const toml::parse_error& error) {
        const auto line = error.source().begin.line;
        return usage(path + (line > 0 ? ":" + std::to_string(line) : std::string()) + ": " +
                     std::string(error.description()));
    }
    for (const auto& [key, node] : table) {
        const std::string place = path + ":" + std::to_string(node.source().begin.line) + ": ";
        const Setting* const setting = find_setting(key.str());
        if (setting == nullptr) {
            return usage(place + "there is no setting '" + std::string(key.str()) + "'");
        }
        std::optional<std::vector<std::string>> values = values_of(*setting, node);
        if (!values) {
            return usage(place + "the value of '" + setting->name + "' is of the wrong kind");
        }
        for (const std::string& value : *values) {
            ServeSettings checked;
            const Result<void> applied = setting->apply(checked, value);
            if (!applied) return usage(place + setting->name + ": " + applied.error().message);
        }
        given[setting->name] = std::move(*values);
    }
    return given;
}

Result<ServeSettings> resolve_settings(const GivenSettings& given) {
    GivenSettings all;
    if (const auto file = given.find(config_name); file != given.end()) {
        SYNCLINE_TRY(all, read_settings_file(file->second.front()));
    }
    for (const auto& [name, values] : given) all[name] = values;
    ServeSettings settings;
    for (const Setting& setting : settings_table) {
        const auto found = all.find(setting.name);
        if (found == all.end()) continue;
        for (const std::string& value : found->second) {
            const Result<void> applied = setting.apply(settings, value);
            if (!applied) {
                return usage("--" + found->first + ": " + applied.error().message);
            }
        }
    }
    return settings;
}

}  // namespace syncline
