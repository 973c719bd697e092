#include "tools/compare_report.hpp"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <string_view>
#include <thread>

#include "syncline_version.hpp"

namespace syncline {

namespace embedded {
extern const std::string_view chart_js;
extern const std::string_view compare_html;
}  // namespace embedded

namespace {

using ReportJson = nlohmann::ordered_json;

ReportJson json_of(const Latency& latency) {
    return {{"p50_ms", latency.p50_ms},
            {"p95_ms", latency.p95_ms},
            {"p99_ms", latency.p99_ms},
            {"max_ms", latency.max_ms}};
}

ReportJson json_of(const CompareResult& result) {
    ReportJson timeline = ReportJson::array();
    for (const AvailabilityPoint& point : result.timeline) {
        timeline.push_back({{"at_ms", point.at_ms},
                            {"writes", point.writes},
                            {"reads", point.reads},
                            {"writes_isolated", point.writes_isolated},
                            {"writes_others", point.writes_others}});
    }
    return {{"mode", result.of.mode.name},
            {"workload", workload_name(result.of.workload)},
            {"fault", fault_name(result.of.fault)},
            {"clients", result.of.clients},
            {"ms", result.of.ms},
            {"seed", result.of.seed},
            {"operations_per_second", result.operations_per_second},
            {"writes_per_second", result.writes_per_second},
            {"reads", json_of(result.reads)},
            {"writes", json_of(result.writes)},
            {"write_availability_in_fault", result.write_availability_in_fault},
            {"write_availability_isolated", result.write_availability_isolated},
            {"write_availability_others", result.write_availability_others},
            {"acknowledged_writes", result.acknowledged_writes},
            {"uncertain_writes", result.uncertain_writes},
            {"failed_operations", result.failed_operations},
            {"missing_without_a", result.missing_without_a},
            {"missing_at_end", result.missing_at_end},
            {"counted_twice", result.counted_twice},
            {"wire_bytes", result.wire_bytes},
            {"converge_ms", result.converge_ms},
            {"equal", result.equal},
            {"timeline", std::move(timeline)}};
}

std::string percent(double share) {
    return fmt::format("{:.0f} %", share * 100);
}

void replace(std::string& text, std::string_view mark, std::string_view by) {
    const std::size_t at = text.find(mark);
    SYNCLINE_ASSERT(at != std::string::npos);
    text.replace(at, mark.size(), by);
}

}  // namespace

std::string compare_table(const std::vector<CompareResult>& results) {
    std::string text =
        fmt::format("{:<21}{:<9}{:<12}{:>8}{:>9}{:>9}{:>9}{:>8}{:>9}{:>9}{:>9}{:>10}\n", "mode",
                    "workload", "fault", "ops/s", "p50 ms", "p99 ms", "writable", "at c", "missing",
                    "lost", "MB", "converge");
    for (const CompareResult& result : results) {
        const bool faulty = result.of.fault != CompareFault::none;
        const bool killed = result.of.fault == CompareFault::leader_kill;
        const auto in_fault = [&](double share) { return faulty ? percent(share) : "-"; };
        text += fmt::format(
            "{:<21}{:<9}{:<12}{:>8.0f}{:>9.2f}{:>9.2f}{:>9}{:>8}{:>9}{:>9}{:>9.1f}{:>7} ms{}\n",
            result.of.mode.name, workload_name(result.of.workload), fault_name(result.of.fault),
            result.operations_per_second, result.writes.p50_ms, result.writes.p99_ms,
            in_fault(result.write_availability_others),
            in_fault(result.write_availability_isolated),
            killed ? std::to_string(result.missing_without_a) : "-", result.missing_at_end,
            static_cast<double>(result.wire_bytes) / 1e6, result.converge_ms,
            result.equal ? "" : "  NOT EQUAL");
    }
    return text +
           "\n"
           "p50, p99   of writes that were acknowledged\n"
           "writable   share of the clients at a and b whose writes were answered, while the fault "
           "lasted;\n"
           "at c       the same, of those at c, the replica that a partition cuts off\n"
           "missing    acknowledged writes, not written over since, that nobody has while the "
           "killed "
           "replica\n"
           "           is gone: lost with its disk\n"
           "lost       acknowledged writes that are nowhere when all are back\n"
           "MB         sent between the replicas; converge: from the heal or the return until all "
           "have all\n";
}

std::string compare_json(const std::vector<CompareResult>& results) {
    ReportJson runs = ReportJson::array();
    for (const CompareResult& result : results) runs.push_back(json_of(result));
    const ReportJson all = {
        {"about",
         {{"version", version_number},
          {"commit", version_commit},
          {"processors", std::thread::hardware_concurrency()},
          {"note", "three replicas and their clients on one machine, over loopback"}}},
        {"runs", std::move(runs)}};
    return all.dump(1);
}

std::string compare_page(const std::string& json) {
    std::string page(embedded::compare_html);
    // Inside a script element only "</" could end it; JSON may write it as "<\/".
    std::string data = json;
    for (std::size_t at = 0; (at = data.find("</", at)) != std::string::npos; at += 3) {
        data.insert(at + 1, "\\");
    }
    replace(page, "/*DATA*/", data);
    replace(page, "/*CHARTS*/", embedded::chart_js);
    return page;
}

}  // namespace syncline
