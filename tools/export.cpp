#include "tools/export.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "core/base/env.hpp"
#include "net/endpoint.hpp"
#include "tools/console.hpp"
#include "tools/exit_codes.hpp"
#include "tools/exporter.hpp"
#include "tools/open_file.hpp"
#include "tools/progress.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t stream_timeout_ms = 30000;

struct ExportLine {
    std::string output = standard_file_name;
    std::string data;
    std::string connect = "127.0.0.1:7379";
    Login login;
    std::string format = "jsonl";
    std::string prefix;
};

Result<std::unique_ptr<InspectSource>> open_source(const ExportLine& line) {
    if (!line.data.empty()) return directory_source(line.data);
    SYNCLINE_TRY(const TcpEndpoint endpoint, parse_endpoint(line.connect));
    return live_source(endpoint, stream_timeout_ms, line.login);
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
    add_login(app, line->login);
    app.add_option("--data", line->data, "The data directory of a replica that does not run")
        ->excludes(connect)
        ->type_name("DIR");
    app.add_option("--format", line->format, "jsonl or resp")
        ->check(CLI::IsMember({"jsonl", "resp"}))
        ->capture_default_str();
    app.add_option("--prefix", line->prefix, "Keys that begin so")->type_name("PREFIX");
    return [line]() { return run_export(*line); };
}

}  // namespace syncline
