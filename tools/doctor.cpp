/// syncline doctor: what is well and what is not, and a bundle of files for whoever helps, without
/// keys, values or secrets.
#include "tools/doctor.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>

#include "core/base/env.hpp"
#include "net/endpoint.hpp"
#include "syncline_version.hpp"
#include "tools/console.hpp"
#include "tools/doctor_facts.hpp"
#include "tools/doctor_mask.hpp"
#include "tools/exit_codes.hpp"
#include "tools/json_text.hpp"
#include "tools/login.hpp"
#include "tools/settings.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t answer_timeout_ms = 10000;
constexpr std::size_t log_bytes_max = 512 * limits::kib;

struct DoctorLine {
    std::string connect;
    std::string data;
    std::string config;
    std::string log;
    std::string output;
    Login login;
    std::string color = "auto";
    bool json = false;
};

std::string default_output(std::uint64_t now_s) {
    const auto now = static_cast<std::time_t>(now_s);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    char text[32] = "";
    (void)std::strftime(text, sizeof(text), "%Y%m%d-%H%M%S", &utc);  // it has room
    return std::string("syncline-doctor-") + text;
}

/// A secret file's text without its line ends, as a server takes it; empty if it cannot be read.
std::string secret_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    std::string secret = text.str();
    while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
    return secret;
}

/// What a start with --config would go by.
DoctorSettings read_settings(const GivenSettings& given, ServeSettings& settings,
                             DoctorBundle& bundle) {
    DoctorSettings seen;
    const Result<ServeSettings> resolved = resolve_settings(given);
    const Result<std::string> printed = print_settings(given, false);
    if (!resolved || !printed) {
        seen.error = resolved ? printed.error().message : resolved.error().message;
        return seen;
    }
    settings = *resolved;
    const ServerOptions& server = settings.server;
    seen.bind = server.bind;
    seen.protected_mode = server.protected_mode;
    seen.peer_tls = !server.peer_tls_cert.empty();
    seen.secret_file = server.peer_secret_file;
    seen.peers = seen.peer_tls || !seen.secret_file.empty();
    struct stat status {};
    if (!seen.secret_file.empty() && ::stat(seen.secret_file.c_str(), &status) == 0) {
        seen.secret_mode = status.st_mode & 07777U;
        bundle.add_secret(secret_of(seen.secret_file));
    }
    if (const Result<void> checked = check(server); !checked) seen.error = checked.error().message;
    bundle.add("settings.toml", masked_settings(*printed));
    return seen;
}

Result<void> add_log(const std::string& path, DoctorBundle& bundle) {
    std::ostringstream text;
    if (path == "-") {
        text << std::cin.rdbuf();
    } else {
        std::ifstream file(path, std::ios::binary);
        if (!file) return Error{Code::invalid_argument, "cannot open '" + path + "'"};
        file.seekg(0, std::ios::end);
        const auto size = static_cast<std::streamoff>(file.tellg());
        const auto from =
            std::max<std::streamoff>(0, size - static_cast<std::streamoff>(log_bytes_max) - 1);
        file.seekg(size < 0 ? 0 : from);
        text << file.rdbuf();
    }
    bundle.add("log.txt", masked_log(text.str(), log_bytes_max));
    return {};
}

/// Of a directory without its replica what `inspect --data` would be told, too.
void open_directory(DoctorDirectory& directory, DoctorBundle& bundle) {
    if (!directory.error.empty()) return;
    Result<std::unique_ptr<InspectSource>> source = directory_source(directory.path);
    if (!source) {
        directory.error = source.error().message;
        return;
    }
    const Result<RespValue> opened = (*source)->command({"PING"});
    if (opened) {
        (void)doctor_server(**source, bundle);  // for its files
        return;
    }
    directory.locked = opened.error().code == Code::locked;
    if (!directory.locked) directory.error = opened.error().message;
}

std::uint64_t process_of(const DoctorServer& server, const TcpEndpoint& endpoint) {
    const bool here = endpoint.host == "localhost" || endpoint.host == "::1" ||
                      endpoint.host.rfind("127.", 0) == 0;
    const auto line = server.info.find("process_id");
    if (!here || line == server.info.end()) return 0;
    return static_cast<std::uint64_t>(parse_integer(line->second).value_or(0));
}

Result<DoctorFacts> gather(const DoctorLine& line, DoctorBundle& bundle) {
    SYNCLINE_TRY(const std::optional<Secret> password, password_of(line.login));
    for (const char* const variable : {"SYNCLINE_PASSWORD", "SYNCLINE_FROM_PASSWORD"}) {
        if (const char* const secret = std::getenv(variable)) bundle.add_secret(secret);
    }
    if (password) bundle.add_secret(std::string(password->view()));
    DoctorFacts facts;
    facts.version = version_number;
    GivenSettings given;
    ServeSettings settings;
    if (!line.config.empty()) {
        given["config"] = Given{{line.config}, Origin::flag, {}};
        facts.settings = read_settings(given, settings, bundle);
    }
    if (!line.log.empty()) SYNCLINE_CHECK(add_log(line.log, bundle));
    const bool configured = facts.settings && facts.settings->error.empty();
    std::string data = line.data;
    if (data.empty() && configured) data = settings.server.data_dir;
    std::uint64_t process = 0;
    if (!line.connect.empty() || line.data.empty()) {
        const std::string port = std::to_string(settings.server.port);
        SYNCLINE_TRY(const TcpEndpoint endpoint,
                     parse_endpoint(line.connect.empty() ? "127.0.0.1:" + port : line.connect));
        const std::unique_ptr<InspectSource> source =
            live_source(endpoint, answer_timeout_ms, line.login);
        facts.server = doctor_server(*source, bundle);
        process = process_of(*facts.server, endpoint);
    }
    if (!data.empty()) {
        facts.directory = doctor_directory(data, bundle);
        const bool runs = facts.server && facts.server->error.empty();
        facts.directory->locked = runs;
        if (!runs) open_directory(*facts.directory, bundle);
    }
    facts.system = doctor_system(process, bundle);
    return facts;
}

Tone tone_of(DoctorCheck::Verdict verdict) {
    switch (verdict) {
        case DoctorCheck::Verdict::ok:
            return Tone::good;
        case DoctorCheck::Verdict::warning:
            return Tone::warning;
        default:
            return Tone::bad;
    }
}

std::string report_text(const std::vector<DoctorCheck>& checks, const ConsoleStyle& style) {
    std::string text;
    for (const DoctorCheck& check : checks) {
        const std::string verdict = fmt::format("{:<8}", verdict_name(check.verdict));
        text += fmt::format("{} {}: {}\n", toned(style, tone_of(check.verdict), verdict),
                            check.about, harmless(check.text));
        if (!check.advice.empty()) text += fmt::format("         {}\n", check.advice);
    }
    return text;
}

Json report_json(const std::vector<DoctorCheck>& checks) {
    Json list = Json::array();
    for (const DoctorCheck& check : checks) {
        list.push_back({{"verdict", verdict_name(check.verdict)},
                        {"about", check.about},
                        {"text", check.text},
                        {"advice", check.advice}});
    }
    return Json{{"command", "doctor"}, {"version", version_number}, {"checks", std::move(list)}};
}

int run_doctor(const DoctorLine& line) {
    DoctorBundle bundle;
    const Result<DoctorFacts> facts = gather(line, bundle);
    if (!facts) return report_failure(facts.error());
    const std::vector<DoctorCheck> checks = doctor_checks(*facts);
    bundle.add("version.txt", fmt::format("syncline {} ({})\nbuilt with {}\n", version_number,
                                          version_commit, version_libraries));
    bundle.add("report.txt", report_text(checks, ConsoleStyle{}));
    bundle.add("report.json", json_text(report_json(checks)));
    SystemClock clock;
    const std::uint64_t now_s = clock.wall_ms() / 1000;
    const std::string output = line.output.empty() ? default_output(now_s) : line.output;
    const Result<void> written = bundle.write(output, now_s);
    if (!written) return report_failure(written.error());
    fmt::print("{}", line.json ? bundle.files().at("report.json")
                               : report_text(checks, console_style(line.color)));
    fmt::print(stderr, "{} has {} files to be handed on; look at them before\n", output,
               bundle.files().size());
    return doctor_exit_code(checks);
}

}  // namespace

std::function<int()> add_doctor(CLI::App& app) {
    auto line = std::make_shared<DoctorLine>();  // of the parse, and of the run after it
    app.add_option("--connect", line->connect,
                   "The client port of a replica; without --data that of --config, or "
                   "127.0.0.1:7379")
        ->type_name("HOST:PORT");
    app.add_option("--data", line->data, "A data directory; that of --config if there is one")
        ->type_name("DIR");
    app.add_option("--config", line->config, "The settings of the replica")->type_name("FILE");
    app.add_option("--log", line->log, "Its log, or - for standard input")->type_name("FILE");
    app.add_option("--output", line->output,
                   "A new directory, or a new archive if it ends in .tar "
                   "[syncline-doctor-DATE-TIME]")
        ->type_name("PATH");
    add_login(app, line->login);
    app.add_flag("--json", line->json, "The report as JSON");
    app.add_option("--color", line->color, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}))
        ->capture_default_str();
    return [line]() { return run_doctor(*line); };
}

}  // namespace syncline
