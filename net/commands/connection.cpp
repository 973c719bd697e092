#include "net/commands/arguments.hpp"
#include "net/commands/dispatcher.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

constexpr BytesView wrong_password =
    "WRONGPASS invalid username-password pair or user is disabled.";
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

/// There are no users yet: the default user has no password, so any will do for it by name.
Result<void> auth_command(CommandContext& context) {
    if (context.count() > 3) {
        context.reply.error(error_text::syntax);
    } else if (context.count() == 2) {
        context.reply.error(
            "ERR AUTH <password> called without any password configured for the default user. "
            "Are you sure your configuration is correct?");
    } else if (context.argument(1) == "default") {
        context.reply.simple("OK");
    } else {
        context.reply.error(wrong_password);
    }
    return {};
}

/// What HELLO asks for besides the protocol.
struct HelloOptions {
    std::optional<Bytes> user;
    std::optional<Bytes> name;
};

/// The options, or the error to reply.
std::optional<HelloOptions> parse_hello(const CommandContext& context, Bytes& error) {
    HelloOptions options;
    for (std::size_t i = 2; i < context.count(); ++i) {
        const std::size_t left = context.count() - i - 1;
        if (equal_nocase(context.argument(i), "auth") && left >= 2) {
            options.user = context.argument(i + 1);
            i += 2;
        } else if (equal_nocase(context.argument(i), "setname") && left >= 1) {
            options.name = context.argument(++i);
        } else {
            error = "ERR Syntax error in HELLO option '" + context.argument(i) + "'";
            return std::nullopt;
        }
    }
    if (options.user && *options.user != "default") error = wrong_password;
    if (error.empty() && options.name && !is_client_name(*options.name)) error = bad_name;
    return error.empty() ? std::optional(options) : std::nullopt;
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
    Bytes error;
    const std::optional<HelloOptions> options = parse_hello(context, error);
    if (!options) {
        context.reply.error(error);
        return {};
    }
    if (options->name) context.client.name = *options->name;
    context.client.protocol = protocol;
    reply_hello(context);
    return {};
}

constexpr BytesView group = "connection";
constexpr unsigned plain = flag::fast | flag::loading;

// A row is easier to read in few lines.
// clang-format off
const Command commands[] = {
    {"auth", -2, plain, {}, group, "1.0.0", "O(1)",
     "Would log in; there are no users in this version", auth_command, {}},
    {"client", -2, flag::loading, {}, group, "2.4.0", "Depends on the subcommand",
     "Looks at and changes connections", nullptr, client_subcommands()},
    {"echo", 2, plain, {}, group, "1.0.0", "O(1)", "Returns its argument", echo_command, {}},
    {"hello", -1, plain, {}, group, "6.0.0", "O(1)", "Chooses the protocol: RESP2 or RESP3",
     hello_command, {}},
    {"ping", -1, plain | flag::while_subscribed, {}, group, "1.0.0", "O(1)",
     "Answers PONG, or its argument", ping_command, {}},
    {"quit", -1, plain | flag::at_once | flag::while_subscribed, {}, group, "1.0.0", "O(1)",
     "Ends the connection after the replies it is owed", quit_command, {}},
    {"reset", 1, plain | flag::at_once | flag::while_subscribed, {}, group, "6.2.0", "O(1)",
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
