// Who may run a request: clients that have not logged in, and the rules of their users.
#include "net/commands/dispatcher.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

using Reason = AccessDenial::Reason;

Bytes refusal_of(const AccessDenial& denial, const CommandName& name) {
    switch (denial.reason) {
        case Reason::none:
            break;
        case Reason::command:
            return "NOPERM this user has no permissions to run the '" + name.full_name() +
                   "' command";
        case Reason::key:
            return "NOPERM this user has no permissions to access one of the keys used as "
                   "arguments";
        case Reason::channel:
            return "NOPERM this user has no permissions to access one of the channels used as "
                   "arguments";
    }
    return {};
}

BytesView change_of(const AccessDenial& denial) {
    switch (denial.reason) {
        case Reason::none:
            break;
        case Reason::command:
            return "can't run this command or subcommand";
        case Reason::key:
            return "can't access at least one of the keys mentioned in the command arguments";
        case Reason::channel:
            return "can't publish to the channel mentioned in the command";
    }
    return {};
}

AccessDenial denial_of(const ClientState& client, const CommandName& name,
                       const Arguments& arguments) {
    if (!client.user || client.user->unrestricted()) return {};
    return client.user->check(name, arguments);
}

}  // namespace

void ClientState::become_default(const AclUsers& users) {
    user = users.default_user();
    logged_in = !users.must_log_in();
}

Bytes Dispatcher::access_refusal(const ClientState& client, const CommandName& name,
                                 const Arguments& arguments) {
    Bytes refusal;
    if (client.must_log_in(host_.users()) && !name.command->has(command_flag::no_auth)) {
        refusal = error_text::not_logged_in;
    } else if (client.in_multi && name.command->has(command_flag::no_multi)) {
        refusal = "ERR Command not allowed inside a transaction";
    } else if (const AccessDenial denial = denial_of(client, name, arguments);
               denial.reason != Reason::none) {
        log_denial(client, name, arguments, denial);
        refusal = refusal_of(denial, name);
    }
    const bool ends_multi = !refusal.empty() && name.command->name == "exec";
    return ends_multi ? "EXECABORT Transaction discarded because of: " + refusal : refusal;
}

Bytes Dispatcher::refusal_in_exec(const ClientState& client, const CommandName& name,
                                  const Arguments& arguments) {
    const AccessDenial denial = denial_of(client, name, arguments);
    if (denial.reason == Reason::none) return {};
    log_denial(client, name, arguments, denial);
    return "NOPERM ACLs rules changed between the moment the transaction was accumulated and the "
           "EXEC call. This command is no longer allowed for the following reason: " +
           Bytes(change_of(denial));
}

void Dispatcher::log_denial(const ClientState& client, const CommandName& name,
                            const Arguments& arguments, const AccessDenial& denial) {
    const bool of_command = denial.reason == Reason::command || denial.index == 0;
    AclLogEntry entry;
    entry.reason = denial.reason == Reason::command ? "command"
                   : denial.reason == Reason::key   ? "key"
                                                    : "channel";
    entry.context = client.in_multi ? "multi" : "toplevel";
    entry.object = of_command ? name.full_name() : arguments[denial.index];
    entry.user = client.user->name();
    log_access(host_, client, std::move(entry));
}

void log_access(CommandHost& host, const ClientState& client, AclLogEntry entry) {
    const Env env = host.env();
    entry.wall_ms = env.clock.wall_ms();
    entry.client = client_line(client, env.clock.steady_ms());
    host.users().log().add(std::move(entry));
}

}  // namespace syncline
