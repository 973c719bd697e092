#include "core/protocol/primary_backup.hpp"

#include <algorithm>
#include <functional>

#include "core/base/log.hpp"
#include "core/base/mutation.hpp"
#include "core/base/pack.hpp"
#include "core/engine/sealed_file.hpp"

namespace syncline {
namespace {

/// Of the file "term".
constexpr std::uint64_t term_version = 1;
const char* const term_file_name = "term";
constexpr std::size_t term_file_bytes_max = limits::frame_bytes_max;
/// Older suffixes are only told of in the log of the process.
constexpr std::size_t suffixes_max = 64;

}  // namespace

std::string to_string(ReplicationMode mode) {
    return mode == ReplicationMode::multi_master ? "multi-master" : "primary-backup";
}

PrimaryBackup::PrimaryBackup(PrimaryBackupOptions options, const Identity& identity, Disk& disk)
    : options_(std::move(options)), identity_(identity), disk_(disk) {}

Result<std::unique_ptr<PrimaryBackup>> PrimaryBackup::open(PrimaryBackupOptions options,
                                                           const Identity& identity, Disk& disk,
                                                           const VersionVector& vv, Position end) {
    // The constructor is private.
    std::unique_ptr<PrimaryBackup> self(new PrimaryBackup(std::move(options), identity, disk));
    if (!self->on()) return self;
    SYNCLINE_CHECK(self->load());
    SYNCLINE_CHECK(self->strike_lost(vv));
    if (self->options_.founds && self->stored_.term.id.number == 0) {
        Stored first;
        first.term = Term{TermId{1, identity.node}, vv};
        first.confirmed = true;
        first.promised = 1;
        SYNCLINE_CHECK(self->commit(std::move(first)));
    }
    // A primary that was restarted does not know what backups had confirmed.
    if (self->gated() && end > 0) self->pending_.push_back(Pending{end, Dot{}, vv});
    return self;
}

// --- The file

Result<void> PrimaryBackup::load() {
    SYNCLINE_TRY(const std::optional<Bytes> body,
                 read_sealed_file(disk_, term_file_name, term_file_bytes_max));
    if (!body) return {};
    SYNCLINE_TRY(std::optional<Stored> stored, decode(*body));
    if (stored) stored_ = std::move(*stored);
    return {};
}

Result<void> PrimaryBackup::commit(Stored next) {
    SYNCLINE_CHECK(replace_sealed_file(disk_, term_file_name, encode(next)));
    stored_ = std::move(next);
    return {};
}

Bytes PrimaryBackup::encode(const Stored& stored) const {
    Bytes body;
    Packer out(body);
    out.array(9);
    out.uint(term_version);
    out.bin(to_bytes(identity_.cluster));
    out.uint(stored.term.id.number);
    out.bin(to_bytes(stored.term.id.primary));
    pack(out, stored.term.began);
    out.boolean(stored.confirmed);
    out.uint(stored.promised);
    out.array(3 * stored.members.size());
    for (const Member& member : stored.members) {
        out.bin(to_bytes(member.uuid));
        out.bin(member.name);
        out.bin(member.address);
    }
    out.array(1 + 5 * stored.suffixes.size());
    out.boolean(stored.held);
    for (const Suffix& suffix : stored.suffixes) {
        out.uint(suffix.actor.node);
        out.uint(suffix.actor.incarnation);
        out.uint(suffix.first);
        out.uint(suffix.last);
        out.uint(suffix.term);
    }
    return body;
}

/// Nothing: the file is of another cluster, in which this directory once was to be.
Result<std::optional<PrimaryBackup::Stored>> PrimaryBackup::decode(BytesView body) const {
    Unpacker in(body);
    in.array_of(9);
    if (const std::uint64_t version = in.uint(); in.ok() && version != term_version) {
        return file_version_error(term_file_name, version, term_version);
    }
    const BytesView cluster = in.bin();
    Stored stored;
    stored.term.id.number = in.uint();
    SYNCLINE_TRY(stored.term.id.primary, uuid_from(in.bin()));
    stored.term.began = unpack_version_vector(in);
    stored.confirmed = in.boolean();
    stored.promised = in.uint();
    for (std::size_t left = in.array(); left >= 3 && in.ok(); left -= 3) {
        Member member;
        SYNCLINE_TRY(member.uuid, uuid_from(in.bin()));
        member.name = Bytes(in.bin());
        member.address = Bytes(in.bin());
        stored.members.push_back(std::move(member));
    }
    std::size_t left = in.array();
    stored.held = in.boolean();
    for (; left >= 5 && in.ok(); left -= 5) {
        Suffix suffix;
        suffix.actor.node = static_cast<std::uint32_t>(in.uint_at_most(0xffffffff));
        suffix.actor.incarnation = static_cast<std::uint32_t>(in.uint_at_most(0xffffffff));
        suffix.first = in.uint();
        suffix.last = in.uint();
        suffix.term = in.uint();
        stored.suffixes.push_back(suffix);
    }
    if (!in.done()) return damaged_file(term_file_name);
    if (cluster != to_bytes(identity_.cluster)) return std::optional<Stored>();
    return std::optional(std::move(stored));
}

// --- Roles and terms

PrimaryBackup::Role PrimaryBackup::role() const {
    if (!on()) return Role::multi_master;
    const bool own = stored_.confirmed && stored_.term.id.primary == identity_.node;
    return own ? Role::primary : Role::backup;
}

bool PrimaryBackup::admits(const TermId& peer) const {
    return mutated(Mutation::no_fence) || (!candidacy_ && peer == stored_.term.id);
}

const PrimaryBackup::Member* PrimaryBackup::primary() const {
    for (const Member& member : stored_.members) {
        if (member.uuid == stored_.term.id.primary) return &member;
    }
    return nullptr;
}

Error PrimaryBackup::read_only_error() const {
    std::string text = "You can't write against a read only replica.";
    if (const Member* const member = primary()) {
        text += " The primary of term " + std::to_string(stored_.term.id.number) + " is " +
                member->name + " at " +
                (member->address.empty() ? "an unknown address" : member->address) + ".";
    } else {
        text += " No primary is known here.";
    }
    return Error{Code::read_only, std::move(text)};
}

Result<void> PrimaryBackup::adopt(const Term& term, const VersionVector& vv, Position durable) {
    SYNCLINE_ASSERT(term.id > stored_.term.id);
    Stored next = stored_;
    next.term = term;
    next.confirmed = false;
    next.promised = std::max(next.promised, term.id.number);
    note_suffix(next, vv);
    const bool stepped_down = role() == Role::primary;
    if (mutated(Mutation::term_late)) {
        stored_ = std::move(next);
    } else {
        SYNCLINE_CHECK(commit(std::move(next)));
    }
    if (candidacy_) {
        give_up_candidacy("another replica was promoted: " + to_string(term.id.primary));
    }
    log(stepped_down ? LogLevel::warning : LogLevel::info,
        stepped_down ? "term.stepped_down" : "term.adopted",
        {{"term", std::to_string(term.id.number)}, {"primary", to_string(term.id.primary)}});
    begin_gate(vv, durable);
    return {};
}

/// Own events that the new primary did not have. None is ever dropped; this only says which.
void PrimaryBackup::note_suffix(Stored& next, const VersionVector& vv) const {
    for (const auto& [actor, counter] : vv.entries()) {
        if (actor.node != identity_.node_id) continue;
        std::uint64_t known = next.term.began.counter(actor);
        for (const Suffix& noted : next.suffixes) {
            if (noted.actor == actor) known = std::max(known, noted.last);
        }
        if (counter <= known) continue;
        const Suffix suffix{actor, known + 1, counter, next.term.id.number};
        log(LogLevel::warning, "suffix.unreplicated",
            {{"events", std::to_string(suffix.count())},
             {"first", to_string(Dot{actor, suffix.first})},
             {"last", to_string(Dot{actor, suffix.last})},
             {"term", std::to_string(suffix.term)},
             {"policy", options_.hold_suffix ? "hold" : "merge"}});
        next.suffixes.push_back(suffix);
        next.held = next.held || options_.hold_suffix;
    }
    if (next.suffixes.size() > suffixes_max) next.suffixes.erase(next.suffixes.begin());
}

/// Events of the suffix that were not durable yet when power was cut are gone. Their names will be
/// those of other events, which must not pass for noted.
Result<void> PrimaryBackup::strike_lost(const VersionVector& vv) {
    Stored next = stored_;
    for (Suffix& suffix : next.suffixes) {
        suffix.last = std::min(suffix.last, vv.counter(suffix.actor));
    }
    std::erase_if(next.suffixes, [](const Suffix& suffix) { return suffix.last < suffix.first; });
    if (next.suffixes == stored_.suffixes) return {};
    return commit(std::move(next));
}

Result<void> PrimaryBackup::introduce(const Member& member, const VersionVector& durable_vv,
                                      Position durable) {
    if (!on()) return {};
    const auto found = std::find_if(stored_.members.begin(), stored_.members.end(),
                                    [&](const Member& old) { return old.uuid == member.uuid; });
    if (found != stored_.members.end() && *found == member) return {};
    Stored next = stored_;
    const bool was_gated = gated();
    if (found == stored_.members.end()) {
        next.members.push_back(member);
    } else {
        next.members[static_cast<std::size_t>(found - stored_.members.begin())] = member;
    }
    SYNCLINE_CHECK(commit(std::move(next)));
    if (!was_gated && gated()) begin_gate(durable_vv, durable);
    return {};
}

Result<void> PrimaryBackup::forget(BytesView name_or_uuid) {
    Stored next = stored_;
    const auto gone =
        std::remove_if(next.members.begin(), next.members.end(), [&](const Member& member) {
            return member.name == name_or_uuid || to_string(member.uuid) == name_or_uuid;
        });
    if (gone == next.members.end()) {
        return Error{Code::invalid_argument,
                     "no member is called '" + std::string(name_or_uuid) + "'"};
    }
    for (auto it = gone; it != next.members.end(); ++it) holders_.erase(it->uuid);
    next.members.erase(gone, next.members.end());
    SYNCLINE_CHECK(commit(std::move(next)));
    release();
    return {};
}

// --- Promotion

std::size_t PrimaryBackup::replicas_count() const {
    return 1 + std::max<std::size_t>(options_.peers_configured, stored_.members.size());
}

Result<Term> PrimaryBackup::stand(const VersionVector& durable_vv, std::uint64_t deadline_ms) {
    Stored next = stored_;
    next.promised = std::max(next.promised, next.term.id.number) + 1;
    const Term wanted{TermId{next.promised, identity_.node}, durable_vv};
    SYNCLINE_CHECK(commit(std::move(next)));
    candidacy_ = Candidacy{wanted, {identity_.node}, {}, deadline_ms};
    candidacy_failure_.clear();
    return wanted;
}

Result<bool> PrimaryBackup::vote(const Term& wanted, const VersionVector& vv, Position durable) {
    const std::uint64_t promised = mutated(Mutation::vote_twice) ? 0 : stored_.promised;
    if (!on() || wanted.id.number <= std::max(promised, stored_.term.id.number)) return false;
    SYNCLINE_CHECK(adopt(wanted, vv, durable));
    return true;
}

Result<bool> PrimaryBackup::count_vote(const Uuid& peer, const TermId& wanted, bool granted,
                                       const VersionVector& durable_vv, Position durable) {
    if (!candidacy_ || candidacy_->term.id != wanted) return false;
    if (!granted) {
        candidacy_->refusals.insert(peer);
        if (candidacy_->refusals.size() > replicas_count() - majority()) {
            give_up_candidacy("others have promised term " + std::to_string(wanted.number) +
                              " or a higher one to another replica");
        }
        return false;
    }
    candidacy_->votes.insert(peer);
    if (candidacy_->votes.size() < majority()) return false;
    Stored next = stored_;
    next.term = candidacy_->term;
    next.confirmed = true;
    SYNCLINE_CHECK(commit(std::move(next)));
    candidacy_.reset();
    begin_gate(durable_vv, durable);
    return true;
}

Result<void> PrimaryBackup::take_over(const VersionVector& durable_vv, Position durable) {
    Stored next = stored_;
    next.promised = std::max(next.promised, next.term.id.number) + 1;
    next.term = Term{TermId{next.promised, identity_.node}, durable_vv};
    next.confirmed = true;
    SYNCLINE_CHECK(commit(std::move(next)));
    candidacy_.reset();
    candidacy_failure_.clear();
    begin_gate(durable_vv, durable);
    return {};
}

void PrimaryBackup::give_up_candidacy(std::string why) {
    candidacy_.reset();
    candidacy_failure_ = std::move(why);
    log(LogLevel::warning, "promotion.failed", {{"reason", candidacy_failure_}});
}

std::string PrimaryBackup::candidacy_describe() const {
    return std::to_string(candidacy_->votes.size()) + " of " + std::to_string(replicas_count()) +
           " replicas confirmed, " + std::to_string(majority()) + " are needed";
}

// --- Acknowledgement

std::size_t PrimaryBackup::acks_needed() const {
    return options_.acks ? *options_.acks : replicas_count() - 1;
}

/// What a term begins with counts as confirmed: it is what all others will take over.
void PrimaryBackup::begin_gate(const VersionVector& durable_vv, Position durable) {
    pending_.clear();
    holders_.clear();
    released_ = durable;
    released_vv_ = durable_vv;
}

void PrimaryBackup::record_durable(Position end, const Dot& dot,
                                   const std::optional<VersionVector>& barrier) {
    if (gated()) pending_.push_back(Pending{end, dot, barrier});
}

void PrimaryBackup::peer_durable(const Uuid& peer, const VersionVector& vv) {
    if (!gated()) return;
    Holder& holder = holders_[peer];
    holder.vv.join(vv);
    follow(holder);
    release();
}

/// A holder's position is at or behind the beginning of pending_, or the end of one of its records.
void PrimaryBackup::follow(Holder& holder) {
    if (holder.position < released_) {
        if (!holder.vv.covers(released_vv_)) return;
        holder.position = released_;
    }
    auto next = std::upper_bound(
        pending_.begin(), pending_.end(), holder.position,
        [](Position position, const Pending& record) { return position < record.end; });
    for (; next != pending_.end() && next->covered_by(holder.vv); ++next) {
        holder.position = next->end;
    }
}

void PrimaryBackup::release() {
    if (!gated()) return;
    const std::size_t needed = acks_needed();
    if (holders_.size() < needed) return;
    std::vector<Position> positions;
    for (const auto& [uuid, holder] : holders_) positions.push_back(holder.position);
    std::nth_element(positions.begin(), positions.begin() + static_cast<std::ptrdiff_t>(needed - 1),
                     positions.end(), std::greater<>());
    released_ = std::max(released_, positions[needed - 1]);
    while (!pending_.empty() && pending_.front().end <= released_) {
        const Pending& record = pending_.front();
        if (record.barrier) released_vv_.join(*record.barrier);
        if (record.dot.counter > 0) released_vv_.add(record.dot);
        pending_.pop_front();
    }
}

Position PrimaryBackup::released() const {
    return gated() ? released_ : std::numeric_limits<Position>::max();
}

Position PrimaryBackup::held_by(const Uuid& peer) const {
    const auto found = holders_.find(peer);
    return found == holders_.end() ? 0 : found->second.position;
}

Result<void> PrimaryBackup::release_suffix() {
    Stored next = stored_;
    next.held = false;
    return commit(std::move(next));
}

}  // namespace syncline
