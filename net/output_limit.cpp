#include "net/output_limit.hpp"

#include <vector>

#include "net/commands/arguments.hpp"
#include "net/commands/config.hpp"
#include "net/resp.hpp"

namespace syncline {
namespace {

OutputLimit* limit_of(OutputLimits& limits, BytesView name) {
    if (equal_nocase(name, "normal")) return &limits.normal;
    if (equal_nocase(name, "slave") || equal_nocase(name, "replica")) return &limits.replica;
    if (equal_nocase(name, "pubsub")) return &limits.pubsub;
    return nullptr;
}

std::string limit_text(const OutputLimit& limit) {
    return std::to_string(limit.hard_bytes) + " " + std::to_string(limit.soft_bytes) + " " +
           std::to_string(limit.soft_s);
}

}  // namespace

std::string OutputLimits::parse(BytesView text) {
    const std::vector<Bytes> words = split_arguments(text).value_or(std::vector<Bytes>());
    if (words.size() % 4 != 0) {
        return "Wrong number of arguments in buffer limit configuration.";
    }
    OutputLimits changed = *this;
    for (std::size_t i = 0; i < words.size(); i += 4) {
        OutputLimit* const limit = limit_of(changed, words[i]);
        if (limit == nullptr) {
            return "Invalid client class specified in buffer limit configuration.";
        }
        const std::optional<std::uint64_t> hard = parse_memory(words[i + 1]);
        const std::optional<std::uint64_t> soft = parse_memory(words[i + 2]);
        const std::optional<std::int64_t> seconds = parse_integer(words[i + 3]);
        if (!hard || !soft || !seconds || *seconds < 0) {
            return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
        }
        *limit = OutputLimit{*hard, *soft, static_cast<std::uint64_t>(*seconds)};
    }
    *this = changed;
    return {};
}

std::string to_string(const OutputLimits& limits) {
    return "normal " + limit_text(limits.normal) + " slave " + limit_text(limits.replica) +
           " pubsub " + limit_text(limits.pubsub);
}

}  // namespace syncline
