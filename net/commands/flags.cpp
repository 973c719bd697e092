// FLAG.*: yes or no, and who wins when both are said at once.
#include "core/engine/operations.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

Result<void> enable_command(CommandContext& context) {
    SYNCLINE_TRY(const bool changed, operations::flag_enable(context.txn(), context.argument(1)));
    context.reply.integer(changed ? 1 : 0);
    return {};
}

Result<void> disable_command(CommandContext& context) {
    SYNCLINE_TRY(const bool changed, operations::flag_disable(context.txn(), context.argument(1)));
    context.reply.integer(changed ? 1 : 0);
    return {};
}

Result<void> get_command(CommandContext& context) {
    SYNCLINE_TRY(const bool enabled, operations::flag_enabled(context.txn(), context.argument(1)));
    context.reply.integer(enabled ? 1 : 0);
    return {};
}

constexpr BytesView group = "flag";
constexpr BytesView since = "0.1.0";
constexpr KeyPositions one_key{1, 1, 1};

// clang-format off
constexpr Command commands[] = {
    {"flag.disable", 2, flag::write | flag::fast, one_key, group, since, "O(1)",
     "Disables a flag; 1: it was enabled", disable_command, {}},
    {"flag.enable", 2, flag::write | flag::denyoom | flag::fast, one_key, group, since, "O(1)",
     "Enables a flag; 1: it was disabled, or there was none", enable_command, {}},
    {"flag.get", 2, flag::readonly | flag::fast, one_key, group, since, "O(1)",
     "Answers 1 if a flag is enabled, else 0", get_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> flag_commands() {
    return commands;
}

}  // namespace syncline
