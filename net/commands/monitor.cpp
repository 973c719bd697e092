// MONITOR, and the bookkeeping of each command that has run.
#include <algorithm>

#include "net/commands/arguments.hpp"
#include "net/commands/dispatcher.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

constexpr BytesView blotted = "(redacted)";

/// The arguments without passwords, as Redis leaves them out.
Arguments without_secrets(const CommandName& name, Arguments shown) {
    const BytesView command = name.parent != nullptr ? name.parent->name : name.command->name;
    if (command == "auth") {
        std::fill(shown.begin() + 1, shown.end(), blotted);
    } else if (command == "hello") {
        for (std::size_t i = 2; i < shown.size(); ++i) {
            if (!equal_nocase(shown[i], "auth")) continue;
            for (std::size_t end = std::min(i + 3, shown.size()); ++i < end;) shown[i] = blotted;
            break;
        }
    } else if (command == "acl") {
        const bool changes = name.parent != nullptr && name.command->name == "setuser";
        if (changes) std::fill(shown.begin() + 2, shown.end(), blotted);
    } else if (command == "config") {
        for (std::size_t i = 2; i + 1 < shown.size(); i += 2) {
            const Bytes setting = lower(shown[i]);
            const bool secret =
                setting.find("pass") != Bytes::npos || setting.find("auth") != Bytes::npos;
            if (secret) shown[i + 1] = blotted;
        }
    }
    return shown;
}

/// An argument between quotes, as redis-cli takes it.
void append_quoted(Bytes& line, BytesView argument) {
    constexpr BytesView digits = "0123456789abcdef";
    constexpr BytesView specials = "\n\r\t\a\b";
    constexpr BytesView letters = "nrtab";
    line += '"';
    for (const char byte : argument) {
        const std::size_t special = specials.find(byte);
        const auto code = static_cast<unsigned char>(byte);
        if (special != BytesView::npos) {
            line += '\\';
            line += letters[special];
        } else if (byte == '"' || byte == '\\') {
            line += '\\';
            line += byte;
        } else if (code >= 0x20 && code < 0x7f) {
            line += byte;
        } else {
            line += "\\x";
            line += digits[code >> 4U];
            line += digits[code & 15U];
        }
    }
    line += '"';
}

Bytes monitor_line(const ClientState& client, const Arguments& arguments, std::uint64_t wall_us) {
    std::string fraction = std::to_string(wall_us % 1000000);
    fraction.insert(0, 6 - fraction.size(), '0');
    Bytes line =
        "+" + std::to_string(wall_us / 1000000) + "." + fraction + " [0 " + client.address + "]";
    for (const Bytes& argument : arguments) {
        line += ' ';
        append_quoted(line, argument);
    }
    return line + "\r\n";
}

Result<void> monitor_command(CommandContext& context) {
    if (context.in_exec) {
        context.reply.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
        return {};
    }
    context.client.monitors = true;
    context.host.observation().monitors[context.client.order.id] = &context.client;
    context.reply.simple("OK");
    return {};
}

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"monitor", 1, flag::admin | flag::loading, {}, "server", "1.0.0", "O(1)",
     "Shows all commands that clients of this replica run", monitor_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> monitor_commands() {
    return commands;
}

void CommandHost::forget(ClientState& client) {
    pubsub_.forget(client);
    client.monitors = false;
    observation_.monitors.erase(client.order.id);
}

void Dispatcher::note_error(BytesView reply) {
    ++host_.figures().errors_replied;
    host_.observation().statistics.error(reply);
}

void Dispatcher::note_call(const ClientState& client, const CommandName& name,
                           const Arguments& arguments, std::uint64_t us, bool failed) {
    if (!client.counted) return;
    Observation& seen = host_.observation();
    seen.statistics.call(name, us, failed);
    const bool exec = name.command->name == "exec";  // its commands are slow, not it
    const bool is_slow = seen.slow_log.takes(us) && !exec;
    const bool is_shown = !seen.monitors.empty() && !name.command->has(flag::admin);
    const bool is_spike = seen.latency.takes(us / 1000);
    if (!is_slow && !is_shown && !is_spike) return;
    const std::uint64_t wall_us = host_.env().clock.wall_us();
    if (is_spike) {
        const bool fast = name.command->has(flag::fast);
        seen.latency.note(fast ? "fast-command" : "command", us / 1000, wall_us / 1000000);
    }
    if (is_shown) {
        const Arguments shown = without_secrets(name, arguments);
        seen.monitor_lines.push_back(monitor_line(client, shown, wall_us));
    }
    if (!is_slow) return;
    SlowLog::Entry entry;
    entry.wall_s = wall_us / 1000000;
    entry.us = us;
    entry.arguments = without_secrets(name, cut_arguments(arguments));
    entry.address = client.address;
    entry.client_name = client.name;
    seen.slow_log.add(std::move(entry));
}

void Dispatcher::release_monitor_lines() {
    Observation& seen = host_.observation();
    const std::vector<Bytes> lines = std::exchange(seen.monitor_lines, {});
    for (const Bytes& line : lines) {
        for (const auto& [id, monitor] : seen.monitors) host_.push(*monitor, line);
    }
}

}  // namespace syncline
