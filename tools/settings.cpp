#include "tools/settings.hpp"

#include <toml++/toml.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <optional>
#include <sstream>
#include <type_traits>

#include "net/commands/config.hpp"
#include "net/endpoint.hpp"

namespace syncline {
namespace {

Error usage(std::string sentence) {
    return Error{Code::invalid_argument, std::move(sentence)};
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
constexpr Choice<Durability> durabilities[] = {{"always", Durability::always},
                                               {"interval", Durability::interval}};
constexpr Choice<LogFormat> log_formats[] = {{"text", LogFormat::text}, {"json", LogFormat::json}};

/// How a setting is written, and how it is read back for `config print`: no text, not set.
struct Access {
    Result<void> (*apply)(ServeSettings&, const std::string&);
    std::vector<std::string> (*show)(const ServeSettings&);
};
/// How a value stands in the file.
enum class Kind : std::uint8_t { string, number, boolean };

/// One setting: option, environment variable and key of the file in one.
struct Setting {
    const char* name;
    const char* value_name;  // null: a flag, whose value on the command line is "yes"
    const char* help;
    Access access;
    Kind kind = Kind::string;
    bool repeated = false;
};

template <auto ServerOptions::*member>
std::vector<std::string> show(const ServeSettings& settings) {
    const auto& value = settings.server.*member;
    using Value = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, bool>) {
        return {value ? "true" : "false"};
    } else if constexpr (std::is_same_v<Value, std::string>) {
        return value.empty() ? std::vector<std::string>() : std::vector{value};
    } else if constexpr (std::is_same_v<Value, std::optional<std::uint16_t>>) {
        return value ? std::vector{std::to_string(*value)} : std::vector<std::string>();
    } else {
        return {std::to_string(value)};
    }
}

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

Result<void> set_durability(ServeSettings& settings, const std::string& text) {
    SYNCLINE_TRY(settings.server.durability, choose(durabilities, text));
    return {};
}

Result<void> set_log_level(ServeSettings& settings, const std::string& text) {
    SYNCLINE_TRY(settings.log_level, choose(log_levels, text));
    return {};
}

Result<void> set_log_format(ServeSettings& settings, const std::string& text) {
    SYNCLINE_TRY(settings.log_format, choose(log_formats, text));
    return {};
}

Result<void> set_http_port(ServeSettings& settings, const std::string& text) {
    settings.server.http_port.reset();
    if (text == "off") return {};
    SYNCLINE_TRY(settings.server.http_port, parse_port(text));
    return {};
}

/// Two above the client port, so that replicas on one machine need not be told; 7381 beside 7379.
std::uint16_t default_http_port(std::uint16_t port) {
    constexpr unsigned beside = 2;
    const bool fits = port > 0 && port + beside <= std::numeric_limits<std::uint16_t>::max();
    return static_cast<std::uint16_t>(fits ? port + beside : 0);
}

std::vector<std::string> show_http_port(const ServeSettings& settings) {
    if (!settings.server.http_port) return {"off"};
    return {std::to_string(*settings.server.http_port)};
}

std::vector<std::string> show_peers(const ServeSettings& settings) {
    std::vector<std::string> peers;
    for (const TcpEndpoint& peer : settings.server.peers) {
        peers.push_back(to_string(peer));
    }
    return peers;
}

template <typename T, std::size_t count>
std::vector<std::string> name_in(const Choice<T> (&choices)[count], T value) {
    for (const Choice<T>& choice : choices) {
        if (choice.value == value) return {choice.name};
    }
    return {};
}

std::vector<std::string> show_durability(const ServeSettings& settings) {
    return name_in(durabilities, settings.server.durability);
}

std::vector<std::string> show_log_level(const ServeSettings& settings) {
    return name_in(log_levels, settings.log_level);
}

std::vector<std::string> show_log_format(const ServeSettings& settings) {
    return name_in(log_formats, settings.log_format);
}

constexpr Choice<TlsUse> client_certificates[] = {
    {"yes", TlsUse::server_demanding}, {"no", TlsUse::server}, {"optional", TlsUse::server_asking}};

Result<void> set_client_port(ServeSettings& settings, const std::string& text) {
    settings.server.plain_port = text != "off";
    if (!settings.server.plain_port) return {};
    SYNCLINE_TRY(settings.server.port, parse_port(text));
    return {};
}

std::vector<std::string> show_client_port(const ServeSettings& settings) {
    return {settings.server.plain_port ? std::to_string(settings.server.port) : "off"};
}

Result<void> set_tls_port(ServeSettings& settings, const std::string& text) {
    settings.server.tls_port.reset();
    if (text == "off") return {};
    SYNCLINE_TRY(settings.server.tls_port, parse_port(text));
    return {};
}

Result<void> set_tls_clients(ServeSettings& settings, const std::string& text) {
    SYNCLINE_TRY(settings.server.tls_clients, choose(client_certificates, text));
    return {};
}

std::vector<std::string> show_tls_clients(const ServeSettings& settings) {
    return name_in(client_certificates, settings.server.tls_clients);
}

constexpr Choice<ReplicationMode> modes[] = {{"multi-master", ReplicationMode::multi_master},
                                             {"primary-backup", ReplicationMode::primary_backup}};
constexpr Choice<bool> suffix_policies[] = {{"merge", false}, {"hold", true}};

template <typename T>
Result<T> parse_number(const std::string& text) {
    T number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stop != end) return usage("'" + text + "' is no number");
    return number;
}

Result<void> set_mode(ServeSettings& settings, const std::string& text) {
    SYNCLINE_TRY(settings.server.replication, choose(modes, text));
    return {};
}

std::vector<std::string> show_mode(const ServeSettings& settings) {
    return name_in(modes, settings.server.replication);
}

Result<void> set_acks(ServeSettings& settings, const std::string& text) {
    settings.server.acks = 0;
    if (text == "async") return {};
    settings.server.acks.reset();
    if (text == "all") return {};
    const Result<unsigned> count = parse_number<unsigned>(text);
    if (!count || *count > limits::actors_max) {
        return usage("'" + text + "' is none of: async, all, a number of backups");
    }
    settings.server.acks = *count;
    return {};
}

std::vector<std::string> show_acks(const ServeSettings& settings) {
    const std::optional<unsigned>& acks = settings.server.acks;
    return {!acks ? "all" : *acks == 0 ? "async" : std::to_string(*acks)};
}

Result<void> set_replicas(ServeSettings& settings, const std::string& text) {
    const Result<unsigned> count = parse_number<unsigned>(text);
    if (!count || *count > limits::actors_max) {
        return usage("'" + text + "' is no number of replicas");
    }
    settings.server.replicas = *count;
    return {};
}

Result<void> add_policy(ServeSettings& settings, const std::string& text) {
    return settings.server.policies.add(text);
}

std::vector<std::string> show_policies(const ServeSettings& settings) {
    return settings.server.policies.texts();
}

Result<void> set_sync_interval(ServeSettings& settings, const std::string& text) {
    SYNCLINE_TRY(settings.server.sync_interval_ms, parse_number<std::uint64_t>(text));
    if (settings.server.sync_interval_ms > 0) return {};
    return usage("an interval of 0 ms: --durability always syncs before each reply");
}

Result<void> set_copy_rows(ServeSettings& settings, const std::string& text) {
    SYNCLINE_TRY(settings.server.copy_rows_min, parse_number<std::uint64_t>(text));
    return {};
}

Result<void> set_ack_timeout(ServeSettings& settings, const std::string& text) {
    SYNCLINE_TRY(settings.server.ack_timeout_ms, parse_number<std::uint64_t>(text));
    return {};
}

Result<void> set_suffix_policy(ServeSettings& settings, const std::string& text) {
    SYNCLINE_TRY(settings.server.hold_suffix, choose(suffix_policies, text));
    return {};
}

std::vector<std::string> show_suffix_policy(const ServeSettings& settings) {
    return name_in(suffix_policies, settings.server.hold_suffix);
}

Result<void> set_map_bytes(ServeSettings& settings, const std::string& text) {
    const std::optional<std::uint64_t> bytes = parse_memory(text);
    if (!bytes) return usage("'" + text + "' is no size; 500mb or 20gb are");
    settings.server.space.map_bytes = *bytes;
    return {};
}

std::vector<std::string> show_map_bytes(const ServeSettings& settings) {
    return {std::to_string(settings.server.space.map_bytes)};
}

Result<void> set_space_stop(ServeSettings& settings, const std::string& text) {
    constexpr unsigned percent_min = 50;
    constexpr unsigned percent_max = 99;
    const Result<unsigned> percent = parse_number<unsigned>(text);
    if (!percent || *percent < percent_min || *percent > percent_max) {
        return usage("'" + text + "' is no percentage from 50 to 99");
    }
    settings.server.space.stop_percent = *percent;
    return {};
}

std::vector<std::string> show_space_stop(const ServeSettings& settings) {
    return {std::to_string(settings.server.space.stop_percent)};
}

Result<void> set_log_retention_bytes(ServeSettings& settings, const std::string& text) {
    const std::optional<std::uint64_t> bytes = parse_memory(text);
    if (!bytes) return usage("'" + text + "' is no size; 500mb or 20gb are");
    settings.server.log_retention.bytes = *bytes;
    return {};
}

std::vector<std::string> show_log_retention_bytes(const ServeSettings& settings) {
    return {std::to_string(settings.server.log_retention.bytes)};
}

Result<void> set_repair_bandwidth(ServeSettings& settings, const std::string& text) {
    const std::optional<std::uint64_t> bytes = parse_memory(text);
    if (!bytes) return usage("'" + text + "' is no size; 500kb or 20mb are");
    settings.server.repair_bandwidth = *bytes;
    return {};
}

constexpr std::uint64_t hour_ms = std::uint64_t{3600} * 1000;

Result<void> set_log_retention_hours(ServeSettings& settings, const std::string& text) {
    constexpr std::uint64_t hours_max = std::uint64_t{24} * 36500;
    const Result<std::uint64_t> hours = parse_number<std::uint64_t>(text);
    if (!hours || *hours > hours_max) return usage("'" + text + "' is no number of hours");
    settings.server.log_retention.ms = *hours * hour_ms;
    return {};
}

std::vector<std::string> show_log_retention_hours(const ServeSettings& settings) {
    return {std::to_string(settings.server.log_retention.ms / hour_ms)};
}

template <auto ServerOptions::*member>
constexpr Access text{set_text<member>, show<member>};
template <auto ServerOptions::*member>
constexpr Access port{set_port<member>, show<member>};
template <auto ServerOptions::*member>
constexpr Access boolean{set_yes_no<member>, show<member>};

constexpr Setting settings_table[] = {
    {"node", "NAME", "Name of this replica, for people; no spaces [remembered, at first: syncline]",
     text<&ServerOptions::node>},
    {"data", "DIR", "Data directory, made when missing [syncline-data]",
     text<&ServerOptions::data_dir>},
    {"bind", "ADDR", "IP address of the client port [127.0.0.1]", text<&ServerOptions::bind>},
    {"port", "N|off", "Client port, for Redis clients; 0: a free one; off: TLS alone [7379]",
     Access{set_client_port, show_client_port}, Kind::number},
    {"tls-port", "N|off", "Port for clients that speak TLS; 0: a free one [off]",
     Access{set_tls_port, show<&ServerOptions::tls_port>}, Kind::number},
    {"tls-cert", "FILE", "Certificate that clients are shown, then those that lead to its signer",
     text<&ServerOptions::tls_cert>},
    {"tls-key", "FILE", "Key of that certificate; nobody but its owner may read it",
     text<&ServerOptions::tls_key>},
    {"tls-ca", "FILE", "Certificate of who signs those of clients", text<&ServerOptions::tls_ca>},
    {"tls-auth-clients", "yes|no|optional", "Whether clients must show a certificate [yes]",
     Access{set_tls_clients, show_tls_clients}},
    {"requirepass-file", "FILE",
     "Password of clients, which log in as the user default; nobody but its owner may read it",
     text<&ServerOptions::password_file>},
    {"acl-file", "FILE",
     "Users of the client and HTTP ports and what they may do, one a line: user NAME RULE...; "
     "nobody but its owner may read it",
     text<&ServerOptions::users_file>},
    {"protected-mode", "yes|no",
     "Refuse to let others than this machine in while the default user has no password [yes]",
     boolean<&ServerOptions::protected_mode>, Kind::boolean},
    {"peer", "HOST:PORT", "Peer port of another replica; repeat for each",
     Access{add_peer, show_peers}, Kind::string, true},
    {"peer-port", "N", "Port for other replicas [7380, if there is a secret or a certificate]",
     port<&ServerOptions::peer_port>, Kind::number},
    {"peer-bind", "ADDR", "IP address of the peer port [as --bind]",
     text<&ServerOptions::peer_bind>},
    {"peer-secret-file", "FILE", "What all replicas of the cluster know, and nobody else",
     text<&ServerOptions::peer_secret_file>},
    {"peer-tls-cert", "FILE",
     "Certificate of this replica, for its --node name: TLS between replicas, with the secret or "
     "instead of it",
     text<&ServerOptions::peer_tls_cert>},
    {"peer-tls-key", "FILE", "Key of that certificate", text<&ServerOptions::peer_tls_key>},
    {"peer-tls-ca", "FILE", "Certificate of who signs those of all replicas, and no others",
     text<&ServerOptions::peer_tls_ca>},
    {"peer-tls-crl", "FILE", "Certificates that are taken back, as a list that it has signed",
     text<&ServerOptions::peer_tls_crl>},
    {"http-port", "N|off",
     "Port for the web page, metrics and probes; 0: a free one [port + 2, 7381]",
     Access{set_http_port, show_http_port}, Kind::number},
    {"http-bind", "ADDR", "IP address of the HTTP port [as --bind]",
     text<&ServerOptions::http_bind>},
    {"http-tls", "yes|no", "The HTTP port speaks TLS, with the certificate of clients [no]",
     boolean<&ServerOptions::http_tls>, Kind::boolean},
    {"init", nullptr, "Found the cluster; for the first of several replicas",
     boolean<&ServerOptions::init>, Kind::boolean},
    {"replicas", "N",
     "How many the cluster has, this one included; then what all have seen go is dropped [0: "
     "unknown]",
     Access{set_replicas, show<&ServerOptions::replicas>}, Kind::number},
    {"policy", "PREFIX=RULE",
     "What removals from sets and flags do against concurrent adds, for keys with this prefix: "
     "add-wins or remove-wins; repeat for each [=add-wins]",
     Access{add_policy, show_policies}, Kind::string, true},
    {"replication", "MODE",
     "multi-master, or primary-backup: one replica takes writes [multi-master]",
     Access{set_mode, show_mode}},
    {"ack", "async|all|N", "Backups that must hold a write before it is acknowledged [async]",
     Access{set_acks, show_acks}},
    {"ack-timeout", "MS", "How long a client waits for these backups [5000]",
     Access{set_ack_timeout, show<&ServerOptions::ack_timeout_ms>}, Kind::number},
    {"unreplicated", "merge|hold", "What an old primary does with writes nobody else has [merge]",
     Access{set_suffix_policy, show_suffix_policy}},
    {"durability", "always|interval",
     "When a write is replied to: when it is synced, or when the operating system has it [always]",
     Access{set_durability, show_durability}},
    {"sync-interval", "MS",
     "With --durability interval: what a power cut may take; peers get writes when they are synced "
     "[1000]",
     Access{set_sync_interval, show<&ServerOptions::sync_interval_ms>}, Kind::number},
    {"map-bytes", "SIZE",
     "How large the rows on disk may become, as 20gb; 0: as the disk allows [0]",
     Access{set_map_bytes, show_map_bytes}},
    {"space-stop", "PERCENT",
     "How full map-bytes or the disk may get before only removals are taken [85]",
     Access{set_space_stop, show_space_stop}, Kind::number},
    {"log-retention-bytes", "SIZE",
     "How much of the log is kept for peers that are behind; one that needs more compares rows "
     "[1gb]",
     Access{set_log_retention_bytes, show_log_retention_bytes}},
    {"log-retention-hours", "N",
     "How long it is kept; what all --replicas have is not kept in any case [24]",
     Access{set_log_retention_hours, show_log_retention_hours}, Kind::number},
    {"copy-rows", "N",
     "A new replica copies the rows of its first peer, before it serves, if there are so many; 0: "
     "never [100000]",
     Access{set_copy_rows, show<&ServerOptions::copy_rows_min>}, Kind::number},
    {"repair-bandwidth", "SIZE",
     "Bytes a second that go to peers, all together, as rows for repair or for a new replica; new "
     "writes do not wait for it; as 10mb, 0: no cap [0]",
     Access{set_repair_bandwidth, show<&ServerOptions::repair_bandwidth>}},
    {"peer-compression", "yes|no",
     "Compress what goes to peers, from 4 KiB on and while it gets smaller [yes]",
     boolean<&ServerOptions::peer_compression>, Kind::boolean},
    {"conflict-values", "yes|no", "Keep values up to 1 KiB in records of conflicts [yes]",
     boolean<&ServerOptions::conflict_values>, Kind::boolean},
    {"log-level", "LEVEL", "debug, info, warning, error or off [info]",
     Access{set_log_level, show_log_level}},
    {"log-format", "FORMAT", "text or json [text]", Access{set_log_format, show_log_format}},
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

/// The values of the environment; an empty variable counts as none.
GivenSettings read_environment() {
    GivenSettings given;
    const auto take = [&](const std::string& name, bool repeated) {
        const std::string variable = variable_of(name);
        const char* const text = std::getenv(variable.c_str());
        if (text == nullptr || *text == '\0') return;
        Given value{{}, Origin::environment, variable};
        std::istringstream parts{std::string(text)};
        for (std::string part; std::getline(parts, part, repeated ? ',' : '\0');) {
            value.values.push_back(part);
        }
        given[name] = std::move(value);
    };
    for (const Setting& setting : settings_table) take(setting.name, setting.repeated);
    take(config_name, false);
    return given;
}

std::string place_of(const std::string& path, const toml::source_region& source) {
    if (source.begin.line == 0) return path;  // the file as a whole
    return path + ":" + std::to_string(source.begin.line) + ":" +
           std::to_string(source.begin.column);
}

std::string describe(const Given& given) {
    switch (given.origin) {
        case Origin::built_in:
            return "default";
        case Origin::file:
            return given.place;
        case Origin::environment:
            return "environment " + given.place;
        case Origin::flag:
            return "flag";
    }
    return {};
}

std::string toml_of(const Setting& setting, const std::vector<std::string>& values) {
    const bool word = values.front() == "off";
    if (setting.kind != Kind::string && !word) return values.front();
    toml::array array;
    for (const std::string& value : values) array.push_back(value);
    std::ostringstream out;
    if (setting.repeated) {
        out << array;
    } else {
        out << toml::value<std::string>(values.front());
    }
    return out.str();
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
        if (setting.value_name == nullptr) {
            app.add_flag_callback(
                "--" + name,
                [&given, name]() {
                    given[name] = Given{{"yes"}, Origin::flag, {}};
                },
                setting.help);
            continue;
        }
        CLI::Option* const option = app.add_option_function<std::vector<std::string>>(
            "--" + name,
            [&given, name](const std::vector<std::string>& values) {
                given[name] = Given{values, Origin::flag, {}};
            },
            setting.help);
        option->type_name(setting.value_name);
        option->expected(1, setting.repeated ? repeats_max : 1);
        // One value for each time, so that no value is taken for one more.
        if (setting.repeated) option->delimiter(',')->allow_extra_args(false);
    }
    app.add_option_function<std::string>(
           "--config",
           [&given](const std::string& path) {
               given[config_name] = Given{{path}, Origin::flag, {}};
           },
           "TOML file with settings; the keys are the names of these options")
        ->type_name("FILE");
}

Result<GivenSettings> read_settings_file(const std::string& path) {
    GivenSettings given;
    toml::table table;
    try {  // toml++ reports by exceptions; none leaves this function
        table = toml::parse_file(path);
    } catch (const toml::parse_error& error) {
        return usage(place_of(path, error.source()) + ": " + std::string(error.description()));
    }
    for (const auto& [key, node] : table) {
        const std::string place = place_of(path, key.source());
        const Setting* const setting = find_setting(key.str());
        if (setting == nullptr) {
            return usage(place + ": there is no setting '" + std::string(key.str()) + "'");
        }
        std::optional<std::vector<std::string>> values = values_of(*setting, node);
        if (!values) {
            return usage(place_of(path, node.source()) + ": the value of '" + setting->name +
                         "' is of the wrong kind");
        }
        for (const std::string& value : *values) {
            ServeSettings checked;
            const Result<void> applied = setting->access.apply(checked, value);
            if (!applied) {
                return usage(place_of(path, node.source()) + ": " + setting->name + ": " +
                             applied.error().message);
            }
        }
        given[setting->name] = Given{std::move(*values), Origin::file, place};
    }
    return given;
}

Result<GivenSettings> gather_settings(const GivenSettings& flags) {
    GivenSettings given = read_environment();
    for (const auto& [name, flag] : flags) given[name] = flag;
    const auto config = given.find(config_name);
    if (config == given.end()) return given;
    SYNCLINE_TRY(GivenSettings all, read_settings_file(config->second.values.front()));
    for (auto& [name, value] : given) all[name] = std::move(value);
    return all;
}

Result<ServeSettings> resolve_settings(const GivenSettings& flags) {
    SYNCLINE_TRY(const GivenSettings given, gather_settings(flags));
    ServeSettings settings;
    for (const Setting& setting : settings_table) {
        const auto found = given.find(setting.name);
        if (found == given.end()) continue;
        const std::string& place = found->second.place;
        for (const std::string& value : found->second.values) {
            const Result<void> applied = setting.access.apply(settings, value);
            if (applied) continue;
            return usage((place.empty() ? "--" + found->first : place) + ": " +
                         applied.error().message);
        }
    }
    if (given.count("http-port") == 0) {
        settings.server.http_port = default_http_port(settings.server.port);
    }
    return settings;
}

Result<std::string> print_settings(const GivenSettings& flags, bool given_only) {
    SYNCLINE_TRY(const GivenSettings given, gather_settings(flags));
    SYNCLINE_TRY(const ServeSettings settings, resolve_settings(flags));
    std::ostringstream out;
    for (const Setting& setting : settings_table) {
        const auto found = given.find(setting.name);
        if (found == given.end() && given_only) continue;
        const std::vector<std::string> values = setting.access.show(settings);
        if (values.empty()) {
            out << "# " << setting.name << " is not set\n";
        } else {
            out << setting.name << " = " << toml_of(setting, values) << "  # "
                << (found == given.end() ? "default" : describe(found->second)) << "\n";
        }
    }
    return out.str();
}

std::string settings_manual() {
    const auto escaped = [](std::string_view text) {
        std::string out;
        for (const char byte : text) {
            if (std::string_view("\\_*").find(byte) != std::string_view::npos) out += '\\';
            out += byte;
        }
        return out;
    };
    std::ostringstream out;
    for (const Setting& setting : settings_table) {
        const bool flag = setting.value_name == nullptr;
        const std::string value = flag ? "true|false" : setting.value_name;
        out << "*" << setting.name << "* = " << (setting.repeated ? "[" : "") << "_"
            << escaped(value) << "_" << (setting.repeated ? ", ...]" : "") << "\n\t"
            << escaped(setting.help) << ".\n\tEnvironment: *" << escaped(variable_of(setting.name))
            << "*" << (setting.repeated ? ", with commas between the values" : "") << ".\n\n";
    }
    return out.str();
}

std::string changed_settings(const std::string& before, const std::string& after,
                             const std::vector<std::string>& but) {
    // "# NAME is not set", or "NAME = VALUE  # ORIGIN": the origin does not matter.
    const auto lines_of = [](const std::string& text) {
        std::map<std::string, std::string> lines;
        std::istringstream in(text);
        for (std::string line; std::getline(in, line);) {
            if (line.rfind("# ", 0) == 0) continue;
            const std::size_t equals = line.find(" = ");
            lines[line.substr(0, equals)] = line.substr(equals, line.rfind("  # ") - equals);
        }
        return lines;
    };
    const std::map<std::string, std::string> old_lines = lines_of(before);
    const std::map<std::string, std::string> new_lines = lines_of(after);
    std::string names;
    for (const Setting& setting : settings_table) {
        if (std::find(but.begin(), but.end(), setting.name) != but.end()) continue;
        const auto was = old_lines.find(setting.name);
        const auto is = new_lines.find(setting.name);
        const bool same = was == old_lines.end() || is == new_lines.end()
                              ? (was == old_lines.end()) == (is == new_lines.end())
                              : was->second == is->second;
        if (!same) names += (names.empty() ? "" : " ") + std::string(setting.name);
    }
    return names;
}

}  // namespace syncline
