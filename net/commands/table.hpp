#pragma once
#include <span>

#include "net/commands/command.hpp"

namespace syncline {

/// The version of Redis whose replies these are; clients choose features by it.
constexpr BytesView redis_version = "7.0.15";

// The families; each is one file that ends with its rows of the table.
std::span<const Command> connection_commands();
std::span<const Command> acl_commands();
std::span<const Command> client_subcommands();
std::span<const Command> server_commands();
std::span<const Command> compatible_commands();
std::span<const Command> config_subcommands();
std::span<const Command> command_subcommands();
std::span<const Command> key_commands();
std::span<const Command> key_value_commands();
std::span<const Command> object_commands();
std::span<const Command> string_commands();
std::span<const Command> bit_commands();
std::span<const Command> bit_field_commands();
std::span<const Command> lcs_commands();
std::span<const Command> sort_commands();
std::span<const Command> hash_commands();
std::span<const Command> set_commands();
std::span<const Command> set_algebra_commands();
std::span<const Command> sorted_set_commands();
std::span<const Command> sorted_set_algebra_commands();
std::span<const Command> list_commands();
std::span<const Command> blocking_commands();
std::span<const Command> expiry_commands();
std::span<const Command> transaction_commands();
std::span<const Command> crdt_commands();
std::span<const Command> replication_commands();
std::span<const Command> conflict_commands();
std::span<const Command> flag_commands();
std::span<const Command> multi_value_commands();
std::span<const Command> text_commands();
std::span<const Command> bounded_counter_commands();
std::span<const Command> backup_commands();
std::span<const Command> scrub_commands();
std::span<const Command> wait_commands();
std::span<const Command> membership_commands();
std::span<const Command> resubmission_commands();
std::span<const Command> pubsub_commands();
std::span<const Command> monitor_commands();
std::span<const Command> slowlog_commands();
std::span<const Command> latency_commands();

/// A connection as CLIENT INFO describes it, without the end of the line.
std::string client_line(const ClientState& client, std::uint64_t now_ms);
/// Notes something for ACL LOG; its time and client are filled in here.
void log_access(CommandHost& host, const ClientState& client, AclLogEntry entry);

/// Lines "name:value" of INFO.
class InfoLines {
public:
    void title(BytesView text) {
        text_ += (text_.empty() ? "# " : "\r\n# ") + Bytes(text) + "\r\n";
    }
    void add(BytesView name, BytesView value) {
        text_ += Bytes(name) + ":" + Bytes(value) + "\r\n";
    }
    void add(BytesView name, std::uint64_t value) { add(name, std::to_string(value)); }
    [[nodiscard]] const std::string& text() const { return text_; }

private:
    std::string text_;
};
void replication_section(const CommandContext& context, InfoLines& lines);
void membership_lines(const Replica& replica, InfoLines& lines);

/// Handlers that stand in another file than their row.
Result<void> info_command(CommandContext& context);
Result<void> role_command(CommandContext& context);
Result<void> command_command(CommandContext& context);
Result<void> explain_command(CommandContext& context);
Result<void> diff_command(CommandContext& context);

/// The reply of CRDT.DIFF, when its comparison is done.
void reply_comparison(RespWriter& reply, const Result<Difference>& difference);

/// Why a client that is subscribed in RESP2, or monitors, may not run a command now; empty: it may.
Bytes refusal_while_listening(const ClientState& client, const CommandName& name);

/// All commands, in order of their names.
const std::vector<const Command*>& all_commands();
/// Null when there is no such command. Any case.
const Command* find_command(BytesView name);
const Command* find_subcommand(const Command& container, BytesView name);
/// What a request names: its command, or of a container with arguments the subcommand. No command:
/// there is none of this name; a parent beside it: it has no such subcommand. Precondition: the
/// request is not empty.
CommandName find_requested(std::span<const Bytes> request);
/// By full name: "get", "client|list".
CommandName find_full_name(BytesView full_name);

}  // namespace syncline
