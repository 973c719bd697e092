#include "net/commands/draw.hpp"

#include <limits>

#include "core/base/limits.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"

namespace syncline {
namespace {

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
constexpr BytesView too_many = "ERR value is out of range";

/// The number of elements; nothing, and the error is written.
std::optional<std::int64_t> count_argument(RespWriter& reply, BytesView text) {
    const std::optional<std::int64_t> count = parse_integer(text);
    if (!count) {
        reply.error(error_text::not_integer);
    } else if (*count < -largest) {
        reply.error("ERR value is out of range, value must between " + std::to_string(-largest) +
                    " and " + std::to_string(largest));
    } else {
        return count;
    }
    return std::nullopt;
}

}  // namespace

std::optional<DrawRequest> parse_draw(CommandContext& context, BytesView option) {
    const auto refuse = [&](BytesView text) {
        context.reply.error(text);
        return std::optional<DrawRequest>();
    };
    DrawRequest request;
    if (context.count() < 3) return request;
    if (option.empty() && context.count() > 3) return refuse(error_text::syntax);
    const std::optional<std::int64_t> count = count_argument(context.reply, context.argument(2));
    if (!count) return std::nullopt;
    request.counted = true;
    request.with_values = context.count() == 4 && equal_nocase(context.argument(3), option);
    if (context.count() > (request.with_values ? 4 : 3)) return refuse(error_text::syntax);
    if (request.with_values && (*count < -largest / 2 || *count > largest / 2)) {
        return refuse(too_many);
    }
    // Redis would try to send them.
    if (*count < -static_cast<std::int64_t>(limits::request_arguments_max)) return refuse(too_many);
    request.again = *count < 0;
    request.count = static_cast<std::size_t>(request.again ? -*count : *count);
    return request;
}

}  // namespace syncline
