#include "tools/backup.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "core/backup/offline.hpp"
#include "core/backup/restore.hpp"
#include "net/endpoint.hpp"
#include "net/resp_client.hpp"
#include "tools/console.hpp"
#include "tools/exit_codes.hpp"
#include "tools/local_cluster.hpp"
#include "tools/login.hpp"
#include "tools/progress.hpp"
#include "tools/reply.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t backup_poll_ms = 200;
constexpr std::uint64_t backup_timeout_ms = 10000;

struct BackupLine {
    std::string backup;
    std::string data;
    std::string connect;
    Login login;
    std::uint64_t rate_bytes = 0;
};

struct RestoreLine {
    RestoreOptions options;
    std::string as = "merge";
};

std::string seconds_text(std::uint64_t ms) {
    return fmt::format("{}.{} s", ms / 1000, ms % 1000 / 100);
}

/// Of a directory, by this process.
int back_up_directory(const BackupLine& line) {
    std::error_code error;
    if (!std::filesystem::exists(std::filesystem::path(line.data) / "identity", error)) {
        return report_failure(
            Error{Code::invalid_argument, "'" + line.data + "' is no data directory"});
    }
    SystemClock clock;
    SystemRandom random;
    const std::uint64_t begun_ms = clock.steady_ms();
    ProgressLine progress("backup", begun_ms);
    std::uint64_t bytes = 0;
    const Result<BackupManifest> made = backup_directory(
        line.data, line.backup, Env{clock, random}, [&](const BackupProgress& told) {
            bytes = told.bytes;
            progress.show(told.rows, told.rows_expected, bytes, clock.steady_ms());
        });
    progress.clear();
    if (!made) return report_failure(made.error());
    fmt::print("backup of {} in {}: {} rows, {} events, {} in {}\n", made->name, line.backup,
               made->rows, made->events, human_bytes(bytes),
               seconds_text(clock.steady_ms() - begun_ms));
    return exit_ok;
}

Result<RespValue> ask(RespClient& client, const std::vector<Bytes>& command) {
    SYNCLINE_TRY(RespValue reply, client.command(command));
    if (!reply.is_error()) return reply;
    const bool misused = reply.text.find("is not empty") != Bytes::npos ||
                         reply.text.find("begins with /") != Bytes::npos;
    return Error{misused ? Code::invalid_argument : Code::io,
                 "the replica answers: " + harmless(reply.text)};
}

/// Looks on until the server's backup has ended. Errors: as it failed; unavailable.
Result<RespValue> watch_backup(RespClient& client, SystemClock& clock) {
    ProgressLine progress("backup", clock.steady_ms());
    while (true) {
        SYNCLINE_TRY(RespValue status, ask(client, {"CRDT.BACKUP", "STATUS"}));
        const Bytes state = reply_text(status, "state");
        const auto number = [&](std::string_view name) {
            return static_cast<std::uint64_t>(reply_number(status, name));
        };
        progress.show(number("rows"), number("rows_expected"), number("bytes"), clock.steady_ms());
        if (state == "done") return status;
        if (state == "failed") {
            return Error{Code::io, "the backup failed: " + harmless(reply_text(status, "reason"))};
        }
        if (state != "running") return Error{Code::io, "the backup was cancelled"};
        sleep_ms(backup_poll_ms);
    }
}

/// Of a replica that runs, by that replica, on its machine.
Result<void> back_up_live(const BackupLine& line) {
    SYNCLINE_TRY(const TcpEndpoint endpoint, parse_endpoint(line.connect));
    SYNCLINE_TRY(RespClient client, connect(endpoint, backup_timeout_ms, line.login));
    std::vector<Bytes> command{"CRDT.BACKUP", line.backup};
    if (line.rate_bytes > 0) {
        command.emplace_back("RATE");
        command.push_back(std::to_string(line.rate_bytes));
    }
    SYNCLINE_CHECK(ask(client, command));
    SystemClock clock;
    SYNCLINE_TRY(const RespValue done, watch_backup(client, clock));
    fmt::print("backup of {} in {} there: {} rows, {} events, {} in {}\n", line.connect,
               line.backup, reply_number(done, "rows"), reply_number(done, "events"),
               human_bytes(static_cast<std::uint64_t>(reply_number(done, "bytes"))),
               seconds_text(static_cast<std::uint64_t>(reply_number(done, "elapsed_ms"))));
    return {};
}

int back_up(const BackupLine& line) {
    if (line.data.empty() == line.connect.empty()) {
        return report_failure(
            Error{Code::invalid_argument,
                  "what is to be backed up? --connect HOST:PORT of a replica that runs, "
                  "or --data DIR of one that does not"});
    }
    if (!line.data.empty()) return back_up_directory(line);
    const Result<void> done = back_up_live(line);
    return done ? exit_ok : report_failure(done.error());
}

void describe(const BackupManifest& backup) {
    std::uint64_t bytes = 0;
    for (const BackupFile& file : backup.files) bytes += file.bytes;
    fmt::print("  replica  {} ({})\n", harmless(backup.name), to_string(backup.node));
    fmt::print("  cluster  {}\n", to_string(backup.cluster));
    fmt::print("  made     {} (ms since 1970)\n", backup.made_ms);
    fmt::print("  vector   {}\n", to_string(backup.vv));
    fmt::print("  rows     {}, and {} events after them\n", backup.rows, backup.events);
    fmt::print("  files    {}, {}\n", backup.files.size(), human_bytes(bytes));
}

int verify(const std::string& path) {
    SystemClock clock;
    ProgressLine progress("verify", clock.steady_ms());
    const Result<BackupManifest> verified =
        verify_backup(path, [&](std::uint64_t bytes, std::uint64_t total) {
            progress.show(bytes, total, bytes, clock.steady_ms());
        });
    progress.clear();
    if (!verified) {
        fmt::print(stderr, "syncline: {} is not sound: {}\n", path, verified.error().message);
        return exit_code_of(verified.error());
    }
    fmt::print("{} is sound\n", path);
    describe(*verified);
    return exit_ok;
}

void explain(const Restored& restored, const RestoreLine& line) {
    fmt::print("restored {} keys ({} rows) into {}\n", restored.keys, restored.rows,
               line.options.data);
    fmt::print("  replica  {} ({}), a new one\n", harmless(restored.identity.name),
               to_string(restored.identity.node));
    if (line.options.as == RestoreAs::rollback) {
        fmt::print(
            "  cluster  {}, a new one: all other replicas must begin with empty data "
            "directories\n",
            to_string(restored.identity.cluster));
        if (restored.rights_taken_over > 0) {
            fmt::print("  it holds all rights of {} bounded counters\n",
                       restored.rights_taken_over);
        }
        return;
    }
    fmt::print(
        "  cluster  {}, as before: it takes from its peers what it lacks, and gives them "
        "what they lack\n",
        to_string(restored.identity.cluster));
    fmt::print("If the backed up replica is gone, tell the others: CRDT.FORGET {}\n",
               to_string(restored.backup.node));
}

int restore(RestoreLine& line) {
    line.options.as = line.as == "rollback" ? RestoreAs::rollback : RestoreAs::merge;
    SystemClock clock;
    SystemRandom random;
    ProgressLine progress("restore", clock.steady_ms());
    line.options.progress = [&](std::uint64_t bytes, std::uint64_t total) {
        progress.show(bytes, total, bytes, clock.steady_ms());
    };
    const Result<Restored> restored = restore_backup(line.options, Env{clock, random});
    progress.clear();
    if (!restored) return report_failure(restored.error());
    explain(*restored, line);
    return exit_ok;
}

}  // namespace

std::function<int()> add_backup(CLI::App& app) {
    auto line = std::make_shared<BackupLine>();  // of the parse, and of the run after it
    app.add_option("backup", line->backup,
                   "A new directory; with --connect an absolute path on the replica's machine")
        ->required()
        ->type_name("DIR");
    app.add_option("--data", line->data, "The data directory of a replica that does not run")
        ->type_name("DIR");
    app.add_option("--connect", line->connect, "The client port of a replica that runs")
        ->type_name("HOST:PORT");
    app.add_option("--rate", line->rate_bytes, "Bytes a second at most, with --connect")
        ->check(CLI::PositiveNumber)
        ->type_name("BYTES");
    add_login(app, line->login);
    return [line]() { return back_up(*line); };
}

std::function<int()> add_verify(CLI::App& app) {
    auto path = std::make_shared<std::string>();  // as above
    app.add_option("backup", *path, "The directory of the backup")->required()->type_name("DIR");
    return [path]() { return verify(*path); };
}

std::function<int()> add_restore(CLI::App& app) {
    auto line = std::make_shared<RestoreLine>();  // as above
    app.add_option("backup", line->options.backup, "The directory of the backup")
        ->required()
        ->type_name("DIR");
    app.add_option("--data", line->options.data, "The new data directory: none, or an empty one")
        ->required()
        ->type_name("DIR");
    app.add_option("--as", line->as, "merge or rollback")
        ->check(CLI::IsMember({"merge", "rollback"}))
        ->capture_default_str()
        ->type_name("HOW");
    app.add_option("--node", line->options.name, "A name for the new replica (default: as before)")
        ->type_name("NAME");
    return [line]() { return restore(*line); };
}

}  // namespace syncline
