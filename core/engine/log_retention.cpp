#include "core/engine/log_retention.hpp"

#include <algorithm>
#include <map>

namespace syncline {
namespace {

/// Records of the last checkpoints are cut at any of them.
constexpr std::size_t newest_kept = 8;

}  // namespace

Position forgettable(const std::vector<LogSample>& samples, const LogRetention& retention,
                     const LogUse& use) {
    const Position bound = std::min(use.checkpoint, use.hold.value_or(use.checkpoint));
    Position found = 0;
    for (const LogSample& sample : samples) {
        if (sample.position > bound) break;
        const bool too_much = use.end - sample.position >= retention.bytes;
        const bool too_old =
            use.now_ms >= sample.wall_ms && use.now_ms - sample.wall_ms >= retention.ms;
        const bool everywhere = use.cut != nullptr && use.cut->covers(sample.vv);
        if (too_much || too_old || everywhere) found = sample.position;
    }
    return found;
}

void thin(std::vector<LogSample>& samples, Position log_base) {
    std::erase_if(samples, [&](const LogSample& sample) { return sample.position < log_base; });
    while (samples.size() > log_samples_max) {
        // The first one says what the log does not hold.
        auto victim = samples.begin() + 1;
        for (auto it = victim; it + newest_kept < samples.end(); ++it) {
            const auto hole = [](auto at) { return (at + 1)->position - (at - 1)->position; };
            if (hole(it) < hole(victim)) victim = it;
        }
        samples.erase(victim);
    }
}

Bytes encode_sample_times(const std::vector<LogSample>& samples) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.varint(samples.size());
    for (const LogSample& sample : samples) {
        out.varint(sample.position);
        out.varint(sample.wall_ms);
    }
    return bytes;
}

Result<void> decode_sample_times(BytesView bytes, std::uint64_t now_ms,
                                 std::vector<LogSample>& samples) {
    std::map<Position, std::uint64_t> times;
    if (!bytes.empty()) {
        ByteReader in(bytes);
        for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
            const Position position = in.varint();
            times[position] = in.varint();
        }
        if (!in.done()) return Error{Code::corrupt, "the times of checkpoints are damaged"};
    }
    for (LogSample& sample : samples) {
        const auto found = times.find(sample.position);
        sample.wall_ms = found == times.end() ? now_ms : found->second;
    }
    return {};
}

}  // namespace syncline
