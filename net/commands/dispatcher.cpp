#include "net/commands/dispatcher.hpp"

#include <utility>

#include "core/base/limits.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

/// How much of a request an error about an unknown command repeats, as in Redis.
constexpr std::size_t shown_bytes_max = 128;
/// How long a sliced command may hold the loop before others have their turn.
constexpr std::uint64_t slices_first_ms = 20;

Bytes unknown_command(const Arguments& arguments) {
    Bytes shown;
    for (std::size_t i = 1; i < arguments.size() && shown.size() < shown_bytes_max; ++i) {
        const std::size_t room = shown_bytes_max - shown.size();
        shown += "'" + arguments[i].substr(0, room) + "' ";
    }
    return "ERR unknown command '" + arguments[0].substr(0, shown_bytes_max) +
           "', with args beginning with: " + shown;
}

Bytes unknown_subcommand(const Command& container, BytesView name) {
    Bytes upper(container.name);
    for (char& byte : upper) {
        if (byte >= 'a' && byte <= 'z') byte = static_cast<char>(byte - 'a' + 'A');
    }
    return "ERR unknown subcommand '" + Bytes(name.substr(0, shown_bytes_max)) + "'. Try " + upper +
           " HELP.";
}

Bytes wrong_arity(const CommandName& name) {
    return "ERR wrong number of arguments for '" + name.full_name() + "' command";
}

}  // namespace

CommandName Dispatcher::look_up(const Arguments& arguments, Bytes& error) const {
    const CommandName name = find_requested(arguments);
    if (name.command == nullptr) {
        error = name.parent == nullptr ? unknown_command(arguments)
                                       : unknown_subcommand(*name.parent, arguments[1]);
        return {};
    }
    if (!name.command->takes(arguments.size()) || name.command->handler == nullptr) {
        error = wrong_arity(name);
    }
    return name;
}

Bytes Dispatcher::reason_against(const CommandName& name) const {
    const Replica* const replica = host_.replica();
    if (replica == nullptr) {
        return name.command->has(command_flag::loading) ? Bytes() : Bytes(error_text::loading);
    }
    if (name.command->has(command_flag::write) && replica->primary_backup().read_only()) {
        return error_reply(replica->primary_backup().read_only_error());
    }
    if (name.command->has(command_flag::denyoom)) {
        const std::optional<Error> refused = replica->refuses_growth();
        if (refused) return error_reply(*refused, replica);
    }
    return {};
}

void Dispatcher::run(ClientState& client, Arguments arguments) {
    run_request(client, std::move(arguments));
    serve_blocked();
}

void Dispatcher::run_request(ClientState& client, Arguments arguments) {
    SYNCLINE_ASSERT(!client.sliced && !client.parked && !arguments.empty());
    if (wait_for_demand(client, arguments)) return;
    if (client.unanswered > 0) --client.unanswered;
    if (client.counted) ++host_.figures().commands_processed;
    const std::uint64_t start_us = host_.env().clock.steady_us();
    client.active_ms = start_us / 1000;
    Bytes error;
    const CommandName name = look_up(arguments, error);
    if (error.empty()) {
        client.last_command = name;
        error = access_refusal(client, name, arguments);
        if (error.empty()) error = refusal_while_listening(client, name);
        if (error.empty()) {
            error = reason_against(name);
        } else if (name.command->name == "exec") {
            end_multi(client);
        }
    }
    if (!error.empty()) {
        client.multi_failed = client.in_multi;
        if (client.counted) host_.observation().statistics.reject(name);
        refuse(client, error);
    } else if (client.in_multi && !name.command->has(command_flag::at_once)) {
        enqueue(client, name, std::move(arguments));
    } else if (name.command->has(command_flag::sliced)) {
        client.sliced = ClientState::Sliced{name, std::move(arguments), 0};
        resume(client, slices_first_ms);
    } else {
        run_now(client, name, arguments, start_us);
    }
}

void Dispatcher::resume(ClientState& client, std::uint64_t budget_ms) {
    Clock& clock = host_.env().clock;
    const std::uint64_t start_us = clock.steady_us();
    while (client.sliced) {
        ClientState::Sliced& sliced = *client.sliced;
        const auto body = [&](CommandContext& context) {
            context.slice = sliced.next;
            return sliced.name.command->handler(context);
        };
        const Result<std::size_t> replied = execute(client, sliced.arguments, body);
        const bool over = !replied || *replied > 0;
        if (!replied) refuse(client, error_reply(replied.error(), host_.replica()));
        const std::uint64_t took_us = clock.steady_us() - start_us;
        if (over || ++sliced.next == slices_count) {
            note_call(client, sliced.name, sliced.arguments, sliced.took_us + took_us,
                      !replied || failed_);
            client.sliced.reset();
            release_messages();
        } else if (took_us >= budget_ms * 1000) {
            sliced.took_us += took_us;
            return;
        }
    }
}

void Dispatcher::resume_decision(ClientState& client) {
    const Replica* const replica = host_.replica();
    if (replica == nullptr) return;
    if (replica->primary_backup().standing() || replica->membership().deciding()) return;
    run_now(client, client.last_command, {client.last_command.full_name()},
            host_.env().clock.steady_us());
}

void Dispatcher::run_now(ClientState& client, const CommandName& name, const Arguments& arguments,
                         std::uint64_t start_us) {
    const std::size_t staged = host_.pubsub().staged_count();
    const Result<std::size_t> replied = execute(client, arguments, name.command->handler);
    if (!replied) {
        host_.pubsub().unstage(staged);
        refuse(client, error_reply(replied.error(), host_.replica()));
    }
    note_call(client, name, arguments, host_.env().clock.steady_us() - start_us,
              !replied || failed_);
    release_messages();
    if (client.blocked && client.blocked->place == 0) {
        client.blocked->name = name;
        interest_.block(client);
    }
}

void Dispatcher::end_multi(ClientState& client) {
    client.leave_multi();
    interest_.unwatch(client);
}

void Dispatcher::serve_blocked() {
    if (interest_.blocked_count() == 0) return;
    if (host_.replica() != nullptr && host_.replica()->primary_backup().read_only()) {
        for (ClientState* const client : interest_.blocked()) {
            Bytes reply;
            RespWriter(reply, client->protocol)
                .error(
                    "UNBLOCKED force unblock from blocking operation, this replica takes no "
                    "writes any more");
            end_blocked(*client, reply);
        }
    }
    while (ClientState* const client = interest_.take_ready()) run_blocked(*client);
    const std::uint64_t now_ms = host_.env().clock.steady_ms();
    while (ClientState* const client = interest_.take_late(now_ms)) {
        Bytes reply;
        RespWriter(reply, client->protocol).null_array();
        end_blocked(*client, reply);
    }
}

/// Where it produces no reply it stays as it is.
void Dispatcher::run_blocked(ClientState& client) {
    const ClientState::Blocked& wait = *client.blocked;
    if (wait.reply) return end_blocked(client, Bytes(*wait.reply));
    Bytes error = reason_against(wait.name);
    if (error.empty()) {
        const auto body = [&](CommandContext& context) {
            context.resumed = true;
            return wait.name.command->handler(context);
        };
        const std::size_t staged = host_.pubsub().staged_count();
        const Result<std::size_t> replied = execute(client, wait.arguments, body);
        if (replied && *replied == 0) return;
        if (!replied) {
            host_.pubsub().unstage(staged);
            error = error_reply(replied.error(), host_.replica());
        }
        release_messages();
    }
    interest_.unblock(client);
    client.parked = false;
    if (!error.empty()) refuse(client, error);
    host_.unblocked(client);
}

void Dispatcher::end_blocked(ClientState& client, const Bytes& reply) {
    SYNCLINE_ASSERT(client.blocked && client.parked);
    interest_.unblock(client);
    complete(client, reply);
    host_.unblocked(client);
}

void Dispatcher::enqueue(ClientState& client, const CommandName& name, Arguments arguments) {
    for (const Bytes& argument : arguments) client.queued_bytes += argument.size();
    if (client.queued_bytes > limits::request_bytes_max) {
        client.multi_failed = true;
        refuse(client, "ERR too much is queued in this transaction");
        return;
    }
    client.queued.push_back(ClientState::Queued{name, std::move(arguments)});
    answer(client, "+QUEUED\r\n");
}

void Dispatcher::refuse(ClientState& client, BytesView error) {
    note_error(error);
    Bytes bytes;
    RespWriter(bytes, client.protocol).error(error);
    answer(client, bytes);
}

/// A reply of no bytes keeps its place among those that the client is owed.
void Dispatcher::answer(ClientState& client, const Bytes& bytes) {
    send(client, client.muted() ? Bytes() : bytes);
}

/// Bytes that depend on no data still go through the replica, which keeps them behind the replies
/// that this client is waiting for.
void Dispatcher::send(ClientState& client, const Bytes& bytes) {
    Replica* const replica = host_.replica();
    if (replica == nullptr) {
        direct_.push_back(Reply{client.order.id, bytes});
    } else if (!replica->execute(client.order,
                                 [&](Transaction&) -> Result<Bytes> { return bytes; })) {
        return;  // the replica has failed; the server is about to stop
    }
    ++client.owed;
    client.output_bytes += bytes.size();
}

Result<std::size_t> Dispatcher::execute(ClientState& client, const Arguments& arguments,
                                        const Body& body) {
    std::size_t produced = 0;
    std::size_t kept = 0;
    const auto run_body = [&](Transaction* transaction) -> Result<Bytes> {
        Bytes bytes;
        RespWriter reply(bytes, client.protocol);
        CommandContext context{arguments, client, host_, reply, bytes, transaction, *this};
        if (const Result<void> done = body(context); !done) {
            // With changes staged the whole must be dropped; else what was seen counts, as ever.
            if (transaction != nullptr && !transaction->empty()) return done.error();
            bytes.clear();
            reply.error(error_reply(done.error()));
        }
        host_.config().keyspace_events().note(arguments);
        failed_ = !bytes.empty() && bytes[0] == '-';
        if (failed_) note_error(bytes);
        produced = bytes.size();
        if (client.muted() && !context.pushes) bytes.clear();
        kept = bytes.size();
        return bytes;
    };
    host_.config().keyspace_events().forget_notes();
    if (Replica* const replica = host_.replica(); replica != nullptr) {
        const std::uint64_t events = replica->stats().events_local;
        SYNCLINE_CHECK(replica->execute(
            client.order, [&](Transaction& transaction) { return run_body(&transaction); }));
        if (replica->stats().events_local > events) {
            const Actor actor = replica->actor();
            client.written = Dot{actor, replica->group().vv().counter(actor)};
        }
    } else {
        SYNCLINE_TRY(Bytes bytes, run_body(nullptr));
        direct_.push_back(Reply{client.order.id, std::move(bytes)});
    }
    ++client.owed;
    client.output_bytes += kept;
    return produced;
}

Result<void> Dispatcher::run_inside(const CommandName& name, const CommandContext& outer,
                                    const Arguments& arguments, Bytes& out) {
    Bytes bytes;
    RespWriter reply(bytes, outer.client.protocol);
    CommandContext context{arguments, outer.client, host_, reply, bytes, outer.transaction, *this};
    context.in_exec = true;
    if (const Bytes refusal = refusal_in_exec(outer.client, name, arguments); !refusal.empty()) {
        note_error(refusal);
        RespWriter(out, outer.client.protocol).error(refusal);
        return {};
    }
    const std::uint64_t start_us = host_.env().clock.steady_us();
    const Result<void> done = name.command->handler(context);
    if (!done) {
        const Code code = done.error().code;
        if (code == Code::io || code == Code::corrupt || code == Code::no_space) return done;
        bytes.clear();
        RespWriter(bytes, outer.client.protocol).error(error_reply(done.error()));
    }
    host_.config().keyspace_events().note(arguments);
    const bool failed = !bytes.empty() && bytes[0] == '-';
    if (failed) note_error(bytes);
    note_call(outer.client, name, arguments, host_.env().clock.steady_us() - start_us, failed);
    out += bytes;
    return {};
}

void Dispatcher::complete(ClientState& client, const Bytes& reply) {
    SYNCLINE_ASSERT(client.parked);
    client.parked = false;
    if (!reply.empty() && reply[0] == '-') note_error(reply);
    answer(client, reply);
}

std::vector<Reply> Dispatcher::take_replies() {
    return std::exchange(direct_, {});
}

}  // namespace syncline
