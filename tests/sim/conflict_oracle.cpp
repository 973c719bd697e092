#include "tests/sim/conflict_oracle.hpp"

#include <algorithm>

#include "storage/tables.hpp"

namespace syncline::sim {
namespace {

using Name = Oracle::Name;

/// Where a cell's row stands; of a whole key, as type 0 says, before all rows of cells.
Bytes place_of(const Name& name) {
    const bool has_field = name.type != CellType{} && traits_of(name.type).has_fields;
    return encode_row_key(name.key, static_cast<std::uint8_t>(name.type),
                          has_field ? std::optional<BytesView>(name.field) : std::nullopt)
        .bytes;
}

struct Writing {
    Dot dot;
    Hlc hlc;
    std::uint64_t deadline = 0;  ///< compared first; of other values always 0
};

Writing writing(CellType type, const Dot& dot, Hlc hlc, const Bytes& value) {
    if (type != CellType::expiry) return {dot, hlc, 0};
    return {dot, hlc, deadline_number(value)};
}

ConflictKind kind_of_writes(CellType type) {
    return type == CellType::expiry ? ConflictKind::deadline : ConflictKind::write_write;
}

Dot later(const Writing& one, const Writing& other) {
    const bool first = std::tuple(one.deadline, one.hlc, one.dot.actor) >
                       std::tuple(other.deadline, other.hlc, other.dot.actor);
    return first ? one.dot : other.dot;
}

}  // namespace

ConflictOracle::Roles ConflictOracle::roles(const VersionVector& before, const Event& event) const {
    Roles roles;
    for (const Op& op : event.ops) {
        if (const auto* clear = std::get_if<ClearKey>(&op)) {
            for (const auto& [name, cell] : oracle_.rows(before, clear->key)) {
                if (!is_permanent(name.type)) roles[name].removes = true;
            }
        } else if (const auto* buckets = std::get_if<ClearBuckets>(&op)) {
            for (const auto& [name, cell] : oracle_.rows(before)) {
                const std::uint64_t bucket = key_hash(name.key) >> 48;
                if (bucket < buckets->first || bucket > buckets->last) continue;
                if (is_permanent(name.type)) continue;
                roles[name].removes = true;
            }
        } else if (const auto* change_of_cell = std::get_if<CellOp>(&op)) {
            const CellOp& change = *change_of_cell;
            Role& role = roles[Name{change.key, change.type, change.field.value_or(Bytes())}];
            role.writes = role.writes || change.delta.value.has_value();
            if (change.type == CellType::expiry && change.delta.value) {
                role.value = value_text(*change.delta.value, change.type);
            }
            role.removes = role.removes || change.delta.writes_dots;
            role.negates = role.negates || change.delta.negates;
            for (const auto& [actor, entry] : change.delta.counter) {
                const bool own = Dot{actor, entry.last} == event.dot;
                role.increments = role.increments || own;
            }
        }
    }
    return roles;
}

void ConflictOracle::find_beside(const Event& event, const Name& name, const Role& role,
                                 const Expected& cell, Found& found) const {
    const auto put = [&](const Dot& dot, ConflictKind kind, const Dot& winner) {
        Pair pair{name, std::min(dot, event.dot), std::max(dot, event.dot), kind, winner};
        found.emplace(std::tuple(place_of(name), pair.one, pair.other), pair);
    };
    for (const Expected::Value& value : cell.values) {
        if (event.past.covers(value.dot)) continue;
        if (is_signed(name.type) && (role.writes || role.negates)) {
            if (role.negates == value.negative) continue;
            put(value.dot, ConflictKind::remove_add, role.negates ? event.dot : value.dot);
        } else if (value.negative) {
            continue;
        } else if (role.writes) {
            const Writing here = writing(name.type, value.dot, value.hlc, value.bytes);
            put(value.dot, kind_of_writes(name.type),
                later(here, writing(name.type, event.dot, event.hlc, role.value)));
        } else if (role.removes) {
            put(value.dot, ConflictKind::add_remove, value.dot);
        } else if (role.increments) {
            put(value.dot, ConflictKind::reset_inc, event.dot);
        }
    }
    for (const Dot& increment : cell.latest) {
        if (event.past.covers(increment) || !(role.writes || role.removes)) continue;
        put(increment, ConflictKind::reset_inc, increment);
    }
}

void ConflictOracle::find_clashes(const VersionVector& before, const Event& event, const Name& name,
                                  Found& found) const {
    VersionVector after = before;
    after.add(event.dot);
    const auto seen = [&](const Dot& dot) { return event.past.covers(dot) || dot == event.dot; };
    std::map<Bytes, std::pair<Name, Dot>> others;  // by place: first one of each type counts
    for (const auto& [other, cell] : oracle_.live_cells(after, name.key)) {
        if (other.type == name.type || !makes_key(other.type)) continue;
        std::optional<Dot> unseen;
        for (const Dot& dot : cell.latest) {
            if (!seen(dot)) unseen = unseen ? std::min(*unseen, dot) : dot;
        }
        std::optional<Dot> value;
        for (const Expected::Value& candidate : cell.values) {
            if (seen(candidate.dot)) continue;
            value = value ? std::min(*value, candidate.dot) : candidate.dot;
        }
        if (value) unseen = value;
        if (unseen) others.emplace(place_of(other), std::pair(other, *unseen));
    }
    // Rows with short keys come before rows with hashed ones, as a walk over the key meets them:
    // both kinds of place sort that way.
    std::map<CellType, Dot> first;
    for (const auto& [place, other] : others) first.emplace(other.first.type, other.second);
    for (const auto& [type, dot] : first) {
        const Name key{name.key, CellType{}, {}};
        const Pair pair{key, std::min(dot, event.dot), std::max(dot, event.dot),
                        ConflictKind::type_clash, type > name.type ? dot : event.dot};
        found.emplace(std::tuple(place_of(key), pair.one, pair.other), pair);
    }
}

/// A removed generation takes along what was inserted beside the removal.
void ConflictOracle::find_lost_edits(const VersionVector& before, const Event& event,
                                     const Name& name, Found& found) const {
    for (const Expected::Value& made : oracle_.cell(before, name).values) {
        if (!event.past.covers(made.dot)) return;  // it stays
    }
    for (const Dot& edit : oracle_.latest_insertions(before, name.key, name.field)) {
        if (event.past.covers(edit)) continue;
        const Pair pair{name, std::min(edit, event.dot), std::max(edit, event.dot),
                        ConflictKind::edit_remove, event.dot};
        found.emplace(std::tuple(place_of(name), pair.one, pair.other), pair);
    }
}

void ConflictOracle::applied(std::size_t replica, const VersionVector& before, const Event& event) {
    if (event.past.covers(before)) return;
    Found found;
    for (const auto& [name, role] : roles(before, event)) {
        find_beside(event, name, role, oracle_.cell(before, name), found);
        if (name.type == CellType::text && role.removes) {
            find_lost_edits(before, event, name, found);
        }
        const bool adds = makes_key(name.type) && (role.writes || role.increments);
        if (adds) find_clashes(before, event, name, found);
    }
    VersionVector must_cover;
    must_cover.add(event.dot);
    put(replica, found, std::move(must_cover));
}

void ConflictOracle::adopted(std::size_t replica, const VersionVector& before,
                             const VersionVector& peer_vv) {
    Found found;
    const std::map<Name, Expected> there = oracle_.rows(peer_vv);
    for (const auto& [name, mine] : oracle_.rows(before)) {
        const auto other = there.find(name);
        if (other == there.end()) continue;
        const auto put_pair = [&, &cell = name](const Dot& a, const Dot& b, ConflictKind kind,
                                                const Dot& winner) {
            if (peer_vv.covers(a) || before.covers(b)) return;
            const Pair pair{cell, std::min(a, b), std::max(a, b), kind, winner};
            found.emplace(std::tuple(place_of(cell), pair.one, pair.other), pair);
        };
        for (const Expected::Value& a : mine.values) {
            for (const Expected::Value& b : other->second.values) {
                if (is_signed(name.type)) {
                    if (a.negative == b.negative) continue;
                    put_pair(a.dot, b.dot, ConflictKind::remove_add, a.negative ? a.dot : b.dot);
                    continue;
                }
                put_pair(a.dot, b.dot, kind_of_writes(name.type),
                         later(writing(name.type, a.dot, a.hlc, a.bytes),
                               writing(name.type, b.dot, b.hlc, b.bytes)));
            }
            for (const Dot& b : other->second.latest) {
                put_pair(a.dot, b, ConflictKind::reset_inc, b);
            }
        }
        for (const Dot& a : mine.latest) {
            for (const Expected::Value& b : other->second.values) {
                put_pair(a, b.dot, ConflictKind::reset_inc, a);
            }
        }
    }
    put(replica, found, peer_vv);
}

void ConflictOracle::put(std::size_t replica, const Found& found, VersionVector must_cover) {
    if (found.empty()) return;
    Feed& feed = replicas_[replica];
    feed.causes.push_back(Cause{feed.pairs.size(), std::move(must_cover)});
    for (const auto& [place, pair] : found) feed.pairs.push_back(pair);
}

/// What a replica has after a crash is what it had at some earlier time.
void ConflictOracle::recovered(std::size_t replica, const VersionVector& vv) {
    cut(replicas_[replica], vv);
}

ConflictOracle::Feed ConflictOracle::copy(std::size_t replica, const VersionVector& vv) const {
    Feed feed = replicas_[replica];
    cut(feed, vv);
    return feed;
}

void ConflictOracle::cut(Feed& feed, const VersionVector& vv) {
    feed.verified = 0;
    const auto lost = std::find_if(feed.causes.begin(), feed.causes.end(), [&](const Cause& cause) {
        return !vv.covers(cause.must_cover);
    });
    if (lost == feed.causes.end()) return;
    feed.pairs.resize(lost->begin);
    feed.causes.erase(lost, feed.causes.end());
}

std::string ConflictOracle::compare(std::size_t replica, ConflictRing& ring) {
    Feed& feed = replicas_[replica];
    const std::size_t count = feed.pairs.size();
    const auto wrong_count = [&](const char* but, const Pair& pair) {
        return "has " + std::to_string(ring.last()) + " conflicts on record, but history says " +
               std::to_string(count) + but + in_words(pair);
    };
    if (ring.dropped() != ring.first() - 1) {
        return "counts " + std::to_string(ring.dropped()) + " dropped conflicts, but begins with " +
               std::to_string(ring.first());
    }
    ConflictQuery query;
    query.after = feed.verified;
    while (true) {
        const Result<ConflictPage> page = ring.page(query);
        if (!page) return "cannot read its conflicts: " + page.error().message;
        for (const ConflictRecord& record : page->records) {
            if (record.sequence > count) return wrong_count(", without ", pair_of(record));
            const std::string wrong = compare_one(feed.pairs[record.sequence - 1], record);
            if (!wrong.empty()) return wrong;
        }
        checked_ += page->records.size();
        if (!page->more) break;
        query.after = page->next;
    }
    if (ring.last() < count) return wrong_count(", with ", feed.pairs[ring.last()]);
    feed.verified = count;
    return {};
}

ConflictOracle::Pair ConflictOracle::pair_of(const ConflictRecord& record) {
    Pair pair;
    pair.cell.key = record.key;
    if (record.kind == ConflictKind::type_clash) {
        pair.cell.type = CellType{};
    } else {
        pair.cell.type = record.winner.type;
        pair.cell.field = record.winner.field.value_or(Bytes());
    }
    pair.one = std::min(record.winner.dot, record.loser.dot);
    pair.other = std::max(record.winner.dot, record.loser.dot);
    pair.kind = record.kind;
    pair.winner = record.winner.dot;
    return pair;
}

std::string ConflictOracle::in_words(const Pair& pair) {
    return std::string(conflict_kind_name(pair.kind)) + " of " + to_string(pair.one) + " and " +
           to_string(pair.other) + " on " + printable(pair.cell.key) + " [" +
           printable(pair.cell.field) + "], won by " + to_string(pair.winner);
}

std::string ConflictOracle::compare_one(const Pair& expected, const ConflictRecord& record) {
    const Pair got = pair_of(record);
    if (got < expected || expected < got) {
        return "conflict " + std::to_string(record.sequence) + " is " + in_words(got) +
               ", but history says " + in_words(expected);
    }
    if (ids_.emplace(got, record.id).first->second != record.id) {
        return "conflict " + in_words(got) + " has another id here than elsewhere";
    }
    return {};
}

}  // namespace syncline::sim
