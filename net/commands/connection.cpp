#include "net/commands/arguments.hpp"
#include "net/commands/dispatcher.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

constexpr BytesView bad_name =
    "ERR Client names cannot contain spaces, newlines or special characters.";

Result<void> ping_command(CommandContext& context) {
    if (context.count() > 2) {
        reply_wrong_arity(context.reply, "ping");
    } else if (context.client.subscriptions.count() > 0 && !context.reply.resp3()) {
        context.reply.array(2);
        context.reply.bulk("pong");
        context.reply.bulk(context.count() == 2 ? context.argument(1) : Bytes());
    } else if (context.count() == 2) {
        context.reply.bulk(context.argument(1));
    } else {
        context.reply.simple("PONG");
    }
    return {};
}

Result<void> echo_command(CommandContext& context) {
    context.reply.bulk(context.argument(1));
    return {};
}

Result<void> quit_command(CommandContext& context) {
    context.client.closing = true;
    context.reply.simple("OK");
    return {};
}

Result<void> reset_command(CommandContext& context) {
    context.dispatcher.end_multi(context.client);
    context.client.demand.reset();
    context.host.forget(context.client);
    context.client.become_default(context.host.users());
    context.client.name.clear();
    context.client.protocol = 2;
    context.client.replies_off = false;
    context.client.unanswered = 0;
    context.reply.simple("RESET");
    return {};
}

Result<void> select_command(CommandContext& context) {
    SYNCLINE_TRY(const std::int64_t database, integer_argument(context.argument(1)));
    if (database == 0) {
        context.reply.simple("OK");
    } else {
        context.reply.error("ERR DB index is out of range");
    }
    return {};
}

/// Logs a connection in. False, and the error is written: the password is wrong, or the user.
bool log_in(CommandContext& context, const Bytes& name, const Bytes& password) {
    std::shared_ptr<AclUser> user = context.host.users().log_in(name, password);
    if (!user) {
        AclLogEntry entry;
        entry.reason = "auth";
        entry.context = context.client.in_multi ? "multi" : "toplevel";
        entry.object = context.argument(0);
        entry.user = name;
        log_access(context.host, context.client, std::move(entry));
        context.reply.error("WRONGPASS invalid username-password pair or user is disabled.");
        return false;
    }
    context.client.user = std::move(user);
    context.client.logged_in = true;
    return true;
}

/// AUTH [user] password.
Result<void> auth_command(CommandContext& context) {
    const bool named = context.count() == 3;
    if (context.count() > 3) {
        context.reply.error(error_text::syntax);
    } else if (!named && context.host.users().default_user()->open()) {
        context.reply.error(
            "ERR AUTH <password> called without any password configured for the default user. "
            "Are you sure your configuration is correct?");
    } else if (log_in(context, named ? context.argument(1) : "default",
                      context.argument(context.count() - 1))) {
        context.reply.simple("OK");
    }
    return {};
}

/// Does what HELLO asks for besides the protocol, one after the other. False, and the error is
/// written: one of them was wrong.
bool take_hello_options(CommandContext& context) {
    for (std::size_t i = 2; i < context.count(); ++i) {
        const std::size_t left = context.count() - i - 1;
        if (equal_nocase(context.argument(i), "auth") && left >= 2) {
            if (!log_in(context, context.argument(i + 1), context.argument(i + 2))) return false;
            i += 2;
        } else if (equal_nocase(context.argument(i), "setname") && left >= 1) {
            if (!is_client_name(context.argument(++i))) {
                context.reply.error(bad_name);
                return false;
            }
            context.client.name = context.argument(i);
        } else {
            context.reply.error("ERR Syntax error in HELLO option '" + context.argument(i) + "'");
            return false;
        }
    }
    if (context.client.logged_in) return true;
    context.reply.error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "AUTH <user> <pass> option can be used to authenticate the client and select the RESP "
        "protocol version at the same time");
    return false;
}

/// In the protocol that was just chosen.
void reply_hello(CommandContext& context) {
    RespWriter reply(context.out, context.client.protocol);
    reply.map(7);
    reply.bulk("server");
    reply.bulk("redis");
    reply.bulk("version");
    reply.bulk(redis_version);
    reply.bulk("proto");
    reply.integer(context.client.protocol);
    reply.bulk("id");
    reply.integer(static_cast<std::int64_t>(context.client.order.id));
    reply.bulk("mode");
    reply.bulk("standalone");
    reply.bulk("role");
    reply.bulk("master");
    reply.bulk("modules");
    reply.array(0);
}

Result<void> hello_command(CommandContext& context) {
    int protocol = context.client.protocol;
    if (context.count() > 1) {
        const std::optional<std::int64_t> wanted = parse_integer(context.argument(1));
        if (!wanted) {
            context.reply.error("ERR Protocol version is not an integer or out of range");
            return {};
        }
        if (*wanted != 2 && *wanted != 3) {
            context.reply.error("NOPROTO unsupported protocol version");
            return {};
        }
        protocol = static_cast<int>(*wanted);
    }
    if (!take_hello_options(context)) return {};
    context.client.protocol = protocol;
    reply_hello(context);
    return {};
}

constexpr BytesView group = "connection";
constexpr unsigned plain = flag::fast | flag::loading;
constexpr unsigned anybody = plain | flag::no_auth;

// A row is easier to read in few lines.
// clang-format off
const Command commands[] = {
    {"auth", -2, anybody, {}, group, "1.0.0", "O(N) with N passwords of the user",
     "Logs in as a user", auth_command, {}},
    {"client", -2, flag::loading, {}, group, "2.4.0", "Depends on the subcommand",
     "Looks at and changes connections", nullptr, client_subcommands()},
    {"echo", 2, plain, {}, group, "1.0.0", "O(1)", "Returns its argument", echo_command, {}},
    {"hello", -1, anybody, {}, group, "6.0.0", "O(1)", "Chooses the protocol: RESP2 or RESP3",
     hello_command, {}},
    {"ping", -1, plain | flag::while_subscribed, {}, group, "1.0.0", "O(1)",
     "Answers PONG, or its argument", ping_command, {}},
    {"quit", -1, anybody | flag::at_once | flag::while_subscribed, {}, group, "1.0.0", "O(1)",
     "Ends the connection after the replies it is owed", quit_command, {}},
    {"reset", 1, anybody | flag::at_once | flag::while_subscribed, {}, group, "6.2.0", "O(1)",
     "Puts the connection back into its first state", reset_command, {}},
    {"select", 2, plain, {}, group, "1.0.0", "O(1)", "Selects the database; there is only 0",
     select_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> connection_commands() {
    return commands;
}

}  // namespace syncline
