#include "net/commands/table.hpp"

#include <algorithm>
#include <unordered_map>

#include "net/commands/arguments.hpp"

namespace syncline {
namespace {

using Family = std::span<const Command> (*)();
constexpr Family families[] = {
    connection_commands,
    acl_commands,
    server_commands,
    compatible_commands,
    key_commands,
    key_value_commands,
    object_commands,
    string_commands,
    bit_commands,
    bit_field_commands,
    lcs_commands,
    sort_commands,
    hash_commands,
    set_commands,
    transaction_commands,
    crdt_commands,
    replication_commands,
    conflict_commands,
    flag_commands,
    multi_value_commands,
    text_commands,
    sorted_set_commands,
    list_commands,
    blocking_commands,
    expiry_commands,
    set_algebra_commands,
    sorted_set_algebra_commands,
    bounded_counter_commands,
    backup_commands,
    scrub_commands,
    wait_commands,
    membership_commands,
    resubmission_commands,
    pubsub_commands,
    monitor_commands,
    slowlog_commands,
    latency_commands,
};

/// Longer names than any command has are not looked up.
constexpr std::size_t name_bytes_max = 32;

using Index = std::unordered_map<BytesView, const Command*>;

Index make_index() {
    Index index;
    for (const Command* command : all_commands()) {
        SYNCLINE_ASSERT(command->name.size() <= name_bytes_max);
        SYNCLINE_ASSERT(index.emplace(command->name, command).second);
    }
    return index;
}

std::vector<const Command*> gather() {
    std::vector<const Command*> commands;
    for (const Family family : families) {
        for (const Command& command : family()) commands.push_back(&command);
    }
    std::sort(commands.begin(), commands.end(),
              [](const Command* a, const Command* b) { return a->name < b->name; });
    return commands;
}

}  // namespace

bool Command::takes(std::size_t arguments_count) const {
    const auto count = static_cast<std::int64_t>(arguments_count);
    return arity >= 0 ? count == arity : count >= -arity;
}

Bytes CommandName::full_name() const {
    if (command == nullptr) return {};
    return parent == nullptr ? Bytes(command->name)
                             : Bytes(parent->name) + "|" + Bytes(command->name);
}

void ClientState::leave_multi() {
    in_multi = false;
    multi_failed = false;
    queued.clear();
    queued_bytes = 0;
}

const std::vector<const Command*>& all_commands() {
    static const std::vector<const Command*> commands = gather();
    return commands;
}

const Command* find_command(BytesView name) {
    static const Index index = make_index();
    if (name.size() > name_bytes_max) return nullptr;
    auto found = index.find(name);
    if (found == index.end()) found = index.find(lower(name));
    return found == index.end() ? nullptr : found->second;
}

const Command* find_subcommand(const Command& container, BytesView name) {
    for (const Command& command : container.subcommands) {
        if (equal_nocase(command.name, name)) return &command;
    }
    return nullptr;
}

CommandName find_requested(std::span<const Bytes> request) {
    const Command* const command = find_command(request[0]);
    const bool container = command != nullptr && !command->subcommands.empty();
    if (!container || request.size() == 1) return {command, nullptr};
    return {find_subcommand(*command, request[1]), command};
}

CommandName find_full_name(BytesView full_name) {
    const std::size_t bar = full_name.find('|');
    const Command* command = find_command(full_name.substr(0, bar));
    if (command == nullptr || bar == BytesView::npos) return {command, nullptr};
    return {find_subcommand(*command, full_name.substr(bar + 1)), command};
}

}  // namespace syncline
