#include "core/protocol/membership.hpp"

#include <algorithm>

#include "core/base/log.hpp"
#include "core/base/mutation.hpp"
#include "core/engine/sealed_file.hpp"
#include "core/protocol/membership_messages.hpp"

namespace syncline {
namespace {

/// Of the file "membership".
constexpr std::uint64_t membership_version = 1;
const char* const membership_file_name = "membership";
/// Messages of a round are repeated after so long.
constexpr std::uint64_t resend_ms = 200;
/// A change that is not decided by then is given up. It may be decided all the same, later.
constexpr std::uint64_t change_ms_max = 5000;
/// Whoever was refused waits up to so long, and twice as long each time: two that propose at once
/// must not refuse each other again and again.
constexpr std::uint64_t fall_back_ms = 200;
constexpr unsigned fall_backs_doubled_max = 3;

/// Who must agree that one record follows the other. Nobody speaks for founders but themselves.
std::vector<caspaxos::Quorum> quorums_of(const MembershipRecord& base,
                                         const MembershipRecord& next) {
    using caspaxos::Quorum;
    if (base.epoch == 0) return {Quorum::all(next.voters())};
    return {Quorum::majority(base.voters()), Quorum::majority(next.voters())};
}

}  // namespace

Membership::Membership(const Identity& identity, Disk& disk, Random& random)
    : identity_(identity), disk_(disk), random_(random) {}

Result<std::unique_ptr<Membership>> Membership::open(const Identity& identity, Disk& disk,
                                                     Random& random) {
    std::unique_ptr<Membership> self(new Membership(identity, disk, random));  // private
    SYNCLINE_CHECK(self->load());
    return self;
}

// --- The file

Result<void> Membership::load() {
    SYNCLINE_TRY(const std::optional<Bytes> body,
                 read_sealed_file(disk_, membership_file_name, limits::frame_bytes_max));
    if (!body) return {};
    SYNCLINE_TRY(std::optional<Stored> stored, decode(*body));
    if (stored) stored_ = std::move(*stored);
    last_number_ = stored_.acceptance.promised.number;
    return {};
}

Result<void> Membership::commit(Stored next) {
    SYNCLINE_CHECK(replace_sealed_file(disk_, membership_file_name, encode(next)));
    if (next.record != stored_.record) changed_ = true;
    stored_ = std::move(next);
    last_number_ = std::max(last_number_, stored_.acceptance.promised.number);
    return {};
}

Bytes Membership::encode(const Stored& stored) const {
    Bytes body;
    Packer out(body);
    out.array(11);
    out.uint(membership_version);
    out.bin(to_bytes(identity_.cluster));
    pack(out, stored.record);
    out.boolean(stored.was_member);
    pack(out, stored.acceptance.promised);
    pack(out, stored.acceptance.accepted);
    out.bin(stored.acceptance.value);
    return body;
}

/// Nothing: the file is of another cluster, in which this directory once was to be.
Result<std::optional<Membership::Stored>> Membership::decode(BytesView body) const {
    Unpacker in(body);
    in.array_of(11);
    if (const std::uint64_t version = in.uint(); in.ok() && version != membership_version) {
        return file_version_error(membership_file_name, version, membership_version);
    }
    const BytesView cluster = in.bin();
    Stored stored;
    stored.record = unpack_membership(in);
    stored.was_member = in.boolean();
    stored.acceptance.promised = unpack_ballot(in);
    stored.acceptance.accepted = unpack_ballot(in);
    stored.acceptance.value = Bytes(in.bin());
    if (!in.done()) return damaged_file(membership_file_name);
    if (cluster != to_bytes(identity_.cluster)) return std::optional<Stored>();
    return std::optional(std::move(stored));
}

// --- What it means

Membership::Standing Membership::standing() const {
    if (!on()) return Standing::open;
    const ClusterMember* const self = record().find(identity_.node);
    if (self == nullptr) {
        const bool was = stored_.was_member || record().find_former(identity_.node) != nullptr;
        return was ? Standing::former : Standing::applicant;
    }
    switch (self->state) {
        case MemberState::joining:
            return Standing::joining;
        case MemberState::active:
            return Standing::active;
        case MemberState::leaving:
            break;
    }
    return Standing::leaving;
}

Result<void> Membership::check_writer() const {
    switch (standing()) {
        case Standing::open:
            if (heard_ == 0) return {};
            return Error{Code::unavailable,
                         "the replica is new, and has not yet heard who the members are"};
        case Standing::active:
            return {};
        case Standing::applicant:
            return Error{Code::unavailable,
                         "the replica is no member of the cluster; a member lets it in with: "
                         "syncline cluster apply join " +
                             printable(identity_.name)};
        case Standing::joining:
            return Error{Code::unavailable,
                         "the replica is joining, and has not yet what the others have"};
        case Standing::leaving:
            if (mutated(Mutation::leaving_writes)) return {};
            return Error{Code::unavailable, "the replica is leaving the cluster"};
        case Standing::former:
            break;
    }
    return Error{Code::unavailable, "the replica is no member of the cluster any more (epoch " +
                                        std::to_string(epoch()) +
                                        "); stop it, and begin anew with: syncline cluster rejoin"};
}

bool Membership::is_quarantined(const Dot& dot) const {
    const std::vector<FormerMember>& formers = record().formers;
    return std::any_of(formers.begin(), formers.end(), [&](const FormerMember& former) {
        return former.final_vv && node_id_of(former.uuid) == dot.actor.node &&
               !former.final_vv->covers(dot);
    });
}

bool Membership::has_quarantined(const VersionVector& vv) const {
    return std::any_of(vv.entries().begin(), vv.entries().end(), [&](const auto& entry) {
        return is_quarantined(Dot{entry.first, entry.second});
    });
}

Result<void> Membership::check_peer(const Uuid& peer, const VersionVector& vv) const {
    if (record().find_former(peer) != nullptr || !has_quarantined(vv)) return {};
    return Error{Code::unauthorized,
                 "the peer holds transactions of a replica that is no member any more, which no "
                 "member has: it must begin anew with an empty directory"};
}

bool Membership::admits(const Uuid& peer) const {
    if (!on() || mutated(Mutation::no_eviction)) return true;
    return record().find(identity_.node) != nullptr && record().find(peer) != nullptr;
}

/// Nothing: what is known is as new.
Result<std::optional<Membership::Stored>> Membership::with(const MembershipRecord& record) const {
    const bool other = record.founding != stored_.record.founding ||
                       (record.epoch == epoch() && record != stored_.record);
    if (on() && record.epoch > 0 && other) {
        return Error{Code::conflict,
                     "the peer has another membership record of epoch " +
                         std::to_string(record.epoch) +
                         ": two clusters were founded, and one of them must begin anew"};
    }
    if (record.epoch <= epoch()) return std::optional<Stored>();
    Stored next = stored_;
    next.record = record;
    next.was_member = next.was_member || record.find(identity_.node) != nullptr;
    // What was accepted for this record, or one before it, is decided.
    const Result<MembershipRecord> accepted = decode_membership(next.acceptance.value);
    if (accepted && accepted->epoch <= record.epoch) {
        next.acceptance.accepted = {};
        next.acceptance.value.clear();
    }
    return std::optional(std::move(next));
}

Result<bool> Membership::learn(const MembershipRecord& record) {
    SYNCLINE_TRY(std::optional<Stored> next, with(record));
    if (!next) return false;
    SYNCLINE_CHECK(commit(std::move(*next)));
    known_to_.clear();
    log(LogLevel::info, "membership.epoch",
        {{"epoch", std::to_string(epoch())}, {"members", std::to_string(record.members.size())}});
    // What was to follow an older record follows nothing any more.
    if (change_ && change_->base.epoch < epoch()) {
        // Others may have finished it.
        const Result<MembershipRecord> wanted = apply_step(change_->base, change_->step);
        const bool done = wanted && *wanted == record;
        if (done) {
            // Who has voted itself out must not be taken away as the only one that knows.
            const bool gone = standing() == Standing::former;
            if (gone && change_->asker == Asker::somebody) departure_ms_ = change_->deadline_ms;
            change_.reset();
        } else {
            give_up("the record has changed meanwhile (epoch " + std::to_string(epoch()) +
                    "): look at it, and plan again");
        }
    }
    return true;
}

// --- Acceptor

Result<Promise> Membership::on_prepare(const Prepare& request) {
    Stored next = stored_;
    Promise promise;
    promise.ballot = request.ballot;
    // Of another epoch: one side has to learn the record first, which goes another way.
    if (request.epoch == epoch() && next.acceptance.prepare(request.ballot)) {
        promise.granted = true;
        if (next.acceptance != stored_.acceptance) SYNCLINE_CHECK(commit(std::move(next)));
    }
    promise.epoch = epoch();
    promise.promised = stored_.acceptance.promised;
    promise.accepted = stored_.acceptance.accepted;
    promise.value = stored_.acceptance.value;
    return promise;
}

Result<Accepted> Membership::on_accept(const Accept& request, const std::vector<Uuid>& met) {
    Accepted answer;
    answer.ballot = request.ballot;
    if (request.base.epoch > epoch()) SYNCLINE_CHECK(learn(request.base));
    Stored next = stored_;
    const auto forgotten = std::find_if(met.begin(), met.end(), [&](const Uuid& peer) {
        return request.base.epoch == 0 && request.next.find(peer) == nullptr;
    });
    if (request.base.epoch == epoch() && request.base != stored_.record) {
        answer.reason = "there is another record of epoch " + std::to_string(epoch());
    } else if (forgotten != met.end()) {
        answer.reason = "a connected replica was left out: " + to_string(*forgotten);
    } else if (request.base.epoch == epoch() &&
               next.acceptance.accept(request.ballot, encode_membership(request.next))) {
        answer.granted = true;
        if (next.acceptance != stored_.acceptance) SYNCLINE_CHECK(commit(std::move(next)));
    }
    answer.epoch = epoch();
    answer.promised = stored_.acceptance.promised;
    return answer;
}

// --- Proposer

Result<void> Membership::propose(MembershipStep step, std::uint64_t epoch, Asker asker,
                                 std::uint64_t now_ms) {
    SYNCLINE_CHECK(check_epoch(epoch));
    // What this replica tries by itself, again and again, keeps nobody waiting.
    if (change_ && asker == Asker::somebody && change_->asker == Asker::self) change_.reset();
    if (change_) {
        return Error{Code::unavailable, "a change is under way: " + describe_change()};
    }
    SYNCLINE_CHECK(apply_step(record(), step));
    if (asker == Asker::somebody) {
        failure_.clear();
        decided_alone_ = false;
    }
    change_ =
        Change{std::move(step), asker, record(), std::nullopt, false, 0, now_ms + change_ms_max, 0};
    return begin_round(now_ms);
}

Result<void> Membership::check_epoch(std::uint64_t epoch) const {
    if (epoch == this->epoch()) return {};
    return Error{Code::conflict, "the record is of epoch " + std::to_string(this->epoch()) +
                                     ", and not of " + std::to_string(epoch) +
                                     ": look at it, and plan again"};
}

Result<void> Membership::begin_round(std::uint64_t now_ms) {
    SYNCLINE_TRY(const MembershipRecord next, apply_step(change_->base, change_->step));
    std::vector<caspaxos::Quorum> preparers = quorums_of(change_->base, next);
    change_->finishes = false;
    if (run_ == 0) run_ = random_.next();
    change_->round.emplace(caspaxos::Ballot{++last_number_, identity_.node, run_},
                           std::move(preparers));
    return send_round(now_ms);
}

/// To all who have not answered; this replica answers itself.
Result<void> Membership::send_round(std::uint64_t now_ms) {
    change_->again_ms = now_ms + resend_ms;
    const caspaxos::Ballot ballot = change_->round->ballot();
    const bool preparing = change_->round->phase() == caspaxos::Round::Phase::preparing;
    bool own = false;
    Accept accept{ballot, change_->base, {}};
    if (!preparing) {
        SYNCLINE_TRY(accept.next, decode_membership(change_->round->value()));
    }
    for (const Uuid& voter : change_->round->silent()) {
        if (voter == identity_.node) {
            own = true;
        } else if (preparing) {
            letters_.push_back({voter, Prepare{ballot, change_->base.epoch}});
        } else {
            letters_.push_back({voter, accept});
        }
    }
    if (!own) return {};
    if (preparing) {
        SYNCLINE_TRY(const Promise promise, on_prepare(Prepare{ballot, change_->base.epoch}));
        return on_promise(identity_.node, promise, now_ms);
    }
    SYNCLINE_TRY(const Accepted accepted, on_accept(accept, {}));
    return on_accepted(identity_.node, accepted, now_ms);
}

Result<void> Membership::on_promise(const Uuid& from, const Promise& promise,
                                    std::uint64_t now_ms) {
    const bool asked = change_ && change_->round && promise.ballot == change_->round->ballot();
    if (!asked || promise.epoch != change_->base.epoch) return {};
    if (!promise.granted) {
        fall_back(promise.promised.number, now_ms);
        return {};
    }
    if (!promise.value.empty()) SYNCLINE_CHECK(decode_membership(promise.value));
    change_->round->promised(from, promise.accepted, promise.value);
    if (change_->round->phase() != caspaxos::Round::Phase::prepared) return {};
    SYNCLINE_CHECK(propose_value());
    return send_round(now_ms);
}

/// What was found accepted, or else the change.
Result<void> Membership::propose_value() {
    Change& change = *change_;
    MembershipRecord next;
    change.finishes = false;
    if (!change.round->found().empty()) {
        SYNCLINE_TRY(next, decode_membership(change.round->found()));
        change.finishes = next.epoch == change.base.epoch + 1;
    }
    if (!change.finishes) {
        SYNCLINE_TRY(next, apply_step(change.base, change.step));
    }
    change.round->propose(encode_membership(next), quorums_of(change.base, next));
    return {};
}

Result<void> Membership::on_accepted(const Uuid& from, const Accepted& accepted,
                                     std::uint64_t now_ms) {
    const bool asked = change_ && change_->round && accepted.ballot == change_->round->ballot();
    if (!asked || accepted.epoch != change_->base.epoch) return {};
    if (!accepted.granted) {
        if (!accepted.reason.empty()) {
            give_up("refused: " + printable(accepted.reason));
        } else {
            fall_back(accepted.promised.number, now_ms);
        }
        return {};
    }
    change_->round->accepted(from);
    if (change_->round->phase() != caspaxos::Round::Phase::chosen) return {};
    SYNCLINE_TRY(const MembershipRecord decided, decode_membership(change_->round->value()));
    SYNCLINE_CHECK(learn(decided));
    return {};
}

void Membership::fall_back(std::uint64_t promised_number, std::uint64_t now_ms) {
    last_number_ = std::max(last_number_, promised_number);
    change_->round.reset();
    const unsigned doubled = std::min(change_->refusals++, fall_backs_doubled_max);
    change_->again_ms = now_ms + 1 + random_.below(fall_back_ms << doubled);
}

void Membership::give_up(std::string why) {
    why = describe(change_->step) + ": " + why;
    log(LogLevel::warning, "membership.change_failed", {{"reason", why}});
    if (change_->asker == Asker::somebody) failure_ = std::move(why);
    change_.reset();
}

bool Membership::known_to_majority() const {
    const std::vector<Uuid> voters = record().voters();
    const auto knows = [&](const Uuid& voter) {
        return voter == identity_.node || known_to_.count(voter) > 0;
    };
    const auto known = std::count_if(voters.begin(), voters.end(), knows);
    return static_cast<std::size_t>(known) >= caspaxos::Quorum::majority(voters).needed;
}

void Membership::end_departure(std::uint64_t now_ms) {
    const bool known = known_to_majority();
    if (!known && now_ms < *departure_ms_) return;
    departure_ms_.reset();
    if (known) return;
    decided_alone_ = true;
    failure_ = "it is decided (epoch " + std::to_string(epoch()) +
               "), and too few of the others know it yet: leave this replica running until "
               "they do";
    log(LogLevel::warning, "membership.decided_alone", {{"epoch", std::to_string(epoch())}});
}

Result<void> Membership::tick(std::uint64_t now_ms) {
    if (departure_ms_) end_departure(now_ms);
    if (!change_) return {};
    if (now_ms >= change_->deadline_ms) {
        const bool proposed =
            change_->round && change_->round->phase() == caspaxos::Round::Phase::accepting;
        std::string why = "in time only ";
        why += change_->round ? change_->round->describe() : std::string("others' proposals");
        why += proposed ? " accepted it; it may still be decided, when the others are reached"
                        : " answered";
        give_up(std::move(why));
        return {};
    }
    if (now_ms < change_->again_ms) return {};
    return change_->round ? send_round(now_ms) : begin_round(now_ms);
}

std::string Membership::describe_change() const {
    std::string text = describe(change_->step);
    if (change_->round) text += ": " + change_->round->describe();
    return text;
}

}  // namespace syncline
