#include "tools/serve.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "net/server.hpp"
#include "storage/crash_marker.hpp"
#include "syncline_version.hpp"
#include "tools/exit_codes.hpp"
#include "tools/service_notify.hpp"
#include "tools/settings.hpp"

namespace syncline {
namespace {

/// Settings that a replica takes while it runs, on SIGHUP; most also take `peer`.
const std::vector<std::string> running_settings = {"repair-bandwidth", "map-bytes", "log-level"};

/// What to do next, for whoever started it by hand.
void print_banner(const Server& server) {
    const ServerOptions& options = server.options();
    std::error_code ignored;  // then the path stays as it was given
    const std::string data = std::filesystem::absolute(options.data_dir, ignored).string();
    const std::optional<std::uint16_t> peer_port = server.peer_port();
    const std::string peers =
        peer_port ? fmt::format("{}:{}, {} to dial",
                                options.peer_bind.empty() ? options.bind : options.peer_bind,
                                *peer_port, options.peers.size())
                  : "none; give all replicas one --peer-secret-file to connect them";
    const bool waits = server.identity().cluster.is_nil();
    fmt::print("Syncline {} ({})\n", version_number, version_commit);
    fmt::print("  node     {}\n", options.node);
    fmt::print("  cluster  {}\n", waits ? "unknown yet; serves when a peer of it is there"
                                        : to_string(server.identity().cluster));
    fmt::print("  data     {}\n", data);
    fmt::print("  peers    {}\n", peers);
    if (options.plain_port) fmt::print("  clients  {}:{}\n", options.bind, server.port());
    if (const std::optional<std::uint16_t> tls_port = server.tls_port()) {
        fmt::print("  TLS      {}:{}\n", options.bind, *tls_port);
    }
    if (const std::optional<std::uint16_t> http_port = server.http_port()) {
        const std::string& bind = options.http_bind.empty() ? options.bind : options.http_bind;
        const bool v6 = bind.find(':') != std::string::npos;
        fmt::print("  page     {}://{}:{}/\n", options.http_tls ? "https" : "http",
                   v6 ? "[" + bind + "]" : bind, *http_port);
    } else {
        fmt::print("  page     off; --http-port N serves it\n");
    }
    const std::string how = options.plain_port ? std::to_string(server.port())
                                               : fmt::format("{} --tls", *server.tls_port());
    fmt::print("Connect with: redis-cli -p {}   Stop with Ctrl-C.\n", how);
    (void)std::fflush(stdout);  // nobody is harmed when nobody listens
}

/// What can change while a replica runs does so by the settings as they are now; all else waits
/// for the next start, and is named. Wrong settings change nothing.
void reload(const GivenSettings& given, const std::string& begun_with, Server& server) {
    SystemClock clock;
    notify_service(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", clock.steady_us()));
    const Result<ServeSettings> settings = resolve_settings(given);
    const Result<std::string> printed = print_settings(given, false);
    if (!settings || !printed) {
        const Error& error = settings ? printed.error() : settings.error();
        log(LogLevel::warning, "settings.refused", {{"reason", error.message}});
    } else {
        std::vector<std::string> taken = running_settings;
        if (server.change_peers(settings->server.peers)) taken.emplace_back("peer");
        set_log_level(settings->log_level);
        server.change_setting("repair-bandwidth",
                              std::to_string(settings->server.repair_bandwidth));
        server.change_setting("map-bytes", std::to_string(settings->server.space.map_bytes));
        log(LogLevel::info, "settings.read",
            {{"wait_for_start", changed_settings(begun_with, *printed, taken)}});
    }
    notify_service("READY=1");
}

int serve(const GivenSettings& given) {
    Result<ServeSettings> settings = resolve_settings(given);
    if (!settings) return report_failure(settings.error());
    configure_log(settings->log_level, settings->log_format, settings->server.node);
    settings->server.version = version_number;
    settings->server.commit = version_commit;
    // Before anything of it is read; without it a base that kills its process does so once more.
    (void)mark_suspect_on_crash(settings->server.data_dir + "/base");
    SystemClock clock;
    SystemRandom random;
    Result<std::unique_ptr<Server>> server =
        Server::create(std::move(settings->server), Env{clock, random});
    if (!server) return report_failure(server.error());
    const Result<std::string> begun_with = print_settings(given, false);
    if (!begun_with) return report_failure(begun_with.error());
    const auto heard = [&](int signal) {
        if (signal == SIGHUP) return reload(given, *begun_with, **server);
        notify_service("STOPPING=1");
    };
    if (const Result<void> handled = (*server)->handle_signals(heard); !handled) {
        return report_failure(handled.error());
    }
    print_banner(**server);
    notify_service(fmt::format("READY=1\nSTATUS=clients at port {}", (*server)->port()));
    const Result<void> served = (*server)->run();
    return served ? exit_ok : report_failure(served.error());
}

}  // namespace

std::function<int()> add_serve(CLI::App& app) {
    auto given = std::make_shared<GivenSettings>();  // of the parse, and of the run after it
    add_settings(app, *given);
    return [given]() { return serve(*given); };
}

}  // namespace syncline
