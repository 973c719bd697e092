#include "net/observation.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "net/commands/command.hpp"

namespace syncline {
namespace {

constexpr std::size_t latency_samples_max = 160;
constexpr std::size_t slow_arguments_max = 32;
constexpr std::size_t slow_argument_bytes_max = 128;

std::size_t bucket_of(std::uint64_t us) {
    if (us < 8) return us;
    const auto exponent = static_cast<unsigned>(std::bit_width(us)) - 1;
    return (exponent - 2) * std::size_t{8} + ((us >> (exponent - 3)) & 7U);
}

/// The first duration behind the bucket.
std::uint64_t end_of(std::size_t bucket) {
    if (bucket < 8) return bucket + 1;
    return (bucket % 8 + 9) << (bucket / 8 - 1);
}

}  // namespace

void DurationHistogram::add(std::uint64_t us) {
    ++buckets_[std::min(bucket_of(us), buckets_count - 1)];
    ++count_;
}

std::uint64_t DurationHistogram::percentile(double percent) const {
    const auto wanted =
        static_cast<std::uint64_t>(std::ceil(static_cast<double>(count_) * percent / 100));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_count; ++i) {
        seen += buckets_[i];
        if (seen > 0 && seen >= wanted) return end_of(i) - 1;
    }
    return 0;
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> DurationHistogram::below() const {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> powers;
    std::uint64_t seen = 0;
    std::uint64_t told = 0;
    for (std::size_t i = 0; i < buckets_count; ++i) {
        seen += buckets_[i];
        if (seen == told || !std::has_single_bit(end_of(i))) continue;
        powers.emplace_back(end_of(i), seen);
        told = seen;
    }
    return powers;
}

CallFigures& CommandStatistics::of(const CommandName& name) {
    CallFigures& figures = commands_[name.command];
    if (figures.full_name.empty()) figures.full_name = name.full_name();
    return figures;
}

void CommandStatistics::call(const CommandName& name, std::uint64_t us, bool failed) {
    CallFigures& figures = of(name);
    ++figures.calls;
    figures.us += us;
    figures.failed += failed ? 1 : 0;
    if (!figures.durations) figures.durations = std::make_unique<DurationHistogram>();
    figures.durations->add(us);
}

void CommandStatistics::reject(const CommandName& name) {
    if (name.command != nullptr) ++of(name).rejected;
}

void CommandStatistics::error(BytesView reply) {
    if (reply.starts_with('-')) reply.remove_prefix(1);
    const BytesView code = reply.substr(0, reply.find(' '));
    const auto found = errors_.find(code);
    if (found == errors_.end()) {
        errors_.emplace(code, 1);
    } else {
        ++found->second;
    }
}

void CommandStatistics::reset() {
    commands_.clear();
    errors_.clear();
}

std::vector<const CallFigures*> CommandStatistics::commands() const {
    std::vector<const CallFigures*> all;
    for (const auto& [command, figures] : commands_) all.push_back(&figures);
    std::sort(all.begin(), all.end(), [](const CallFigures* a, const CallFigures* b) {
        return a->full_name < b->full_name;
    });
    return all;
}

std::vector<Bytes> cut_arguments(const std::vector<Bytes>& arguments) {
    std::vector<Bytes> cut;
    for (const Bytes& argument : arguments) {
        if (cut.size() + 1 == slow_arguments_max && arguments.size() > slow_arguments_max) {
            const std::size_t more = arguments.size() - cut.size();
            cut.push_back("... (" + std::to_string(more) + " more arguments)");
            break;
        }
        cut.push_back(argument.substr(0, slow_argument_bytes_max));
        if (argument.size() <= slow_argument_bytes_max) continue;
        const std::size_t more = argument.size() - slow_argument_bytes_max;
        cut.back() += "... (" + std::to_string(more) + " more bytes)";
    }
    return cut;
}

void SlowLog::add(Entry entry) {
    entry.id = next_id_++;
    entries_.push_front(std::move(entry));
    set_length_max(length_max_);
}

void SlowLog::set_length_max(std::uint64_t length) {
    length_max_ = length;
    while (entries_.size() > length_max_) entries_.pop_back();
}

void LatencyMonitor::note(BytesView event, std::uint64_t ms, std::uint64_t wall_s) {
    if (!takes(ms)) return;
    const auto found = events_.find(event);
    Event& known = found == events_.end() ? events_[std::string(event)] : found->second;
    known.ms_max = std::max(known.ms_max, ms);
    if (!known.samples.empty() && known.samples.back().wall_s == wall_s) {
        known.samples.back().ms = std::max(known.samples.back().ms, ms);
        return;
    }
    known.samples.push_back(Sample{wall_s, ms});
    if (known.samples.size() > latency_samples_max) known.samples.pop_front();
}

bool LatencyMonitor::reset(BytesView event) {
    const auto found = events_.find(event);
    if (found == events_.end()) return false;
    events_.erase(found);
    return true;
}

}  // namespace syncline
