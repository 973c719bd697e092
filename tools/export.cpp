#include "tools/export.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "core/base/env.hpp"
#include "net/endpoint.hpp"
#include "tools/console.hpp"
#include "tools/exit_codes.hpp"
#include "tools/exporter.hpp"
#include "tools/importer.hpp"
#include "tools/progress.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t stream_timeout_ms = 30000;
const char* const standard = "-";

struct ExportLine {
    std::string output = standard;
    std::string data;
    std::string connect = "127.0.0.1:7379";
    std::string format = "jsonl";
    std::string prefix;
};

struct ImportLine {
    std::string input;
    std::string connect = "127.0.0.1:7379";
    std::string format = "jsonl";
    ImportOptions options;
};

/// Closed with its last bytes written, or not at all.
struct FileCloser {
    void operator()(std::FILE* file) const {
        if (file != stdout && file != stdin) (void)std::fclose(file);  // flushed before
    }
};
using OpenFile = std::unique_ptr<std::FILE, FileCloser>;

Result<OpenFile> open_file(const std::string& path, const char* mode, std::FILE* standard_file) {
    if (path == standard) return OpenFile(standard_file);
    std::FILE* const file = std::fopen(path.c_str(), mode);
    if (file == nullptr) {
        return Error{Code::invalid_argument, "cannot open '" + path + "'"};
    }
    return OpenFile(file);
}

Result<std::unique_ptr<InspectSource>> open_source(const ExportLine& line) {
    if (!line.data.empty()) return directory_source(line.data);
    SYNCLINE_TRY(const TcpEndpoint endpoint, parse_endpoint(line.connect));
    return live_source(endpoint, stream_timeout_ms);
}

Result<void> export_all(const ExportLine& line) {
    SYNCLINE_TRY(const std::unique_ptr<InspectSource> source, open_source(line));
    SYNCLINE_TRY(const OpenFile file, open_file(line.output, "wb", stdout));
    SystemClock clock;
    ProgressLine progress("export", clock.steady_ms());
    std::uint64_t bytes = 0;
    const auto take = [&](const KeyPiece& piece) -> Result<void> {
        Bytes out;
        if (line.format == "jsonl") {
            out = json_line(piece) + "\n";
        } else {
            for (const std::vector<Bytes>& command : commands_of(piece)) {
                append_request(out, command);
            }
        }
        bytes += out.size();
        if (std::fwrite(out.data(), 1, out.size(), file.get()) == out.size()) return {};
        return Error{Code::io, "cannot write to '" + line.output + "'"};
    };
    std::uint64_t keys = 0;
    SYNCLINE_CHECK(
        export_keys(*source, line.prefix, take, [&](std::uint64_t done, std::uint64_t total) {
            keys = done;
            progress.show(done, line.prefix.empty() ? total : 0, bytes, clock.steady_ms());
        }));
    if (std::fflush(file.get()) != 0) {
        return Error{Code::io, "cannot write to '" + line.output + "'"};
    }
    progress.clear();
    fmt::print(stderr, "{} keys, {}\n", keys, human_bytes(bytes));
    return {};
}

int run_export(const ExportLine& line) {
    const Result<void> done = export_all(line);
    return done ? exit_ok : report_failure(done.error());
}

Result<Imported> import_all(const ImportLine& line) {
    SYNCLINE_TRY(const TcpEndpoint endpoint, parse_endpoint(line.connect));
    SYNCLINE_TRY(const OpenFile file, open_file(line.input, "rb", stdin));
    std::error_code unknown;  // a pipe has no size
    const std::uintmax_t size =
        line.input == standard ? 0 : std::filesystem::file_size(line.input, unknown);
    SYNCLINE_TRY(RespClient client,
                 RespClient::connect(endpoint.host, endpoint.port, stream_timeout_ms));
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

int run_import(ImportLine& line) {
    line.options.format = line.format == "resp" ? ExportFormat::resp : ExportFormat::jsonl;
    const Result<Imported> imported = import_all(line);
    if (!imported) return report_failure(imported.error());
    const char* const what = line.options.format == ExportFormat::jsonl ? "lines" : "commands";
    fmt::print("{} {}, {} failed\n", imported->done, what, imported->failed);
    return imported->failed == 0 ? exit_ok : exit_failed;
}

CLI::Option* add_format(CLI::App& app, std::string& format) {
    return app.add_option("--format", format, "jsonl or resp")
        ->check(CLI::IsMember({"jsonl", "resp"}))
        ->capture_default_str();
}

}  // namespace

std::function<int()> add_export(CLI::App& app) {
    auto line = std::make_shared<ExportLine>();  // of the parse, and of the run after it
    app.add_option("output", line->output, "A file, or - for standard output")
        ->capture_default_str()
        ->type_name("FILE");
    CLI::Option* const connect =
        app.add_option("--connect", line->connect, "The client port of a replica that runs")
            ->capture_default_str()
            ->type_name("HOST:PORT");
    app.add_option("--data", line->data, "The data directory of a replica that does not run")
        ->excludes(connect)
        ->type_name("DIR");
    add_format(app, line->format);
    app.add_option("--prefix", line->prefix, "Keys that begin so")->type_name("PREFIX");
    return [line]() { return run_export(*line); };
}

std::function<int()> add_import(CLI::App& app) {
    auto line = std::make_shared<ImportLine>();  // as above
    app.add_option("input", line->input, "A file, or - for standard input")
        ->required()
        ->type_name("FILE");
    app.add_option("--connect", line->connect, "The client port of a replica that runs")
        ->capture_default_str()
        ->type_name("HOST:PORT");
    add_format(app, line->format);
    app.add_option("--skip", line->options.skip, "Lines, or commands, that are done already")
        ->check(CLI::NonNegativeNumber)
        ->type_name("N");
    app.add_flag("--stop", line->options.stop_at_error,
                 "End at the first one that fails, instead of telling and going on");
    return [line]() { return run_import(*line); };
}

}  // namespace syncline
