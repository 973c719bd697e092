#include "tools/compare.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>

#include "tools/compare_report.hpp"
#include "tools/exit_codes.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t quick_ms = 4500;
constexpr std::uint64_t whole_ms = 30000;

struct CompareLine {
    bool quick = false;
    std::uint64_t ms = 0;
    std::size_t clients = 12;
    std::uint64_t seed = 1;
    std::vector<std::string> modes;
    std::vector<std::string> workloads;
    std::vector<std::string> faults;
    std::string json;
    std::string html;
};

const std::vector<CompareMode>& all_modes() {
    const std::vector<std::string> backup = {"--replication", "primary-backup", "--ack-timeout",
                                             "300"};
    const auto with = [&](std::vector<std::string> options, const char* ack) {
        options.insert(options.end(), {"--ack", ack});
        return options;
    };
    static const std::vector<CompareMode> modes = {
        {"multi-master", {}, false},
        {"primary-backup async", with(backup, "async"), true},
        {"primary-backup all", with(backup, "all"), true},
    };
    return modes;
}

constexpr Workload all_workloads[] = {Workload::ycsb_a, Workload::counter};
constexpr CompareFault all_faults[] = {CompareFault::none, CompareFault::partition,
                                       CompareFault::leader_kill};

/// "partition" of "leader-kill", "primary-backup async" and so on: names without blanks.
std::string option_name(std::string_view name) {
    std::string option(name);
    std::replace(option.begin(), option.end(), ' ', '-');
    return option;
}

bool wanted(const std::vector<std::string>& names, std::string_view name) {
    return names.empty() || std::find(names.begin(), names.end(), option_name(name)) != names.end();
}

std::vector<CompareCase> cases_of(const CompareLine& line) {
    std::vector<CompareCase> cases;
    for (const CompareFault fault : all_faults) {
        for (const Workload workload : all_workloads) {
            for (const CompareMode& mode : all_modes()) {
                if (!wanted(line.faults, fault_name(fault)) ||
                    !wanted(line.workloads, workload_name(workload)) ||
                    !wanted(line.modes, mode.name)) {
                    continue;
                }
                const std::uint64_t ms = line.ms > 0 ? line.ms : line.quick ? quick_ms : whole_ms;
                cases.push_back({mode, workload, fault, line.clients, ms, line.seed});
            }
        }
    }
    return cases;
}

Result<void> write_file(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    file << text;
    file.close();
    if (file) return {};
    return Error{Code::io, "cannot write " + path};
}

Result<bool> run(const CompareLine& line) {
    const std::vector<CompareCase> cases = cases_of(line);
    std::vector<CompareResult> results;
    bool equal = true;
    for (const CompareCase& one : cases) {
        fmt::print(stderr, "  {} / {}  {}, {}, fault: {}\n", results.size() + 1, cases.size(),
                   one.mode.name, workload_name(one.workload), fault_name(one.fault));
        Result<CompareResult> result = run_case(one);
        if (!result) {
            return result.error().in(fmt::format("{}, {}, fault {}", one.mode.name,
                                                 workload_name(one.workload),
                                                 fault_name(one.fault)));
        }
        equal = equal && result->equal;
        results.push_back(std::move(*result));
    }
    fmt::print("{}", compare_table(results));
    const std::string json = compare_json(results);
    if (!line.json.empty()) SYNCLINE_CHECK(write_file(line.json, json));
    SYNCLINE_CHECK(write_file(line.html, compare_page(json)));
    fmt::print("\nCharts: {}{}\n", line.html, line.json.empty() ? "" : "   Figures: " + line.json);
    return equal;
}

template <typename T, std::size_t count, typename Name>
std::vector<std::string> names_of(const T (&values)[count], Name name) {
    std::vector<std::string> names;
    for (const T& value : values) names.push_back(option_name(name(value)));
    return names;
}

}  // namespace

std::function<int()> add_compare(CLI::App& app) {
    auto line = std::make_shared<CompareLine>();  // of the parse, and of the run after it
    line->html = "syncline-compare.html";
    app.add_flag("--quick", line->quick, "4.5 s for each run instead of 30: two minutes in all");
    app.add_option("--ms", line->ms, "Milliseconds of load for each run")
        ->check(CLI::Range(1500, 600000));
    app.add_option("--clients", line->clients, "Clients, a third at each replica")
        ->check(CLI::Range(3, 300))
        ->capture_default_str();
    app.add_option("--seed", line->seed, "Of the clients' choices")->capture_default_str();
    std::vector<std::string> modes;
    for (const CompareMode& mode : all_modes()) modes.push_back(option_name(mode.name));
    app.add_option("--mode", line->modes, "Only these; repeat or separate by commas")
        ->delimiter(',')
        ->check(CLI::IsMember(modes));
    app.add_option("--workload", line->workloads, "Only these")
        ->delimiter(',')
        ->check(CLI::IsMember(names_of(all_workloads, workload_name)));
    app.add_option("--fault", line->faults, "Only these")
        ->delimiter(',')
        ->check(CLI::IsMember(names_of(all_faults, fault_name)));
    app.add_option("--json", line->json, "Write all figures to this file");
    app.add_option("--html", line->html, "Write the page with charts to this file")
        ->capture_default_str();
    return [line]() {
        const Result<bool> equal = run(*line);
        if (!equal) {
            fmt::print(stderr, "syncline compare: {}\n", equal.error().message);
            return exit_code_of(equal.error());
        }
        return *equal ? exit_ok : exit_different;
    };
}

}  // namespace syncline
