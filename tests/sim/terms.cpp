#include "tests/sim/terms.hpp"

#include <algorithm>

#include "core/protocol/message.hpp"

namespace syncline::sim {
namespace {

std::string to_text(const TermId& term) {
    return std::to_string(term.number) + " of " + to_string(term.primary).substr(0, 8);
}

std::string to_text(Outcome outcome) {
    switch (outcome) {
        case Outcome::done:
            return "done";
        case Outcome::write_unconfirmed:
            return "write unconfirmed";
        case Outcome::read_unconfirmed:
            return "read unconfirmed";
        case Outcome::stepped_down:
            return "stepped down";
    }
    return "unknown";
}

}  // namespace

Terms::Terms(const Plan& plan, Timeline& timeline, Coverage& coverage, const History& history)
    : plan_(plan),
      timeline_(timeline),
      coverage_(coverage),
      history_(history),
      views_(plan.machines()) {}

void Terms::fail(std::size_t replica, const std::string& sentence) {
    timeline_.fail("replica " + std::to_string(replica) + ": " + sentence);
}

Terms::Seen Terms::look(const PrimaryBackup& mode) {
    return Seen{mode.term().id, mode.role(), mode.standing(), mode.suffixes().size(),
                mode.holds_suffix()};
}

std::size_t Terms::needed() const {
    const std::optional<unsigned>& acks = plan_.replica.primary_backup.acks;
    return acks ? *acks : views_.size() - (lost_ ? 2 : 1);
}

/// Backups that hold this event whatever happens to their power.
std::size_t Terms::holders(std::size_t replica, const Dot& dot) const {
    std::size_t count = 0;
    for (std::size_t other = 0; other < views_.size(); ++other) {
        if (other == replica || other == lost_) continue;
        if (history_.durable_vv(other).covers(dot)) ++count;
    }
    return count;
}

// --- Terms

void Terms::opened(std::size_t replica, const Replica& production) {
    if (!on()) return;
    View& view = views_[replica];
    const Seen now = look(production.primary_backup());
    if (now.term < view.seen.term) {
        return fail(replica, "came back in term " + to_text(now.term) + " after it had been in " +
                                 to_text(view.seen.term));
    }
    view.gate = {};
    view.batch.reset();
    view.standing_for.reset();
    const bool primary = now.role == PrimaryBackup::Role::primary;
    if (primary && view.seen.term.number == 0) forced_.insert(now.term);  // the founder
    if (primary) began_to_reign(replica, production);
    view.seen = now;
    view.seen.role = PrimaryBackup::Role::multi_master;  // so that observe() looks at the disk
}

void Terms::observe(std::size_t replica, const Replica& production, const SimDisk& disk) {
    if (!on()) return;
    View& view = views_[replica];
    const Seen now = look(production.primary_backup());
    if (now == view.seen) return;
    timeline_.note("term", replica, now.term.number, [&] {
        return to_text(now.term) +
               (now.role == PrimaryBackup::Role::primary ? ", primary" : ", backup") +
               (now.standing ? ", stands" : "") + (now.held ? ", holds a suffix" : "");
    });
    if (now.term < view.seen.term) {
        return fail(replica,
                    "went from term " + to_text(view.seen.term) + " back to " + to_text(now.term));
    }
    const bool primary = now.role == PrimaryBackup::Role::primary;
    const bool opened = view.seen.role == PrimaryBackup::Role::multi_master;
    if (primary && !opened && (now.term != view.seen.term || now.role != view.seen.role)) {
        view.gate = production.durable_vv();
        ++coverage_.promotions;
        began_to_reign(replica, production);
    }
    if (!opened && now.suffixes > view.seen.suffixes) ++coverage_.suffixes;
    if (!opened && view.seen.role == PrimaryBackup::Role::primary && !primary) {
        ++coverage_.stepped_down;
    }
    if (!primary && now.term != view.seen.term) view.forced = false;
    if (now.held && now != view.seen) note_held(replica, production.primary_backup());
    if (now.term != view.seen.term) check_suffix(replica, production);
    if (!now.held) view.held.clear();
    view.seen = now;
    prove(replica, production, disk, 0);
}

void Terms::began_to_reign(std::size_t replica, const Replica& production) {
    View& view = views_[replica];
    const TermId term = production.primary_backup().term().id;
    if (term.primary != production.identity().node) {
        return fail(replica, "calls itself the primary of the term " + to_text(term));
    }
    if (view.forced && forced_.insert(term).second) ++coverage_.promotions_forced;
    view.forced = false;
    std::set<TermId>& primaries = primaries_[term.number];
    if (!primaries.insert(term).second) return;  // and it came back
    const auto by_vote = std::count_if(primaries.begin(), primaries.end(),
                                       [&](const TermId& id) { return forced_.count(id) == 0; });
    if (by_vote > 1) {
        return fail(replica, "was voted the primary of term " + std::to_string(term.number) +
                                 ", and another was, too");
    }
    const VersionVector& began = production.primary_backup().term().began;
    if (!plan_.replica.primary_backup.acks && !began.covers(acknowledged_)) {
        fail(replica, "began a term with " + to_string(began) + ", but clients were told that " +
                          to_string(acknowledged_) + " is at all replicas");
    }
}

/// Who joins a term names all events that it alone has.
void Terms::check_suffix(std::size_t replica, const Replica& production) {
    const PrimaryBackup& mode = production.primary_backup();
    const auto listed = [&](const Dot& dot) {
        return std::any_of(mode.suffixes().begin(), mode.suffixes().end(), [&](const auto& suffix) {
            return suffix.actor == dot.actor && suffix.first <= dot.counter &&
                   dot.counter <= suffix.last;
        });
    };
    for (const auto& [actor, counter] : history_.vv(replica).entries()) {
        if (history_.replica_of(actor.node) != replica) continue;
        std::uint64_t known = mode.term().began.counter(actor);
        for (std::size_t other = 0; other < views_.size(); ++other) {
            if (other != replica) known = std::max(known, history_.vv(other).counter(actor));
        }
        while (++known <= counter) {
            if (listed(Dot{actor, known})) continue;
            return fail(replica, "joined term " + to_text(mode.term().id) + " without naming " +
                                     to_string(Dot{actor, known}) + ", which it alone has");
        }
    }
}

void Terms::note_held(std::size_t replica, const PrimaryBackup& mode) {
    const TermId term = mode.term().id;
    for (const PrimaryBackup::Suffix& suffix : mode.suffixes()) {
        if (suffix.term != term.number) continue;
        for (std::uint64_t counter = suffix.first; counter <= suffix.last; ++counter) {
            const Dot dot{suffix.actor, counter};
            bool elsewhere = false;
            for (std::size_t other = 0; other < views_.size(); ++other) {
                elsewhere = elsewhere || (other != replica && history_.vv(other).covers(dot));
            }
            if (!elsewhere) views_[replica].held.emplace(dot, term);
        }
    }
}

void Terms::spread(std::size_t replica, const TermId& term, const Dot& dot) {
    const std::size_t origin = history_.replica_of(dot.actor.node);
    Held& held = views_[origin].held;
    const auto found = held.find(dot);
    if (found == held.end()) return;
    if (term < found->second) {
        held.erase(found);  // it was under way already
        return;
    }
    fail(replica, "has event " + to_string(dot) + ", which replica " + std::to_string(origin) +
                      " holds back");
}

/// One vote for each number, for ever.
void Terms::promise(std::size_t replica, const TermId& term) {
    const auto [promise, first] = views_[replica].promised.emplace(term.number, term.primary);
    if (first || promise->second == term.primary) return;
    fail(replica, "gave its vote for term " + std::to_string(term.number) + " to two replicas");
}

void Terms::prove(std::size_t replica, const Replica& production, const SimDisk& disk,
                  std::uint64_t promised) {
    ++coverage_.terms_proved;
    const std::unique_ptr<SimDisk> copy = disk.clone();
    copy->forget_unsynced();
    const PrimaryBackup& mode = production.primary_backup();
    PrimaryBackupOptions options = mode.options();
    options.founds = false;
    const auto found =
        PrimaryBackup::open(options, production.identity(), *copy, history_.vv(replica), 0);
    if (!found) {
        return fail(replica, "its term cannot be read after a power cut: " + found.error().message);
    }
    PrimaryBackup& kept = **found;
    if (kept.term() != mode.term() || kept.role() != mode.role()) {
        return fail(replica, "is in term " + to_text(mode.term().id) +
                                 ", but after a power cut it would be in " +
                                 to_text(kept.term().id) +
                                 (kept.term() == mode.term() ? ", in another role" : ""));
    }
    if (kept.suffixes() != mode.suffixes() || kept.holds_suffix() != mode.holds_suffix()) {
        return fail(replica, "would know other unreplicated events after a power cut");
    }
    const Result<Term> next = kept.stand({}, 0);
    if (!next || next->id.number <= promised) {
        fail(replica, "spoke of term " + std::to_string(promised) +
                          ", and would stand for it again after a power cut");
    }
}

// --- Frames

void Terms::sent(std::size_t replica, const Replica& production, const SimDisk& disk,
                 const Outgoing& frame) {
    if (!on()) return;
    View& view = views_[replica];
    const auto type = static_cast<MessageType>(frame.type);
    if (type == MessageType::vote_request) {
        const TermId wanted =
            std::get<VoteRequest>(*decode_message(frame.type, frame.payload)).term.id;
        if (view.standing_for != wanted) {
            if (view.promised.count(wanted.number) > 0) {
                return fail(replica, "stands for term " + to_text(wanted) + " again");
            }
            view.standing_for = wanted;
        }
        promise(replica, wanted);
        prove(replica, production, disk, wanted.number);
    } else if (type == MessageType::vote) {
        const Vote vote = std::get<Vote>(*decode_message(frame.type, frame.payload));
        if (!vote.granted) return;
        ++coverage_.votes;
        promise(replica, vote.term);
        prove(replica, production, disk, vote.term.number);
    } else if (type == MessageType::session_open) {
        const SessionOpen open = std::get<SessionOpen>(*decode_message(frame.type, frame.payload));
        const auto session = static_cast<std::uint16_t>(open.nonce);
        if (session != view.session) view.session_served_in.reset();
        view.session = session;
    }
}

void Terms::receives(std::size_t replica, std::uint8_t type, const Bytes& payload,
                     const TermId& sent_in) {
    if (!on()) return;
    View& view = views_[replica];
    view.batch.reset();
    const Result<Message> message = decode_message(type, payload);
    if (!message) return;  // was cut short
    if (const auto* batch = std::get_if<LogBatch>(&*message)) {
        view.batch = batch->term;
        if (*view.batch < view.seen.term) ++coverage_.batches_fenced;
    } else if (const auto* opened = std::get_if<SessionOpened>(&*message)) {
        if (opened->session == view.session) view.session_served_in = sent_in;
    }
}

void Terms::applied(std::size_t replica, const Replica& production, const Dot& dot) {
    if (!on()) return;
    const TermId own = production.primary_backup().term().id;
    const std::optional<TermId>& batch = views_[replica].batch;
    if (batch == own) return spread(replica, own, dot);
    fail(replica, "took in event " + to_string(dot) + " of term " +
                      (batch ? to_text(*batch) : "unknown") + " in term " + to_text(own));
}

void Terms::adopted(std::size_t replica, const Replica& production, const VersionVector& vv) {
    if (!on()) return;
    const TermId own = production.primary_backup().term().id;
    const std::optional<TermId>& served_in = views_[replica].session_served_in;
    if (served_in == own) {
        for (std::size_t origin = 0; origin < views_.size(); ++origin) {
            const Held held = views_[origin].held;
            for (const auto& [dot, term] : held) {
                if (vv.covers(dot)) spread(replica, own, dot);
            }
        }
        return;
    }
    fail(replica, "adopted a snapshot of a replica in term " +
                      (served_in ? to_text(*served_in) : "unknown") + " in term " + to_text(own));
}

// --- Clients

void Terms::accepted(std::size_t replica, const Replica& production, const Dot& dot) {
    if (!on()) return;
    const PrimaryBackup& mode = production.primary_backup();
    const TermId term = mode.term().id;
    if (term.number == 0 || term.primary != production.identity().node) {
        return fail(replica, "accepted the write " + to_string(dot) + " in term " + to_text(term) +
                                 ", which is another's");
    }
    if (primaries_[term.number].count(term) == 0) {
        fail(replica, "accepted the write " + to_string(dot) + " in term " + to_text(term) +
                          ", in which it was not promoted");
    }
}

void Terms::refused(std::size_t replica, const Replica& production, const Error& error) {
    const PrimaryBackup& mode = production.primary_backup();
    ++coverage_.writes_refused;
    if (!on() || mode.role() == PrimaryBackup::Role::primary) {
        return fail(replica, "refused a write although it takes writes: " + error.message);
    }
    const TermId term = mode.term().id;
    bool met = false;
    for (const PeerStatus& peer : production.peers()) {
        met = met || (peer.ready && peer.uuid == term.primary);
    }
    if (!met) return;
    const std::string name = "r" + std::to_string(history_.replica_of(node_id_of(term.primary)));
    const std::string expected =
        "The primary of term " + std::to_string(term.number) + " is " + name + " at ";
    if (error.message.find(expected) == std::string::npos) {
        fail(replica, "refused a write without naming " + name + ": " + error.message);
    }
}

void Terms::replied(std::size_t replica, const Replica& production, const Request& request,
                    Outcome outcome) {
    if (!on()) {
        if (outcome != Outcome::done) fail(replica, "a reply in multi-master mode is not done");
        return;
    }
    if (outcome != Outcome::done) {
        ++coverage_.unconfirmed;
        timeline_.note("outcome", replica, static_cast<std::uint64_t>(outcome),
                       [&] { return to_text(outcome); });
        if (request.wrote == (outcome == Outcome::read_unconfirmed)) {
            return fail(replica, "answered a " + std::string(request.wrote ? "write" : "read") +
                                     " with " + to_text(outcome));
        }
        if (needed() == 0 && outcome != Outcome::stepped_down) {
            return fail(replica, "waited for backups that nobody asked for");
        }
        // A shorter time-out than a healthy cluster may need is the plan's choice.
        const bool patient = plan_.replica.primary_backup.ack_timeout_ms >= 5000;
        if (confirmation_expected_ && patient)
            fail(replica, "in peace a reply was " + to_text(outcome));
        return;
    }
    const PrimaryBackup& mode = production.primary_backup();
    const bool same_term =
        mode.role() == PrimaryBackup::Role::primary && mode.term().id == request.term;
    if (!request.wrote && !same_term) return;  // reads of backups promise nothing
    if (!request.wrote) return check_read(replica, request);
    const Dot& dot = request.rests_on.back();
    if (holders(replica, dot) < needed()) {
        return fail(replica, "called write " + to_string(dot) + " done, which is durable at " +
                                 std::to_string(holders(replica, dot)) + " backups, not at " +
                                 std::to_string(needed()));
    }
    acknowledged_.add(dot);
    ++coverage_.confirmed;
}

/// Nothing that a primary shows can be lost with it, but for what its term began with.
void Terms::check_read(std::size_t replica, const Request& request) {
    const auto confirmed = [&](const Dot& dot) {
        return views_[replica].gate.covers(dot) || holders(replica, dot) >= needed();
    };
    for (const Oracle::Ground& ground : request.grounds) {
        const bool item = confirmed(ground.item);
        const std::vector<Dot>& by = ground.ended_by;
        if (by.empty() ? item : !item || std::any_of(by.begin(), by.end(), confirmed)) continue;
        const Dot& dot = by.empty() ? ground.item : by.front();
        return fail(replica, "answered a read by event " + to_string(dot) +
                                 ", which is durable at " + std::to_string(holders(replica, dot)) +
                                 " backups, not at " + std::to_string(needed()));
    }
    ++coverage_.reads_confirmed;
}

void Terms::lost(std::size_t replica) {
    lost_ = replica;
    ++coverage_.machines_lost;
}

}  // namespace syncline::sim
