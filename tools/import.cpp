#include "tools/import.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

#include "core/base/env.hpp"
#include "net/endpoint.hpp"
#include "tools/console.hpp"
#include "tools/exit_codes.hpp"
#include "tools/exporter.hpp"
#include "tools/importer.hpp"
#include "tools/interruption.hpp"
#include "tools/login.hpp"
#include "tools/open_file.hpp"
#include "tools/progress.hpp"
#include "tools/redis_import.hpp"
#include "tools/secret_text.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t import_timeout_ms = 30000;
constexpr const char* password_variable = "SYNCLINE_FROM_PASSWORD";

struct ImportLine {
    std::string input;
    std::string connect = "127.0.0.1:7379";
    Login login;
    std::string format = "jsonl";
    ImportOptions options;
    std::string from;
    std::string password_file;
    RedisImportOptions redis;
};

Result<Imported> import_file(const ImportLine& line) {
    SYNCLINE_TRY(const TcpEndpoint endpoint, parse_endpoint(line.connect));
    SYNCLINE_TRY(const OpenFile file, open_file(line.input, "rb", stdin));
    std::error_code unknown;  // a pipe has no size
    const std::uintmax_t size =
        line.input == standard_file_name ? 0 : std::filesystem::file_size(line.input, unknown);
    SYNCLINE_TRY(RespClient client, syncline::connect(endpoint, import_timeout_ms, line.login));
    SystemClock clock;
    ProgressLine progress("import", clock.steady_ms());
    Imported imported;
    const Result<void> done = import_stream(
        file.get(), client, line.options,
        [&](std::uint64_t number, const std::string& sentence) {
            progress.clear();
            fmt::print(stderr, "{} {}: {}\n",
                       line.options.format == ExportFormat::jsonl ? "line" : "command", number,
                       sentence);
        },
        [&](std::uint64_t bytes) {
            progress.show(bytes, unknown ? 0 : size, bytes, clock.steady_ms());
        },
        imported);
    progress.clear();
    if (done) return imported;
    return done.error().in("after " + std::to_string(imported.done) + ", go on with --skip " +
                           std::to_string(imported.done));
}

int run_file(ImportLine& line) {
    line.options.format = line.format == "resp" ? ExportFormat::resp : ExportFormat::jsonl;
    const Result<Imported> imported = import_file(line);
    if (!imported) return report_failure(imported.error());
    const char* const what = line.options.format == ExportFormat::jsonl ? "lines" : "commands";
    fmt::print("{} {}, {} failed\n", imported->done, what, imported->failed);
    return imported->failed == 0 ? exit_ok : exit_failed;
}

/// The URL's password is seen by whoever lists processes; file and environment come first.
Result<RedisAddress> redis_address(const ImportLine& line) {
    SYNCLINE_TRY(RedisAddress address, parse_redis_url(line.from));
    SYNCLINE_TRY(const std::optional<std::string> password,
                 secret_text(line.password_file, password_variable));
    if (password) address.password = *password;
    return address;
}

void print_redis(const ImportLine& line, const RedisImported& imported) {
    TextTable table(2);
    for (const auto& [type, count] : imported.keys) table.add({{type}, {std::to_string(count)}});
    fmt::print("{}", table.text(ConsoleStyle{}));
    for (const auto& [type, unsupported] : imported.unsupported) {
        std::string names;
        for (const Bytes& key : unsupported.examples) {
            names += (names.empty() ? "" : ", ") + syncline::quoted(key);
        }
        fmt::print("not supported: {} keys of type {}, {}{}\n", unsupported.count, harmless(type),
                   names, unsupported.count > unsupported.examples.size() ? ", ..." : "");
    }
    if (line.redis.dry_run) {
        fmt::print("{} keys would be imported\n", imported.keys_count());
        return;
    }
    fmt::print("{} keys, {} failed, {}\n", imported.keys_count(), imported.imported.failed,
               human_bytes(imported.bytes));
}

Result<void> import_from_redis(const ImportLine& line, RedisImported& imported) {
    SYNCLINE_TRY(const RedisAddress address, redis_address(line));
    SYNCLINE_TRY(const TcpEndpoint to, parse_endpoint(line.connect));
    SYNCLINE_TRY(RespClient source, connect_redis(address, import_timeout_ms));
    std::optional<RespClient> target;
    if (!line.redis.dry_run) {
        SYNCLINE_TRY(target, syncline::connect(to, import_timeout_ms, line.login));
    }
    const Interruption interruption;
    SystemClock clock;
    ProgressLine progress("import", clock.steady_ms());
    RedisImportEvents events;
    events.wrong = [&](const Bytes& key, const std::string& sentence) {
        progress.clear();
        fmt::print(stderr, "key {}: {}\n", syncline::quoted(key), sentence);
    };
    events.looked = [&](std::uint64_t seen, std::uint64_t total) {
        progress.show(seen, total, imported.bytes, clock.steady_ms());
    };
    events.interrupted = [&]() { return interruption.within(std::chrono::milliseconds(0)); };
    return import_redis(source, target ? &*target : nullptr, line.redis, events, imported);
}

int run_redis(const ImportLine& line) {
    RedisImported imported;
    const Result<void> done = import_from_redis(line, imported);
    const std::string go_on =
        imported.cursor == "0" ? "begin again" : "go on with --cursor " + imported.cursor;
    if (!done) {
        const bool begun = imported.keys_count() > 0;
        return report_failure(begun ? done.error().in(go_on) : done.error());
    }
    print_redis(line, imported);
    if (imported.interrupted) {
        fmt::print(stderr, "syncline: interrupted; {}\n", go_on);
        return exit_failed;
    }
    if (imported.imported.failed > 0) return exit_failed;
    return imported.unsupported.empty() ? exit_ok : exit_different;
}

int run_import(ImportLine& line) {
    return line.from.empty() ? run_file(line) : run_redis(line);
}

void add_redis_options(CLI::App& app, ImportLine& line, CLI::Option* input, CLI::Option* skip) {
    CLI::Option* const from = app.add_option("--from", line.from, "A Redis that runs, to be read")
                                  ->excludes(input)
                                  ->excludes(skip)
                                  ->type_name("redis://[USER@]HOST[:PORT][/DB]");
    app.add_option("--from-password-file", line.password_file,
                   "Its first line is the password of the Redis; or SYNCLINE_FROM_PASSWORD is")
        ->needs(from)
        ->type_name("FILE");
    app.add_option("--match", line.redis.match, "Only keys like this pattern, as of SCAN")
        ->needs(from)
        ->type_name("PATTERN");
    app.add_option("--cursor", line.redis.cursor, "Where an import that ended early stopped")
        ->needs(from)
        ->check([](const std::string& text) {
            const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
            return std::string(digits && !text.empty() ? "" : "a cursor is a number");
        })
        ->type_name("N");
    app.add_flag("--dry-run", line.redis.dry_run, "Count the keys of each type, write nothing")
        ->needs(from);
}

}  // namespace

std::function<int()> add_import(CLI::App& app) {
    auto line = std::make_shared<ImportLine>();  // of the parse, and of the run after it
    CLI::Option* const input =
        app.add_option("input", line->input, "A file, or - for standard input")->type_name("FILE");
    app.add_option("--connect,--to", line->connect, "The client port of a replica that runs")
        ->capture_default_str()
        ->type_name("HOST:PORT");
    add_login(app, line->login);
    app.add_option("--format", line->format, "Of the file: jsonl or resp")
        ->check(CLI::IsMember({"jsonl", "resp"}))
        ->capture_default_str();
    CLI::Option* const skip =
        app.add_option("--skip", line->options.skip, "Lines, or commands, that are done already")
            ->check(CLI::NonNegativeNumber)
            ->type_name("N");
    app.add_flag("--stop", line->options.stop_at_error,
                 "End at the first one that fails, instead of telling and going on");
    add_redis_options(app, *line, input, skip);
    return [line, input]() {
        if (line->from.empty() && input->count() == 0) {
            fmt::print(stderr, "syncline: a file or --from is needed\n");
            return exit_usage;
        }
        line->redis.stop_at_error = line->options.stop_at_error;
        return run_import(*line);
    };
}

}  // namespace syncline
