#include "tools/config.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "tools/exit_codes.hpp"
#include "tools/settings.hpp"

namespace syncline {
namespace {

struct ConfigLine {
    GivenSettings given;
    bool effective = false;
    CLI::App* check = nullptr;
    CLI::App* manual = nullptr;
};

/// As far as `serve` comes before it opens anything.
Result<void> check_settings(const GivenSettings& given) {
    SYNCLINE_TRY(const ServeSettings settings, resolve_settings(given));
    SYNCLINE_CHECK(check(settings.server));
    AclUsers users;
    SYNCLINE_CHECK(load_users(settings.server, users));
    SYNCLINE_CHECK(load_client_tls(settings.server));
    const Result<PeerCredentials> credentials = load_credentials(settings.server);
    return credentials ? Result<void>() : Result<void>(credentials.error());
}

int run(const ConfigLine& line) {
    if (line.manual->parsed()) {
        fmt::print("{}", settings_manual());
        return exit_ok;
    }
    if (line.check->parsed()) {
        const Result<void> checked = check_settings(line.given);
        if (checked) {
            fmt::print("The settings are valid.\n");
            return exit_ok;
        }
        fmt::print(stderr, "syncline: {}\n", checked.error().message);
        return exit_usage;
    }
    const Result<std::string> text = print_settings(line.given, !line.effective);
    if (!text) {
        fmt::print(stderr, "syncline: {}\n", text.error().message);
        return exit_usage;
    }
    fmt::print("{}", *text);
    return exit_ok;
}

}  // namespace

std::function<int()> add_config(CLI::App& app) {
    auto line = std::make_shared<ConfigLine>();  // of the parse, and of the run after it
    app.require_subcommand(1);
    line->check = app.add_subcommand("check", "Say whether `serve` would take these settings");
    add_settings(*line->check, line->given);
    CLI::App* const print =
        app.add_subcommand("print", "Print what was given, as a file for --config");
    print->add_flag("--effective", line->effective, "All settings, each with its origin");
    add_settings(*print, line->given);
    line->manual =
        app.add_subcommand("manual", "Print what each setting is, for a manual page in scdoc");
    return [line]() { return run(*line); };
}

}  // namespace syncline
