#include "tools/doctor_checks.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/bytes.hpp"
#include "core/base/limits.hpp"
#include "tools/console.hpp"
#include "tools/doctor_mask.hpp"
#include "tools/exit_codes.hpp"

namespace syncline {
namespace {

using Verdict = DoctorCheck::Verdict;

constexpr std::int64_t clock_ahead_ms_max = 1000;
/// Of a disk or map, in percent.
constexpr std::uint64_t filled_warning = 75;
constexpr std::uint64_t filled_problem = 90;
constexpr std::uint64_t memory_available_min_percent = 5;
/// Connections of all clients that may come, and some for peers and files.
constexpr std::uint64_t files_wanted = limits::clients_max + 100;

/// Gathers verdicts.
class Checks {
public:
    void ok(std::string about, std::string text) {
        checks_.push_back({Verdict::ok, std::move(about), std::move(text), {}});
    }
    void warn(std::string about, std::string text, std::string advice) {
        checks_.push_back({Verdict::warning, std::move(about), std::move(text), std::move(advice)});
    }
    void problem(std::string about, std::string text, std::string advice) {
        checks_.push_back({Verdict::problem, std::move(about), std::move(text), std::move(advice)});
    }
    std::vector<DoctorCheck> take() { return std::move(checks_); }

private:
    std::vector<DoctorCheck> checks_;
};

/// Figures of INFO; what is not there is 0.
struct Info {
    const std::map<std::string, std::string>& lines;

    [[nodiscard]] std::string text(const std::string& name) const {
        const auto found = lines.find(name);
        return found == lines.end() ? std::string() : found->second;
    }
    [[nodiscard]] std::uint64_t number(const std::string& name) const {
        const std::int64_t value = parse_integer(text(name)).value_or(0);
        return value > 0 ? static_cast<std::uint64_t>(value) : 0;
    }
};

void check_filling(Checks& checks, const std::string& about, std::uint64_t free,
                   std::uint64_t whole, const std::string& advice) {
    if (whole == 0) return;
    const std::uint64_t filled = 100 - std::min<std::uint64_t>(100, free * 100 / whole);
    const std::string text =
        fmt::format("{} % in use, {} free of {}", filled, human_bytes(free), human_bytes(whole));
    if (filled >= filled_problem) return checks.problem(about, text, advice);
    if (filled >= filled_warning) return checks.warn(about, text, advice);
    checks.ok(about, text);
}

void check_health(Checks& checks, const DoctorServer& server) {
    std::string reasons;
    for (const std::string& reason : server.reasons) {
        reasons += (reasons.empty() ? "" : "; ") + without_quotes(reason);
    }
    if (server.status == "ok") return checks.ok("health", "CRDT.HEALTH has nothing to report");
    const std::string text = fmt::format("CRDT.HEALTH says {}: {}", server.status, reasons);
    const std::string advice = "the reasons are explained in net/http/README.md of the sources";
    if (server.status == "failing") return checks.problem("health", text, advice);
    checks.warn("health", text, advice);
}

void check_storage(Checks& checks, const Info& info) {
    const std::uint64_t damaged = info.number("damaged_buckets");
    const std::uint64_t faults = info.number("scrub_last_faults");
    if (damaged > 0) {
        checks.problem("damage", fmt::format("{} buckets are damaged and frozen", damaged),
                       "connect a peer that has them and ask for CRDT.SCRUB REPAIR; look at the "
                       "disk and the memory of the machine");
    } else if (faults > 0) {
        checks.warn("damage", fmt::format("the last scrub found {} faults", faults),
                    "run `syncline scrub` once more; look at the disk of the machine");
    } else {
        checks.ok("damage", "no damage is known");
    }
    const std::string closed_by = info.text("space_closed_by");
    if (closed_by != "none" && !closed_by.empty()) {
        checks.problem("space", "writes that add are refused: " + closed_by + " is full",
                       "delete keys, make the disk larger, or raise map-bytes");
    }
    if (info.text("aof_last_write_status") != "ok") {
        checks.problem("log", "the last write to the log failed",
                       "look at the log of the replica and at the disk, then start it anew");
    }
    if (const std::uint64_t alarms = info.number("divergence_alarms"); alarms > 0) {
        checks.problem("divergence", fmt::format("{} alarms that replicas differ", alarms),
                       "run `syncline inspect diff` between the replicas, and report it");
    }
}

void check_peers(Checks& checks, const DoctorServer& server, const Info& info) {
    const std::uint64_t peers = info.number("peers");
    if (peers == 0) {
        return checks.ok("peers", "none are set: the only copy of the data is this one");
    }
    if (server.links_down.empty()) {
        return checks.ok("peers", fmt::format("all {} are connected", peers));
    }
    std::string names;
    for (const std::string& name : server.links_down) names += (names.empty() ? "" : ", ") + name;
    checks.warn("peers", fmt::format("not connected: {}", names),
                "is it running, is its peer port reachable, has it the same secret or authority? "
                "`syncline inspect peers` tells more");
}

void check_membership(Checks& checks, const Info& info) {
    const std::string standing = info.text("membership_standing");
    if (standing.empty() || standing == "open" || standing == "active") {
        return;
    }
    checks.warn("membership", "this replica is " + standing,
                "`syncline cluster status` tells what it waits for");
}

void check_server(Checks& checks, const DoctorServer& server, const std::string& version) {
    if (!server.error.empty()) {
        return checks.problem("server", without_quotes(server.error),
                              "is it running, and is --connect its client port?");
    }
    const Info info{server.info};
    checks.ok("server", fmt::format("{} answers, up for {} s", server.address,
                                    info.number("uptime_in_seconds")));
    if (const std::string runs = info.text("syncline_version"); runs != version) {
        checks.warn("version",
                    fmt::format("the server is {}, this program {}",
                                runs.empty() ? "no Syncline" : runs, version),
                    "use the program that the server runs, or start the server anew");
    }
    check_health(checks, server);
    check_storage(checks, info);
    check_filling(checks, "disk of the server", info.number("disk_free_bytes"),
                  info.number("disk_bytes"), "make room, or a larger disk");
    const std::uint64_t map_max = info.number("map_bytes_max");  // 0: it grows with the disk
    check_filling(checks, "map", map_max - std::min(map_max, info.number("map_used_bytes")),
                  map_max, "raise map-bytes, or delete keys");
    check_peers(checks, server, info);
    check_membership(checks, info);
    if (info.number("rejected_connections") > 0) {
        checks.warn("clients",
                    fmt::format("{} connections were refused", info.number("rejected_connections")),
                    "do clients close theirs? maxclients is " + info.text("maxclients"));
    }
    const std::int64_t apart = std::abs(server.clock_ahead_ms);
    if (apart > clock_ahead_ms_max) {
        checks.warn("clock of the server",
                    fmt::format("{} ms from this machine's", server.clock_ahead_ms),
                    "let chrony or systemd-timesyncd set both");
    }
    checks.ok("slow commands", fmt::format("{} in SLOWLOG, the slowest took {} us",
                                           server.slow_commands, server.slowest_us));
}

void check_directory(Checks& checks, const DoctorDirectory& directory) {
    constexpr unsigned others = 077;
    if (!directory.error.empty()) {
        checks.problem("data directory", without_quotes(directory.error),
                       "make a copy of it before anything else; `syncline scrub --data` looks at "
                       "everything, `syncline restore` makes one of a backup");
    } else {
        checks.ok("data directory", fmt::format("{}{}", human_bytes(directory.bytes),
                                                directory.locked ? ", a replica runs on it" : ""));
    }
    if ((directory.mode & others) != 0) {
        checks.warn("permissions",
                    fmt::format("others than its owner may use the data directory "
                                "(mode {:o})",
                                directory.mode),
                    "chmod 700");
    }
    if (directory.suspect && !directory.locked) {
        checks.warn("crash", "a process ended while it read the base",
                    "run `syncline scrub --data` before the next start");
    }
    check_filling(checks, "disk", directory.disk_free_bytes, directory.disk_bytes,
                  "make room, or a larger disk");
}

bool is_loopback(const std::string& bind) {
    return bind.empty() || bind.rfind("127.", 0) == 0 || bind == "::1";
}

void check_settings(Checks& checks, const DoctorSettings& settings) {
    constexpr unsigned others = 077;
    if (!settings.error.empty()) {
        return checks.problem("settings", without_quotes(settings.error),
                              "`syncline config check` says the same; mend them before a start");
    }
    checks.ok("settings", "they are valid");
    if (!is_loopback(settings.bind) && !settings.protected_mode) {
        checks.warn("access", "whoever reaches the client port may read and write everything",
                    "let a firewall keep others out, or bind it to the loopback");
    }
    if (settings.peers && !settings.peer_tls) {
        checks.warn("peer port", "what goes between replicas is not encrypted",
                    "keep peer ports on a trusted network, or give certificates (--peer-tls-cert)");
    }
    if ((settings.secret_mode & others) != 0) {
        checks.problem(
            "secret file",
            fmt::format("others than its owner may read it (mode {:o})", settings.secret_mode),
            "chmod 600, and consider a new secret");
    }
}

void check_system(Checks& checks, const DoctorSystem& system) {
    const std::string whose = system.files_of_replica ? "the replica" : "a process started here";
    if (system.files_max > 0 && system.files_max < files_wanted) {
        checks.warn("open files", fmt::format("{} may have {}", whose, system.files_max),
                    fmt::format("ulimit -n {0}, or LimitNOFILE={0}", files_wanted));
    } else {
        checks.ok("open files", fmt::format("{} may have {}", whose, system.files_max));
    }
    if (system.clock_synchronised == false) {
        checks.warn("clock", "the kernel says that nobody sets the clock",
                    "let chrony or systemd-timesyncd set it: later writes win by it");
    } else {
        checks.ok("clock", system.clock_synchronised ? "it is set from outside" : "not known");
    }
    if (system.memory_bytes == 0) return;
    const std::uint64_t available = system.memory_available_bytes * 100 / system.memory_bytes;
    const std::string text =
        fmt::format("{} available of {}", human_bytes(system.memory_available_bytes),
                    human_bytes(system.memory_bytes));
    if (available < memory_available_min_percent) {
        return checks.warn("memory", text, "stop something, or take a larger machine");
    }
    checks.ok("memory", text);
}

}  // namespace

std::vector<DoctorCheck> doctor_checks(const DoctorFacts& facts) {
    Checks checks;
    if (facts.server) check_server(checks, *facts.server, facts.version);
    if (facts.directory) check_directory(checks, *facts.directory);
    if (facts.settings) check_settings(checks, *facts.settings);
    check_system(checks, facts.system);
    return checks.take();
}

const char* verdict_name(DoctorCheck::Verdict verdict) {
    switch (verdict) {
        case Verdict::ok:
            return "ok";
        case Verdict::warning:
            return "warning";
        default:
            return "problem";
    }
}

int doctor_exit_code(const std::vector<DoctorCheck>& checks) {
    const auto has = [&](Verdict verdict) {
        return std::any_of(checks.begin(), checks.end(),
                           [&](const DoctorCheck& check) { return check.verdict == verdict; });
    };
    if (has(Verdict::problem)) return exit_failed;
    return has(Verdict::warning) ? exit_different : exit_ok;
}

}  // namespace syncline
