#include <algorithm>

#include "net/commands/arguments.hpp"
#include "net/commands/dispatcher.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

/// The types Redis knows; clients here are normal or subscribers.
constexpr BytesView client_types[] = {"normal", "master", "replica", "slave", "pubsub"};

BytesView type_of(const ClientState& client) {
    return client.subscriptions.count() > 0 && !client.monitors ? "pubsub" : "normal";
}

std::string flags_of(const ClientState& client) {
    std::string flags;
    if (client.monitors) flags += 'O';
    if (client.subscriptions.count() > 0) flags += 'P';
    if (client.in_multi) flags += 'x';
    if (client.blocked) flags += 'b';
    if (client.watch_lost) flags += 'd';
    return flags.empty() ? "N" : flags;
}

Result<void> id_command(CommandContext& context) {
    context.reply.integer(static_cast<std::int64_t>(context.client.order.id));
    return {};
}

Result<void> info_subcommand(CommandContext& context) {
    context.reply.verbatim(client_line(context.client, context.host.env().clock.steady_ms()) +
                           "\n");
    return {};
}

/// CLIENT LIST [TYPE type] [ID id ...].
Result<void> list_command(CommandContext& context) {
    std::vector<ClientState*> clients = context.host.clients();
    const auto has = [&](std::size_t index, BytesView word) {
        return equal_nocase(context.argument(index), word);
    };
    if (context.count() == 4 && has(2, "type")) {
        const bool known = std::any_of(std::begin(client_types), std::end(client_types),
                                       [&](BytesView type) { return has(3, type); });
        if (!known) {
            context.reply.error("ERR Unknown client type '" + context.argument(3) + "'");
            return {};
        }
        std::erase_if(clients,
                      [&](const ClientState* client) { return !has(3, type_of(*client)); });
    } else if (context.count() > 3 && has(2, "id")) {
        std::vector<std::uint64_t> wanted;
        for (std::size_t i = 3; i < context.count(); ++i) {
            const std::optional<std::int64_t> id = parse_integer(context.argument(i));
            if (!id || *id <= 0) {
                context.reply.error("ERR Invalid client ID");
                return {};
            }
            wanted.push_back(static_cast<std::uint64_t>(*id));
        }
        std::erase_if(clients, [&](const ClientState* client) {
            return std::find(wanted.begin(), wanted.end(), client->order.id) == wanted.end();
        });
    } else if (context.count() != 2) {
        context.reply.error(error_text::syntax);
        return {};
    }
    const std::uint64_t now_ms = context.host.env().clock.steady_ms();
    std::string text;
    for (const ClientState* client : clients) text += client_line(*client, now_ms) + "\n";
    context.reply.verbatim(text);
    return {};
}

Result<void> setname_command(CommandContext& context) {
    if (is_client_name(context.argument(2))) {
        context.client.name = context.argument(2);
        context.reply.simple("OK");
    } else {
        context.reply.error(
            "ERR Client names cannot contain spaces, newlines or special characters.");
    }
    return {};
}

Result<void> getname_command(CommandContext& context) {
    if (context.client.name.empty()) {
        context.reply.null();
    } else {
        context.reply.bulk(context.client.name);
    }
    return {};
}

struct LibraryField {
    BytesView name;
    Bytes ClientState::*member;
};
constexpr LibraryField library_fields[] = {
    {"lib-name", &ClientState::library_name},
    {"lib-ver", &ClientState::library_version},
};

Result<void> setinfo_command(CommandContext& context) {
    for (const LibraryField& field : library_fields) {
        if (!equal_nocase(context.argument(2), field.name)) continue;
        if (!is_client_name(context.argument(3))) {
            context.reply.error("ERR " + Bytes(field.name) +
                                " cannot contain spaces, newlines or special characters.");
            return {};
        }
        context.client.*(field.member) = context.argument(3);
        context.reply.simple("OK");
        return {};
    }
    context.reply.error("ERR Unrecognized option '" + context.argument(2) + "'");
    return {};
}

/// CLIENT NO-EVICT and NO-TOUCH: nothing is ever evicted, nothing is aged.
Result<void> on_off_command(CommandContext& context) {
    const bool valid =
        equal_nocase(context.argument(2), "on") || equal_nocase(context.argument(2), "off");
    if (valid) {
        context.reply.simple("OK");
    } else {
        context.reply.error(error_text::syntax);
    }
    return {};
}

/// CLIENT REPLY ON|OFF|SKIP. Only ON is replied to.
Result<void> reply_command(CommandContext& context) {
    ClientState& client = context.client;
    const auto is_it = [&](BytesView name) { return equal_nocase(context.argument(2), name); };
    if (is_it("on")) {
        client.replies_off = false;
        client.unanswered = 0;
        context.reply.simple("OK");
    } else if (is_it("off")) {
        client.replies_off = true;
    } else if (is_it("skip")) {
        if (!client.replies_off) client.unanswered = 2;  // this one, and the next
    } else {
        context.reply.error(error_text::syntax);
    }
    return {};
}

/// The filters of CLIENT KILL; those not given let everybody pass.
struct KillFilter {
    std::optional<std::uint64_t> id;
    std::optional<Bytes> address;
    std::optional<Bytes> local_address;
    std::optional<Bytes> type;
    std::shared_ptr<AclUser> user;
    bool others_only = true;  // SKIPME

    [[nodiscard]] bool matches(const ClientState& client, const ClientState& self) const {
        return (!type || equal_nocase(*type, type_of(client))) && (!id || *id == client.order.id) &&
               (!address || *address == client.address) &&
               (!local_address || *local_address == client.local_address) &&
               (!user || user == client.user) && !(others_only && &client == &self);
    }
};

/// One option with its value; the error to reply, or nothing.
Bytes add_filter(KillFilter& filter, const AclUsers& users, const Bytes& option,
                 const Bytes& value) {
    const auto is_it = [&](BytesView name) { return equal_nocase(value, name); };
    if (equal_nocase(option, "id")) {
        const std::optional<std::int64_t> id = parse_integer(value);
        if (!id || *id <= 0) return "ERR client-id should be greater than 0";
        filter.id = static_cast<std::uint64_t>(*id);
    } else if (equal_nocase(option, "addr")) {
        filter.address = value;
    } else if (equal_nocase(option, "laddr")) {
        filter.local_address = value;
    } else if (equal_nocase(option, "type")) {
        const bool known = std::any_of(std::begin(client_types), std::end(client_types), is_it);
        if (!known) return "ERR Unknown client type '" + value + "'";
        filter.type = value;
    } else if (equal_nocase(option, "user")) {
        filter.user = users.find(value);
        if (!filter.user) return "ERR No such user '" + value + "'";
    } else if (equal_nocase(option, "skipme") && (is_it("yes") || is_it("no"))) {
        filter.others_only = is_it("yes");
    } else {
        return Bytes(error_text::syntax);
    }
    return {};
}

Result<void> kill_command(CommandContext& context) {
    const bool old_form = context.count() == 3;
    KillFilter filter;
    if (old_form) {
        filter.address = context.argument(2);
        filter.others_only = false;
    }
    for (std::size_t i = 2; !old_form && i < context.count(); i += 2) {
        const Bytes error = i + 1 == context.count()
                                ? Bytes(error_text::syntax)
                                : add_filter(filter, context.host.users(), context.argument(i),
                                             context.argument(i + 1));
        if (!error.empty()) {
            context.reply.error(error);
            return {};
        }
    }
    std::int64_t killed = 0;
    for (ClientState* client : context.host.clients()) {
        if (!filter.matches(*client, context.client)) continue;
        context.host.kill(*client, client != &context.client);
        ++killed;
    }
    if (!old_form) {
        context.reply.integer(killed);
    } else if (killed > 0) {
        context.reply.simple("OK");
    } else {
        context.reply.error("ERR No such client");
    }
    return {};
}

/// CLIENT UNBLOCK id [TIMEOUT|ERROR].
Result<void> unblock_command(CommandContext& context) {
    const bool with_error = context.count() == 4 && equal_nocase(context.argument(3), "error");
    const bool known =
        context.count() == 3 || with_error || equal_nocase(context.argument(3), "timeout");
    if (context.count() > 4 || !known) {
        context.reply.error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
        return {};
    }
    SYNCLINE_TRY(const std::int64_t id, integer_argument(context.argument(2)));
    for (ClientState* const client : context.dispatcher.interest().blocked()) {
        if (static_cast<std::int64_t>(client->order.id) != id || client->blocked->reply) continue;
        Bytes reply;
        RespWriter writer(reply, client->protocol);
        if (with_error) {
            writer.error("UNBLOCKED client unblocked via CLIENT UNBLOCK");
        } else {
            writer.null_array();
        }
        context.dispatcher.interest().end(*client, std::move(reply));
        context.reply.integer(1);
        return {};
    }
    context.reply.integer(0);
    return {};
}

Result<void> help_command(CommandContext& context) {
    constexpr BytesView lines[] = {
        "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GETNAME",
        "    The name of this connection.",
        "ID",
        "    The number of this connection.",
        "INFO",
        "    What LIST says of this connection.",
        "KILL <ip:port> | <filter> <value> [<filter> <value> ...]",
        "    Ends the connection of that address, or those that all filters fit:",
        "    ADDR <ip:port>, LADDR <ip:port>, TYPE <type>, USER <name>, ID <number>,",
        "    SKIPME (YES|NO): spare this connection (default: yes).",
        "LIST [TYPE <type> | ID <number> ...]",
        "    A line for each connection.",
        "NO-EVICT (ON|OFF), NO-TOUCH (ON|OFF)",
        "    Accepted; nothing is evicted, and keys have no age.",
        "REPLY (ON|OFF|SKIP)",
        "    Whether this connection gets replies.",
        "SETINFO (LIB-NAME|LIB-VER) <text>",
        "    Notes the client's library.",
        "SETNAME <name>",
        "    Names this connection.",
        "UNBLOCK <number> [TIMEOUT|ERROR]",
        "    Ends the wait of a connection that is blocked in a pop.",
        "HELP",
        "    These lines.",
    };
    reply_help(context.reply, lines);
    return {};
}

constexpr BytesView group = "connection";
constexpr unsigned plain = flag::loading;
constexpr unsigned admin = flag::loading | flag::admin;

// A row is easier to read in few lines.
// clang-format off
constexpr Command subcommands[] = {
    {"getname", 2, plain, {}, group, "2.6.9", "O(1)", "Returns the name of this connection",
     getname_command, {}},
    {"help", 2, plain, {}, group, "5.0.0", "O(1)", "Returns what the subcommands are for",
     help_command, {}},
    {"id", 2, plain, {}, group, "5.0.0", "O(1)", "Returns the number of this connection",
     id_command, {}},
    {"info", 2, plain, {}, group, "6.2.0", "O(1)", "Describes this connection", info_subcommand,
     {}},
    {"kill", -3, admin, {}, group, "2.4.0", "O(N) with N connections", "Ends connections",
     kill_command, {}},
    {"list", -2, admin, {}, group, "2.4.0", "O(N) with N connections", "Describes all connections",
     list_command, {}},
    {"no-evict", 3, admin, {}, group, "7.0.0", "O(1)", "Accepted; nothing is ever evicted",
     on_off_command, {}},
    {"no-touch", 3, plain, {}, group, "7.2.0", "O(1)", "Accepted; keys have no age",
     on_off_command, {}},
    {"reply", 3, plain, {}, group, "3.2.0", "O(1)",
     "Says whether this connection gets replies: ON, OFF, or SKIP for none to the next request",
     reply_command, {}},
    {"setinfo", 4, plain, {}, group, "7.2.0", "O(1)", "Notes the client's library",
     setinfo_command, {}},
    {"setname", 3, plain, {}, group, "2.6.9", "O(1)", "Names this connection", setname_command,
     {}},
    {"unblock", -3, admin, {}, group, "5.0.0", "O(N) with N blocked connections",
     "Ends the wait of a connection that is blocked in a pop", unblock_command, {}},
};
// clang-format on

}  // namespace

/// Sizes of Redis's own buffers, which we do not have, read 0.
std::string client_line(const ClientState& client, std::uint64_t now_ms) {
    const auto seconds = [&](std::uint64_t since_ms) {
        return std::to_string((now_ms - std::min(now_ms, since_ms)) / 1000);
    };
    const std::string multi =
        client.in_multi ? std::to_string(client.queued.size()) : std::string("-1");
    const Bytes command = client.last_command.full_name();
    const auto subscribed = [&](ChannelSpace space) {
        return std::to_string(client.subscriptions.count(space));
    };
    return "id=" + std::to_string(client.order.id) + " addr=" + client.address +
           " laddr=" + client.local_address + " fd=0 name=" + client.name +
           " age=" + seconds(client.created_ms) + " idle=" + seconds(client.active_ms) +
           " flags=" + flags_of(client) + " db=0 sub=" + subscribed(ChannelSpace::plain) +
           " psub=" + subscribed(ChannelSpace::pattern) +
           " ssub=" + subscribed(ChannelSpace::shard) + " multi=" + multi +
           " qbuf=" + std::to_string(client.input_bytes) +
           " qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0"
           " omem=" +
           std::to_string(client.output_bytes) +
           " tot-mem=" + std::to_string(client.input_bytes + client.output_bytes) +
           " events=r cmd=" + (command.empty() ? "NULL" : command) +
           " user=" + (client.user ? client.user->name() : Bytes("default")) +
           " redir=-1 resp=" + std::to_string(client.protocol);
}

std::span<const Command> client_subcommands() {
    return subcommands;
}

}  // namespace syncline
