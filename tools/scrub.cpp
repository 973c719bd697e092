#include "tools/scrub.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>

#include "core/engine/data_directory.hpp"
#include "net/endpoint.hpp"
#include "net/resp_client.hpp"
#include "storage/lmdb.hpp"
#include "tools/console.hpp"
#include "tools/exit_codes.hpp"
#include "tools/local_cluster.hpp"
#include "tools/login.hpp"
#include "tools/progress.hpp"
#include "tools/reply.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t scrub_poll_ms = 200;
constexpr std::uint64_t scrub_timeout_ms = 10000;
constexpr std::size_t buckets_shown_max = 20;

struct ScrubLine {
    std::string data;
    std::string connect;
    Login login;
};

// --- A replica that runs

Result<RespValue> ask(RespClient& client, const char* word) {
    SYNCLINE_TRY(RespValue reply, client.command({"CRDT.SCRUB", word}));
    if (reply.is_error()) {
        return Error{Code::io, "the replica answers: " + harmless(reply.text)};
    }
    return reply;
}

Result<int> scrub_live(const ScrubLine& line) {
    SYNCLINE_TRY(const TcpEndpoint endpoint, parse_endpoint(line.connect));
    SYNCLINE_TRY(RespClient client, connect(endpoint, scrub_timeout_ms, line.login));
    SYNCLINE_TRY(RespValue status, ask(client, "STATUS"));
    const std::int64_t passes = reply_number(status, "passes");
    SYNCLINE_CHECK(ask(client, "START"));
    SystemClock clock;
    ProgressLine progress("scrub", clock.steady_ms());
    while (true) {
        SYNCLINE_TRY(status, ask(client, "STATUS"));
        const auto number = [&](std::string_view name) {
            return static_cast<std::uint64_t>(reply_number(status, name));
        };
        progress.show(number("rows"), number("rows_expected"), number("bytes"), clock.steady_ms());
        if (reply_number(status, "running") == 0) break;
        sleep_ms(scrub_poll_ms);
    }
    progress.clear();
    if (reply_number(status, "passes") == passes) {
        return Error{Code::io, "the scrub was stopped before its end"};
    }
    const std::int64_t faults = reply_number(status, "last_faults");
    const std::int64_t damaged = reply_number(status, "damaged_buckets");
    fmt::print("{}: {} rows, {} faults\n", line.connect, reply_number(status, "rows"), faults);
    if (faults > 0) fmt::print("  the latest: {}\n", harmless(reply_text(status, "finding")));
    if (damaged > 0) {
        fmt::print("  {} buckets of rows wait for a peer's rows to replace them\n", damaged);
    }
    return faults > 0 || damaged > 0 ? exit_failed : exit_ok;
}

// --- A directory

/// Pages first, and without LMDB, which believes what it reads.
Result<PageReport> scrub_pages(const std::string& base, SystemClock& clock) {
    ProgressLine progress("pages", clock.steady_ms());
    SYNCLINE_TRY(const PageReport report,
                 check_lmdb_base(base, [&](std::uint64_t done, std::uint64_t total) {
                     progress.show(done, total, 0, clock.steady_ms());
                     return true;
                 }));
    progress.clear();
    fmt::print("pages: {} of {} in use, {} free; {} rows, {} damaged; {} faults of structure\n",
               report.pages_used, report.pages, report.pages_free, report.rows, report.rows_damaged,
               report.faults);
    for (const std::string& finding : report.findings) fmt::print("  {}\n", harmless(finding));
    return report;
}

/// Sums, derived rows, deadlines, records of conflicts and the log, as the replica does it.
Result<bool> scrub_rows(const std::string& data, SystemClock& clock) {
    SystemRandom random;
    SYNCLINE_TRY(DataDirectory directory, DataDirectory::open(data, random));
    if (directory.identity.cluster.is_nil()) return true;  // it holds nothing yet
    SYNCLINE_TRY(const std::unique_ptr<Replica> replica,
                 directory.open_replica(ReplicaOptions(), Env{clock, random}));
    ProgressLine progress("rows", clock.steady_ms());
    replica->start_scrub(true);
    ScrubStatus status = replica->scrub_status();
    while (status.running) {
        SYNCLINE_CHECK(replica->scrub(limits::scrub_rows_per_tick_fast));
        (void)replica->committed();  // ends the read view
        status = replica->scrub_status();
        progress.show(status.rows, status.rows_all, status.bytes, clock.steady_ms());
    }
    progress.clear();
    // Some faults show already when it is opened.
    fmt::print("rows: {}, {} faults\n", status.rows, std::max(status.damages, status.last_faults));
    std::size_t shown = 0;
    for (const auto& [bucket, reason] : replica->group().damaged()) {
        if (++shown > buckets_shown_max) break;
        fmt::print("  bucket {}: {}\n", bucket, harmless(reason));
    }
    if (shown == 0 && status.damages > 0) fmt::print("  {}\n", harmless(status.finding));
    return status.damages == 0 && status.last_faults == 0;
}

Result<int> scrub_directory(const std::string& data) {
    std::error_code error;
    if (!std::filesystem::exists(std::filesystem::path(data) / "identity", error)) {
        return Error{Code::invalid_argument, "'" + data + "' is no data directory"};
    }
    SystemClock clock;
    SYNCLINE_TRY(const PageReport pages, scrub_pages(data + "/base", clock));
    if (pages.faults > 0) {
        fmt::print(
            "{} is damaged where no peer can repair it in place: move it away and start with "
            "an empty directory, which its peers fill, or restore a backup\n",
            data);
        return exit_failed;
    }
    SYNCLINE_TRY(const bool rows_sound, scrub_rows(data, clock));
    if (rows_sound && pages.sound()) {
        fmt::print("{} is sound\n", data);
        return exit_ok;
    }
    fmt::print("{} is damaged: a peer repairs it when the replica runs\n", data);
    return exit_failed;
}

int scrub(const ScrubLine& line) {
    if (line.data.empty() == line.connect.empty()) {
        return report_failure(
            Error{Code::invalid_argument,
                  "what is to be looked at? --connect HOST:PORT of a replica that runs, "
                  "or --data DIR of one that does not"});
    }
    const Result<int> done = line.data.empty() ? scrub_live(line) : scrub_directory(line.data);
    return done ? *done : report_failure(done.error());
}

}  // namespace

std::function<int()> add_scrub(CLI::App& app) {
    auto line = std::make_shared<ScrubLine>();  // of the parse, and of the run after it
    app.add_option("--data", line->data, "The data directory of a replica that does not run")
        ->type_name("DIR");
    app.add_option("--connect", line->connect, "The client port of a replica that runs")
        ->type_name("HOST:PORT");
    add_login(app, line->login);
    return [line]() { return scrub(*line); };
}

}  // namespace syncline
