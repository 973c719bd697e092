// Who belongs to the cluster, as operators see it: status, a preview of a change, the change.
#include <algorithm>
#include <set>

#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/fields.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;
using Kind = MembershipStep::Kind;

constexpr Kind kinds[] = {Kind::init, Kind::join, Kind::drain, Kind::evict};

std::string standing_name(Membership::Standing standing) {
    switch (standing) {
        case Membership::Standing::open:
            return "open";
        case Membership::Standing::applicant:
            return "applicant";
        case Membership::Standing::joining:
            return "joining";
        case Membership::Standing::active:
            return "active";
        case Membership::Standing::leaving:
            return "leaving";
        case Membership::Standing::former:
            break;
    }
    return "former";
}

std::string shown(const ClusterMember& member) {
    return member.name.empty() ? to_string(member.uuid) : printable(member.name);
}

/// What this replica knows of the others.
class Knowledge {
public:
    explicit Knowledge(const CommandContext& context)
        : replica_(*context.host.replica()), view_(context.host.replication()) {
        for (const PeerStatus& peer : replica_.peers()) {
            if (peer.ready) peers_[peer.uuid] = peer;
        }
    }

    [[nodiscard]] bool connected(const Uuid& uuid) const {
        return uuid == replica_.identity().node || peers_.contains(uuid);
    }
    /// How many transactions of this replica it is not known to have; nothing: it is not heard of.
    [[nodiscard]] std::optional<std::uint64_t> lacks(const Uuid& uuid) const {
        if (uuid == replica_.identity().node) return 0;
        if (const VersionVector* const reported = replica_.reported(uuid)) {
            return reported->lacks(replica_.durable_vv());
        }
        const auto peer = peers_.find(uuid);
        if (peer == peers_.end()) return std::nullopt;
        return peer->second.vv.lacks(replica_.durable_vv());
    }
    /// How old what is known of it is; nothing: it was not here since this replica started.
    [[nodiscard]] std::optional<std::uint64_t> known_ms(const Uuid& uuid) const {
        for (const ReplicationView::Node& node : view_.nodes) {
            if (node.uuid == uuid) return node.known_ms;
        }
        return std::nullopt;
    }

private:
    const Replica& replica_;
    ReplicationView view_;
    std::map<Uuid, PeerStatus> peers_;
};

// --- Status

void reply_member(RespWriter& reply, const Knowledge& known, const ClusterMember& member,
                  BytesView state) {
    reply.map(7);
    field(reply, "name", member.name);
    field(reply, "uuid", to_string(member.uuid));
    field(reply, "address", member.address);
    field(reply, "state", state);
    field(reply, "connected", known.connected(member.uuid) ? 1 : 0);
    field(reply, "lacks_events", known.lacks(member.uuid));
    field(reply, "known_ms", known.known_ms(member.uuid));
}

/// Replicas that are here and no members: those who could found the record, or be let in.
std::vector<ClusterMember> candidates(const Replica& replica) {
    return replica.membership().on() ? replica.applicants() : replica.founders();
}

Result<void> status_command(CommandContext& context) {
    const Replica& replica = *context.host.replica();
    const Membership& membership = replica.membership();
    const MembershipRecord& record = membership.record();
    const Knowledge known(context);
    RespWriter& reply = context.reply;
    reply.map(7);
    field(reply, "epoch", record.epoch);
    field(reply, "standing", standing_name(membership.standing()));
    field(reply, "change", membership.changing() ? membership.describe_change() : std::string());
    field(reply, "failure", membership.failure());
    reply.bulk("members");
    reply.array(record.members.size());
    for (const ClusterMember& member : record.members) {
        reply_member(reply, known, member, to_string(member.state));
    }
    reply.bulk("former");
    reply.array(record.formers.size());
    for (const FormerMember& former : record.formers) {
        reply.map(4);
        field(reply, "name", former.name);
        field(reply, "uuid", to_string(former.uuid));
        field(reply, "state", former.evicted ? "evicted" : "retired");
        field(reply, "last_events", former.final_vv);
    }
    const std::vector<ClusterMember> others = candidates(replica);
    reply.bulk("candidates");
    reply.array(others.size());
    for (const ClusterMember& member : others) reply_member(reply, known, member, "candidate");
    return {};
}

// --- A change

/// The member or candidate of this name. Error invalid_argument.
Result<ClusterMember> find(const std::vector<ClusterMember>& among, BytesView name_or_uuid) {
    std::optional<ClusterMember> found;
    for (const ClusterMember& member : among) {
        if (to_string(member.uuid) == name_or_uuid) return member;
        if (member.name != name_or_uuid) continue;
        if (found) {
            return Error{
                Code::invalid_argument,
                "two replicas are called " + printable(name_or_uuid) + ": say which by its uuid"};
        }
        found = member;
    }
    if (found) return *found;
    return Error{Code::invalid_argument, "no replica here is called " + printable(name_or_uuid)};
}

/// INIT may name the uuids that were planned with: these must be here, and no others.
Result<void> check_founders(const CommandContext& context, std::size_t at,
                            const std::vector<ClusterMember>& founders) {
    if (context.count() == at) return {};
    std::set<Bytes> planned;
    for (; at < context.count(); ++at) planned.insert(context.argument(at));
    std::set<Bytes> here;
    for (const ClusterMember& founder : founders) here.insert(to_string(founder.uuid));
    if (planned == here) return {};
    return Error{Code::invalid_argument, "other replicas are connected than were planned with"};
}

/// "JOIN name" and the like, from argument `at` on. Error invalid_argument.
Result<MembershipStep> step_of(const CommandContext& context, std::size_t at) {
    const Replica& replica = *context.host.replica();
    MembershipStep step;
    const auto* const kind = std::find_if(std::begin(kinds), std::end(kinds), [&](Kind one) {
        return equal_nocase(context.argument(at), to_string(one));
    });
    const bool init = kind != std::end(kinds) && *kind == Kind::init;
    if (kind == std::end(kinds) || (!init && context.count() != at + 2)) {
        return Error{Code::invalid_argument,
                     "a change is one of: INIT, JOIN name, DRAIN name, EVICT name"};
    }
    step.kind = *kind;
    if (init) {
        step.founders = replica.founders();
        SYNCLINE_CHECK(check_founders(context, at + 1, step.founders));
        return step;
    }
    const MembershipRecord& record = replica.membership().record();
    const bool joins = step.kind == Kind::join;
    SYNCLINE_TRY(step.subject,
                 find(joins ? candidates(replica) : record.members, context.argument(at + 1)));
    return step;
}

void reply_refused(CommandContext& context, const Error& error) {
    const bool busy = error.code == Code::unavailable;
    context.reply.error((busy ? "BUSY " : "ERR ") + error.message);
}

std::string count_text(std::uint64_t count, const std::string& what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

/// What the step means for the replica it is about.
void note_subject(const CommandContext& context, const MembershipStep& step, const Knowledge& known,
                  std::vector<std::string>& notes) {
    Replica& replica = *context.host.replica();
    const std::string who = shown(step.subject);
    const Uuid& uuid = step.subject.uuid;
    const std::optional<std::uint64_t> lacks = known.lacks(uuid);
    switch (step.kind) {
        case Kind::init: {
            std::string names;
            for (const ClusterMember& founder : step.founders) {
                names += (names.empty() ? "" : ", ") + shown(founder);
            }
            notes.push_back("the first record, of " + count_text(step.founders.size(), "member") +
                            ": " + names);
            notes.emplace_back(
                "every one of them must agree; from then on no other replica is "
                "heard unless it is let in");
            break;
        }
        case Kind::join:
            notes.push_back(who + " gets what the others have" +
                            (lacks ? " (" + count_text(*lacks, "transaction") + " to go)" : "") +
                            ", and then becomes active by itself");
            notes.emplace_back(
                "until then it takes no writes, and what is removed is collected "
                "nowhere");
            break;
        case Kind::drain:
            notes.push_back(who +
                            " takes no writes from then on, and is retired by itself when "
                            "all others have all of its transactions");
            if (!known.connected(uuid)) {
                notes.push_back(who + " is not connected here: it hears of it when it is back");
            }
            break;
        case Kind::evict:
        case Kind::activate:
        case Kind::retire:
            notes.push_back(who +
                            " is no member from then on: nothing of it is taken, and "
                            "nothing is held back for it");
            if (known.connected(uuid)) {
                notes.push_back(who + " is connected: to drain it would lose nothing");
            } else if (const auto age = known.known_ms(uuid)) {
                notes.push_back(who + " was last heard " + count_text(*age / 1000, "second") +
                                " ago");
            } else {
                notes.push_back(who + " was not heard since this replica started");
            }
            notes.push_back("its transactions that are here: " +
                            std::to_string(VersionVector().lacks(
                                replica.durable_vv().of_node(node_id_of(uuid)))));
            notes.push_back(
                "what it alone has stays in its directory; there `syncline cluster "
                "rejoin` writes that to a file, and makes a new replica");
            break;
    }
}

Result<void> plan_command(CommandContext& context) {
    const Replica& replica = *context.host.replica();
    const MembershipRecord& record = replica.membership().record();
    const Result<MembershipStep> step = step_of(context, 2);
    if (!step) return reply_refused(context, step.error()), Result<void>();
    const Result<MembershipRecord> next = apply_step(record, *step);
    if (!next) return reply_refused(context, next.error()), Result<void>();
    const Knowledge known(context);
    std::vector<std::string> notes;
    note_subject(context, *step, known, notes);
    const std::vector<Uuid> voters = record.epoch == 0 ? next->voters() : record.voters();
    const auto reached_of = [&](const std::vector<Uuid>& some) {
        return static_cast<std::size_t>(std::count_if(
            some.begin(), some.end(), [&](const Uuid& uuid) { return known.connected(uuid); }));
    };
    const std::size_t needed = record.epoch == 0 ? voters.size() : voters.size() / 2 + 1;
    const std::size_t needed_then = next->voters().size() / 2 + 1;
    const std::size_t reached = reached_of(voters);
    const std::size_t reached_then = reached_of(next->voters());
    if (reached_then < needed_then) {
        notes.push_back("not possible now: of those who vote after it " +
                        std::to_string(reached_then) + " can be reached, " +
                        std::to_string(needed_then) + " must agree");
    }
    if (reached < needed) {
        notes.push_back("not possible now: " + std::to_string(reached) + " of " +
                        count_text(voters.size(), "voter") + " can be reached, " +
                        std::to_string(needed) + " must agree; writes go on meanwhile");
    }
    const std::size_t voters_then = next->voters().size();
    if (voters_then < voters.size() && voters_then < 3) {
        notes.push_back("with " + count_text(voters_then, "voter") +
                        " left every further change needs " +
                        (voters_then == 1 ? "that one" : "both"));
    }
    RespWriter& reply = context.reply;
    reply.map(8);
    field(reply, "epoch", record.epoch);
    field(reply, "step", describe(*step));
    field(reply, "possible", reached >= needed && reached_then >= needed_then ? 1 : 0);
    reply.bulk("uuids");  // whom it is about: names may be others' then
    const std::vector<ClusterMember> about =
        step->kind == Kind::init ? step->founders : std::vector<ClusterMember>{step->subject};
    reply.array(about.size());
    for (const ClusterMember& one : about) reply.bulk(to_string(one.uuid));
    field(reply, "voters", voters.size());
    field(reply, "voters_needed", needed);
    field(reply, "voters_reached", reached);
    reply.bulk("notes");
    reply.array(notes.size());
    for (const std::string& note : notes) reply.bulk(note);
    return {};
}

/// The change that this client asked for is decided, or has failed; or still under way: then
/// nothing is replied.
Result<void> reply_decided(CommandContext& context, const Replica& replica) {
    const Membership& membership = replica.membership();
    context.client.awaits_decision = membership.deciding();
    if (membership.deciding()) return {};
    if (membership.failure().empty()) {
        context.reply.integer(static_cast<std::int64_t>(membership.epoch()));
    } else {
        const char* const code = membership.decided_alone() ? "NOTKNOWN " : "NOTDECIDED ";
        context.reply.error(code + membership.failure());
    }
    return {};
}

Result<void> apply_command(CommandContext& context) {
    Replica& replica = *context.host.replica();
    if (context.client.awaits_decision) return reply_decided(context, replica);
    const Result<std::int64_t> epoch = integer_argument(context.argument(2));
    if (!epoch || *epoch < 0) {
        context.reply.error(error_text::not_integer);
        return {};
    }
    const Result<void> same = replica.membership().check_epoch(static_cast<std::uint64_t>(*epoch));
    if (!same) return reply_refused(context, same.error()), Result<void>();
    const Result<MembershipStep> step = step_of(context, 3);
    if (!step) return reply_refused(context, step.error()), Result<void>();
    const Result<void> begun = replica.change_membership(*step, static_cast<std::uint64_t>(*epoch));
    if (!begun) return reply_refused(context, begun.error()), Result<void>();
    return reply_decided(context, replica);
}

constexpr BytesView group = "crdt";
constexpr BytesView since = "0.3.0";

// A row is easier to read in few lines.
// clang-format off
constexpr Command subcommands[] = {
    {"apply", -4, flag::admin | flag::no_multi, {}, group, since,
     "O(N) with N members; waits for their votes",
     "Changes who belongs to the cluster, if the record is still of that epoch", apply_command, {}},
    {"plan", -3, flag::admin, {}, group, since, "O(N) with N members",
     "Tells what a change of the members would mean", plan_command, {}},
    {"status", 2, flag::admin, {}, group, since, "O(N) with N members",
     "Tells who belongs to the cluster", status_command, {}},
};
constexpr Command commands[] = {
    {"crdt.membership", -2, flag::admin, {}, group, since, "Depends on the subcommand",
     "Looks at and changes who belongs to the cluster", nullptr, subcommands},
};
// clang-format on

}  // namespace

std::span<const Command> membership_commands() {
    return commands;
}

void membership_lines(const Replica& replica, InfoLines& lines) {
    const Membership& membership = replica.membership();
    lines.add("membership_epoch", membership.epoch());
    lines.add("membership_standing", standing_name(membership.standing()));
    lines.add("membership_members", membership.record().members.size());
}

}  // namespace syncline
