// ACL: users and their rules, by command. Replies are those of Redis 7.0.15.
#include <algorithm>

#include "core/base/log.hpp"
#include "net/acl/catalog.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/dispatcher.hpp"
#include "net/commands/table.hpp"
#include "net/peer_auth.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

constexpr std::size_t acl_log_shown = 10;
constexpr std::int64_t password_bits = 256;
constexpr std::int64_t password_bits_max = 4096;

void reply_bad_subcommand(CommandContext& context) {
    context.reply.error("ERR unknown subcommand or wrong number of arguments for '" +
                        context.argument(1) + "'. Try ACL HELP.");
}

// --- Users

bool has_lost_channel(const ClientState& client, const AclUser& user) {
    const auto lost = [&](ChannelSpace space) {
        const bool patterns = space == ChannelSpace::pattern;
        const auto& names = client.subscriptions.names(space);
        return std::any_of(names.begin(), names.end(), [&](const Bytes& name) {
            return std::none_of(user.selectors().begin(), user.selectors().end(),
                                [&](const AclSelector& selector) {
                                    return selector.allows_channel(name, patterns);
                                });
        });
    };
    return lost(ChannelSpace::plain) || lost(ChannelSpace::pattern) || lost(ChannelSpace::shard);
}

/// What is left of it runs no command any more.
void kill_client(CommandContext& context, ClientState& client) {
    client.user = context.host.users().default_user();
    client.logged_in = false;
    if (&client == &context.client) {
        client.closing = true;
    } else {
        context.host.kill(client, true);
    }
}

/// Subscribers who may not be subscribed any more.
void kill_subscribers(CommandContext& context, const AclUser& user) {
    for (ClientState* const client : context.host.clients()) {
        const bool concerned = client->user && client->user->name() == user.name();
        if (concerned && has_lost_channel(*client, user)) kill_client(context, *client);
    }
}

Result<void> setuser_command(CommandContext& context) {
    Bytes error;
    const auto rules = std::span(context.arguments).subspan(3);
    AclUsers& users = context.host.users();
    const std::optional<AclUser> user = users.with_rules(context.argument(2), rules, error);
    if (!user) {
        context.reply.error("ERR " + error);
        return {};
    }
    kill_subscribers(context, *user);
    users.put(*user);
    context.reply.simple("OK");
    return {};
}

Result<void> deluser_command(CommandContext& context) {
    AclUsers& users = context.host.users();
    const auto names = std::span(context.arguments).subspan(2);
    if (std::find(names.begin(), names.end(), "default") != names.end()) {
        context.reply.error("ERR The 'default' user cannot be removed");
        return {};
    }
    std::int64_t removed = 0;
    for (const Bytes& name : names) {
        if (!users.remove(name)) continue;
        ++removed;
        for (ClientState* const client : context.host.clients()) {
            if (client->user && client->user->name() == name) kill_client(context, *client);
        }
    }
    context.reply.integer(removed);
    return {};
}

void reply_selector(RespWriter& reply, const AclSelector& selector) {
    reply.bulk("commands");
    reply.bulk(selector.describe_commands());
    reply.bulk("keys");
    reply.bulk(selector.describe_keys());
    reply.bulk("channels");
    reply.bulk(selector.describe_channels());
}

Result<void> getuser_command(CommandContext& context) {
    const std::shared_ptr<AclUser> user = context.host.users().find(context.argument(2));
    RespWriter& reply = context.reply;
    if (!user) {
        reply.null();
        return {};
    }
    reply.map(6);
    reply.bulk("flags");
    const std::vector<BytesView> flags = user->flags();
    reply.set(flags.size());
    for (const BytesView flag : flags) reply.bulk(flag);
    reply.bulk("passwords");
    reply.array(user->passwords().size());
    for (const Bytes& password : user->passwords()) reply.bulk(password);
    const std::vector<AclSelector>& selectors = user->selectors();
    reply_selector(reply, selectors.front());
    reply.bulk("selectors");
    reply.array(selectors.size() - 1);
    for (std::size_t i = 1; i < selectors.size(); ++i) {
        reply.map(3);
        reply_selector(reply, selectors[i]);
    }
    return {};
}

Result<void> list_command(CommandContext& context) {
    const AclUsers::Users& users = context.host.users().all();
    context.reply.array(users.size());
    for (const auto& [name, user] : users) {
        context.reply.bulk("user " + name + " " + user->describe());
    }
    return {};
}

Result<void> users_command(CommandContext& context) {
    const AclUsers::Users& users = context.host.users().all();
    context.reply.array(users.size());
    for (const auto& [name, user] : users) context.reply.bulk(name);
    return {};
}

Result<void> whoami_command(CommandContext& context) {
    if (context.client.user) {
        context.reply.bulk(context.client.user->name());
    } else {
        context.reply.null();
    }
    return {};
}

// --- Their file

/// Empty: there is none, and the error is written.
std::string users_file(CommandContext& context) {
    std::string path = context.host.config().find("aclfile")->value;
    if (path.empty()) {
        context.reply.error(
            "ERR This Redis instance is not configured to use an ACL file. You may want to "
            "specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming "
            "you have a Redis configuration file set) in order to store users in the Redis "
            "configuration.");
    }
    return path;
}

Result<void> load_command(CommandContext& context) {
    const std::string path = users_file(context);
    if (path.empty()) return {};
    AclUsers& users = context.host.users();
    const Bytes errors = users.load(path);
    if (!errors.empty()) {
        context.reply.error("ERR " + errors);
        return {};
    }
    for (ClientState* const client : context.host.clients()) {
        if (client->user && client->user != users.default_user()) kill_client(context, *client);
    }
    context.reply.simple("OK");
    return {};
}

Result<void> save_command(CommandContext& context) {
    const std::string path = users_file(context);
    if (path.empty()) return {};
    const Result<void> saved = save_users(context.host.users(), path);
    if (saved) {
        context.reply.simple("OK");
        return {};
    }
    log(LogLevel::warning, "acl.save_failed", {{"error", saved.error().message}});
    context.reply.error(
        "ERR There was an error trying to save the ACLs. Please check the server logs for more "
        "information");
    return {};
}

// --- What rules are about

Result<void> cat_command(CommandContext& context) {
    if (context.count() > 3) {
        reply_bad_subcommand(context);
        return {};
    }
    if (context.count() == 2) {
        const std::span<const BytesView> names = acl_category_names();
        context.reply.array(names.size());
        for (const BytesView name : names) context.reply.bulk(name);
        return {};
    }
    const std::optional<std::uint32_t> category = acl_category(context.argument(2));
    if (!category) {
        context.reply.error("ERR Unknown category '" + context.argument(2).substr(0, 128) + "'");
        return {};
    }
    std::vector<Bytes> names;
    const auto add = [&](const CatalogEntry& entry) {
        if ((entry.categories & *category) != 0) names.push_back(entry.name.full_name());
    };
    for (const CatalogEntry& entry : acl_catalog()) {
        add(entry);
        for (const CatalogEntry& subcommand : entry.subcommands) add(subcommand);
    }
    context.reply.array(names.size());
    for (const Bytes& name : names) context.reply.bulk(name);
    return {};
}

/// ACL GENPASS [bits].
Result<void> genpass_command(CommandContext& context) {
    if (context.count() > 3) {
        reply_bad_subcommand(context);
        return {};
    }
    std::int64_t bits = password_bits;
    if (context.count() == 3) {
        SYNCLINE_TRY(bits, integer_argument(context.argument(2)));
    }
    if (bits <= 0 || bits > password_bits_max) {
        context.reply.error(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a "
            "positive number up to 4096");
        return {};
    }
    const auto digits = static_cast<std::size_t>((bits + 3) / 4);
    const Env env = context.host.env();
    context.reply.bulk(
        BytesView(to_hex(random_bytes(env.random, (digits + 1) / 2))).substr(0, digits));
    return {};
}

// --- What was refused

void reply_entry(RespWriter& reply, const AclLogEntry& entry, std::uint64_t now_ms) {
    reply.map(7);
    reply.bulk("count");
    reply.integer(static_cast<std::int64_t>(entry.count));
    reply.bulk("reason");
    reply.bulk(entry.reason);
    reply.bulk("context");
    reply.bulk(entry.context);
    reply.bulk("object");
    reply.bulk(entry.object);
    reply.bulk("username");
    reply.bulk(entry.user);
    reply.bulk("age-seconds");
    reply.real(static_cast<double>(now_ms - std::min(now_ms, entry.wall_ms)) / 1000);
    reply.bulk("client-info");
    reply.bulk(entry.client);
}

/// ACL LOG [count | RESET].
Result<void> log_command(CommandContext& context) {
    if (context.count() > 3) {
        reply_bad_subcommand(context);
        return {};
    }
    AclLog& log = context.host.users().log();
    std::size_t count = acl_log_shown;
    if (context.count() == 3 && equal_nocase(context.argument(2), "reset")) {
        log.clear();
        context.reply.simple("OK");
        return {};
    }
    if (context.count() == 3) {
        SYNCLINE_TRY(const std::int64_t wanted, integer_argument(context.argument(2)));
        count = static_cast<std::size_t>(std::max<std::int64_t>(0, wanted));
    }
    count = std::min(count, log.entries().size());
    const std::uint64_t now_ms = context.host.env().clock.wall_ms();
    context.reply.array(count);
    for (std::size_t i = 0; i < count; ++i) reply_entry(context.reply, log.entries()[i], now_ms);
    return {};
}

/// Why a user lacks what a request needs.
Bytes describe_denial(const AccessDenial& denial, const CommandName& name,
                      std::span<const Bytes> request) {
    if (denial.reason == AccessDenial::Reason::command) {
        return "This user has no permissions to run the '" + name.full_name() + "' command";
    }
    const Bytes object = denial.index == 0 ? Bytes("*") : request[denial.index];
    return "This user has no permissions to access the '" + object + "' " +
           (denial.reason == AccessDenial::Reason::key ? "key" : "channel");
}

/// ACL DRYRUN user command [argument ...].
Result<void> dryrun_command(CommandContext& context) {
    const std::shared_ptr<AclUser> user = context.host.users().find(context.argument(2));
    const auto request = std::span(context.arguments).subspan(3);
    if (!user) {
        context.reply.error("ERR User '" + context.argument(2) + "' not found");
        return {};
    }
    const CommandName name = find_requested(request);
    if (name.command == nullptr) {
        context.reply.error("ERR Command '" + request[0] + "' not found");
        return {};
    }
    if (!name.command->takes(request.size())) {
        reply_wrong_arity(context.reply, name.full_name());
        return {};
    }
    const AccessDenial denial = user->check(name, request);
    if (denial.reason == AccessDenial::Reason::none) {
        context.reply.simple("OK");
    } else {
        context.reply.bulk(describe_denial(denial, name, request));
    }
    return {};
}

Result<void> help_command(CommandContext& context) {
    constexpr BytesView lines[] = {
        "ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CAT [<category>]",
        "    List all commands that belong to <category>, or all command categories",
        "    when no category is specified.",
        "DELUSER <username> [<username> ...]",
        "    Delete a list of users.",
        "DRYRUN <username> <command> [<arg> ...]",
        "    Returns whether the user can execute the given command without executing the "
        "command.",
        "GETUSER <username>",
        "    Get the user's details.",
        "GENPASS [<bits>]",
        "    Generate a secure 256-bit user password. The optional `bits` argument can",
        "    be used to specify a different size.",
        "LIST",
        "    Show users details in config file format.",
        "LOAD",
        "    Reload users from the ACL file.",
        "LOG [<count> | RESET]",
        "    Show the ACL log entries.",
        "SAVE",
        "    Save the current config to the ACL file.",
        "SETUSER <username> <attribute> [<attribute> ...]",
        "    Create or modify a user with the specified attributes.",
        "USERS",
        "    List all the registered usernames.",
        "WHOAMI",
        "    Return the current connection username.",
        "HELP",
        "    Prints this help.",
    };
    reply_help(context.reply, lines);
    return {};
}

constexpr BytesView group = "server";
constexpr unsigned plain = flag::loading;
constexpr unsigned admin = flag::admin | flag::loading;

// A row is easier to read in few lines.
// clang-format off
constexpr Command subcommands[] = {
    {"cat", -2, plain, {}, group, "6.0.0", "O(N) with N commands",
     "Returns the categories of commands, or the commands of one", cat_command, {}},
    {"deluser", -3, admin, {}, group, "6.0.0", "O(N) with N connections",
     "Deletes users and ends their connections", deluser_command, {}},
    {"dryrun", -4, admin, {}, group, "7.0.0", "O(N) with N arguments",
     "Tells whether a user may run a command", dryrun_command, {}},
    {"genpass", -2, plain, {}, group, "6.0.0", "O(1)", "Makes up a password", genpass_command, {}},
    {"getuser", 3, admin, {}, group, "6.0.0", "O(N) with N rules", "Returns the rules of a user",
     getuser_command, {}},
    {"help", 2, plain, {}, group, "6.0.0", "O(1)", "Returns what the subcommands do", help_command,
     {}},
    {"list", 2, admin, {}, group, "6.0.0", "O(N) with N users",
     "Returns all users as lines of their file", list_command, {}},
    {"load", 2, admin, {}, group, "6.0.0", "O(N) with N users", "Reads the file of users again",
     load_command, {}},
    {"log", -2, admin, {}, group, "6.0.0", "O(N) with N entries",
     "Returns what was refused of late", log_command, {}},
    {"save", 2, admin, {}, group, "6.0.0", "O(N) with N users", "Writes the file of users",
     save_command, {}},
    {"setuser", -3, admin, {}, group, "6.0.0", "O(N) with N rules", "Makes or changes a user",
     setuser_command, {}},
    {"users", 2, admin, {}, group, "6.0.0", "O(N) with N users", "Returns the names of all users",
     users_command, {}},
    {"whoami", 2, plain, {}, group, "6.0.0", "O(1)", "Returns the user of this connection",
     whoami_command, {}},
};
constexpr Command commands[] = {
    {"acl", -2, flag::loading, {}, group, "6.0.0", "Depends on the subcommand",
     "Looks at and changes users", nullptr, subcommands},
};
// clang-format on

}  // namespace

std::span<const Command> acl_commands() {
    return commands;
}

}  // namespace syncline
