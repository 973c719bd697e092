#include "tools/command_sender.hpp"

#include <optional>
#include <utility>

#include "tools/console.hpp"

namespace syncline {
namespace {

/// On the way to the server at a time.
constexpr std::size_t commands_max = 256;
constexpr std::size_t commands_bytes_max = 4 * limits::mib;

Error stopped_at(std::uint64_t number) {
    return Error{Code::corrupt, "stopped at number " + std::to_string(number)};
}

}  // namespace

Result<void> CommandSender::take(std::uint64_t number,
                                 const Result<std::vector<std::vector<Bytes>>>& said) {
    last_ = number;
    if (!said) {
        SYNCLINE_CHECK(flush());
        return fail(number, said.error().message);
    }
    for (const std::vector<Bytes>& command : *said) {
        client_.queue(command);
        for (const Bytes& argument : command) bytes_ += argument.size();
        numbers_.push_back(number);
    }
    const bool full = numbers_.size() >= commands_max || bytes_ >= commands_bytes_max;
    return full ? flush() : Result<void>();
}

Result<void> CommandSender::flush() {
    std::optional<std::pair<std::uint64_t, std::string>> first;
    for (const std::uint64_t number : std::exchange(numbers_, {})) {
        SYNCLINE_TRY(const RespValue reply, client_.receive());
        if (!reply.is_error()) continue;
        if (first && stop_at_error_) continue;  // of the same bundle
        if (number == failed_) continue;        // it is told already
        failed_ = number;
        if (!first) first = std::pair(number, harmless(reply.text));
        ++imported_.failed;
        wrong_(number, harmless(reply.text));
    }
    bytes_ = 0;
    imported_.done = first && stop_at_error_ ? first->first - 1 : last_;
    return first && stop_at_error_ ? stopped_at(first->first) : Result<void>();
}

Result<std::int64_t> CommandSender::value_of(const Bytes& key) {
    SYNCLINE_CHECK(flush());
    SYNCLINE_TRY(const RespValue reply, client_.command({"BC.GET", key}));
    return reply.type == RespValue::Type::integer ? reply.integer : std::int64_t{0};
}

Result<void> CommandSender::fail(std::uint64_t number, const std::string& sentence) {
    ++imported_.failed;
    wrong_(number, sentence);
    if (!stop_at_error_) return {};
    imported_.done = number - 1;
    return stopped_at(number);
}

}  // namespace syncline
