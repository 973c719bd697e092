#pragma once
#include <cstdint>
#include <optional>

#include "net/commands/command.hpp"

namespace syncline {

enum class TimeUnit : std::uint8_t { seconds, milliseconds };
enum class TimeOrigin : std::uint8_t { now, epoch };

/// EX, PX, EXAT or PXAT, as SET and GETEX take them.
struct TimeOption {
    TimeUnit unit;
    TimeOrigin origin;
};
std::optional<TimeOption> time_option(BytesView name);

/// A time as milliseconds since 1970; nothing if it does not fit.
std::optional<std::int64_t> deadline_from(std::int64_t number, TimeUnit unit, TimeOrigin origin,
                                          std::int64_t now_ms);
/// "invalid expire time in 'x' command", x being the command that runs.
void reply_bad_time(CommandContext& context);

}  // namespace syncline
