// What takes long. Events are real ones only: commands, and turns of the loop; Redis's others do
// not happen here.
#include <algorithm>
#include <cmath>

#include "net/commands/arguments.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

using Events = std::map<std::string, LatencyMonitor::Event, std::less<>>;

Result<void> latest_command(CommandContext& context) {
    const Events& events = context.host.observation().latency.events();
    context.reply.array(events.size());
    for (const auto& [name, event] : events) {
        context.reply.array(4);
        context.reply.bulk(name);
        context.reply.integer(static_cast<std::int64_t>(event.samples.back().wall_s));
        context.reply.integer(static_cast<std::int64_t>(event.samples.back().ms));
        context.reply.integer(static_cast<std::int64_t>(event.ms_max));
    }
    return {};
}

Result<void> history_command(CommandContext& context) {
    const Events& events = context.host.observation().latency.events();
    const auto found = events.find(context.argument(2));
    if (found == events.end()) {
        context.reply.array(0);
        return {};
    }
    context.reply.array(found->second.samples.size());
    for (const LatencyMonitor::Sample& sample : found->second.samples) {
        context.reply.array(2);
        context.reply.integer(static_cast<std::int64_t>(sample.wall_s));
        context.reply.integer(static_cast<std::int64_t>(sample.ms));
    }
    return {};
}

Result<void> reset_command(CommandContext& context) {
    LatencyMonitor& latency = context.host.observation().latency;
    Arguments names(context.arguments.begin() + 2, context.arguments.end());
    if (names.empty()) {
        for (const auto& [name, event] : latency.events()) names.push_back(name);
    }
    const auto count = std::count_if(names.begin(), names.end(),
                                     [&](const Bytes& name) { return latency.reset(name); });
    context.reply.integer(count);
    return {};
}

/// The last samples of an event in a sentence.
std::string describe(const std::string& name, const LatencyMonitor::Event& event) {
    std::uint64_t sum = 0;
    std::uint64_t worst = 0;
    for (const LatencyMonitor::Sample& sample : event.samples) {
        sum += sample.ms;
        worst = std::max(worst, sample.ms);
    }
    const std::size_t count = event.samples.size();
    const std::uint64_t span_s = event.samples.back().wall_s - event.samples.front().wall_s;
    return name + ": " + std::to_string(count) + " in " + std::to_string(span_s + 1) +
           " s, on average " + std::to_string(sum / count) + " ms, at most " +
           std::to_string(worst) + " ms; worst since the last reset " +
           std::to_string(event.ms_max) + " ms.\n";
}

Result<void> doctor_command(CommandContext& context) {
    const LatencyMonitor& latency = context.host.observation().latency;
    std::string text;
    for (const auto& [name, event] : latency.events()) text += describe(name, event);
    const std::string threshold = std::to_string(latency.threshold_ms());
    if (latency.threshold_ms() == 0) {
        text +=
            "Nothing is measured: CONFIG SET latency-monitor-threshold MILLISECONDS begins it.\n";
    } else if (text.empty()) {
        text += "Nothing took " + threshold + " ms or longer.\n";
    } else {
        text += "Counted is what takes " + threshold +
                " ms or longer. SLOWLOG GET shows which commands do; a long turn without one is a "
                "busy machine, or a disk that is slow to read.\n";
    }
    context.reply.verbatim(text);
    return {};
}

/// By full names in their order, or by the name of a container all that are in it; without names
/// all that ran.
std::vector<const CallFigures*> wanted_figures(const CommandContext& context) {
    std::vector<const CallFigures*> all = context.host.observation().statistics.commands();
    std::erase_if(all, [](const CallFigures* figures) { return figures->calls == 0; });
    if (context.count() == 2) return all;
    std::vector<const CallFigures*> wanted;
    for (std::size_t i = 2; i < context.count(); ++i) {
        const Bytes& name = context.argument(i);
        for (const CallFigures* const figures : all) {
            const BytesView full_name = figures->full_name;
            const BytesView container = full_name.substr(0, full_name.find('|'));
            const bool fits = equal_nocase(name, full_name) || equal_nocase(name, container);
            if (fits) wanted.push_back(figures);
        }
    }
    return wanted;
}

Result<void> histogram_command(CommandContext& context) {
    const std::vector<const CallFigures*> wanted = wanted_figures(context);
    context.reply.map(wanted.size());
    for (const CallFigures* const figures : wanted) {
        context.reply.bulk(figures->full_name);
        context.reply.map(2);
        context.reply.bulk("calls");
        context.reply.integer(static_cast<std::int64_t>(figures->calls));
        context.reply.bulk("histogram_usec");
        const auto below = figures->durations->below();
        context.reply.map(below.size());
        for (const auto& [us, count] : below) {
            context.reply.integer(static_cast<std::int64_t>(us));
            context.reply.integer(static_cast<std::int64_t>(count));
        }
    }
    return {};
}

Result<void> help_command(CommandContext& context) {
    constexpr BytesView lines[] = {
        "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DOCTOR",
        "    Return a human readable latency analysis report.",
        "HISTORY <event>",
        "    Return time-latency samples for the <event> class.",
        "LATEST",
        "    Return the latest latency samples for all events.",
        "RESET [<event> ...]",
        "    Reset latency data of one or more <event> classes.",
        "    (default: reset all data for all event classes)",
        "HISTOGRAM [COMMAND ...]",
        "    Return a cumulative distribution of latencies in the format of a histogram for the "
        "specified command names.",
        "    If no commands are specified then all histograms are replied.",
        "HELP",
        "    Prints this help.",
    };
    reply_help(context.reply, lines);
    return {};
}

constexpr BytesView group = "server";
constexpr unsigned admin = flag::admin | flag::loading;

// A row is easier to read in few lines.
// clang-format off
constexpr Command subcommands[] = {
    {"doctor", 2, admin, {}, group, "2.8.13", "O(N) with N samples", "Sums up what took long",
     doctor_command, {}},
    {"help", 2, flag::loading, {}, group, "2.8.13", "O(1)", "Describes the subcommands",
     help_command, {}},
    {"histogram", -2, admin, {}, group, "7.0.0", "O(N) with N commands",
     "Returns how long commands took", histogram_command, {}},
    {"history", 3, admin, {}, group, "2.8.13", "O(1)", "Returns when an event took long",
     history_command, {}},
    {"latest", 2, admin, {}, group, "2.8.13", "O(1)", "Returns what took long last",
     latest_command, {}},
    {"reset", -2, admin, {}, group, "2.8.13", "O(1)", "Forgets what took long", reset_command, {}},
};
constexpr Command commands[] = {
    {"latency", -2, flag::loading, {}, group, "2.8.13", "Depends on the subcommand",
     "Tells what took long", nullptr, subcommands},
};
// clang-format on

}  // namespace

std::span<const Command> latency_commands() {
    return commands;
}

}  // namespace syncline
