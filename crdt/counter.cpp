#include "crdt/counter.hpp"

#include <algorithm>
#include <limits>

namespace syncline {

namespace {

/// How the reset part of an entry is written. A full reset repeats `last` and `sum`, so it costs
/// only its dot.
enum ResetForm : std::uint8_t { no_reset = 0, full_reset = 1, earlier_reset = 2 };

bool before(const Counter::Entry& entry, const Actor& actor) {
    return entry.first < actor;
}

ResetForm reset_form(const CounterEntry& entry) {
    if (entry.reset == 0) return no_reset;
    return entry.reset == entry.last ? full_reset : earlier_reset;
}

/// What holds for every entry that a replica can make.
bool valid(const CounterEntry& entry) {
    if (entry.genesis == 0 || entry.genesis > entry.last) return false;
    if (entry.reset == 0) return entry.reset_sum == 0 && entry.reset_dot == Dot{};
    const bool in_range = entry.genesis <= entry.reset && entry.reset <= entry.last;
    const bool same_sum = entry.reset != entry.last || entry.reset_sum == entry.sum;
    return in_range && same_sum && entry.reset_dot.counter > 0;
}

}  // namespace

const CounterEntry* Counter::find(const Actor& actor) const {
    const auto found = std::lower_bound(entries_.begin(), entries_.end(), actor, before);
    return found != entries_.end() && found->first == actor ? &found->second : nullptr;
}

bool Counter::exists() const {
    return std::any_of(entries_.begin(), entries_.end(),
                       [](const Entry& entry) { return entry.second.live(); });
}

std::int64_t Counter::value() const {
    std::uint64_t total = 0;
    for (const auto& [actor, entry] : entries_) total += entry.sum - entry.reset_sum;
    return static_cast<std::int64_t>(total);
}

Counter::Entry Counter::increment(const Dot& dot, std::uint64_t amount, bool reset_first) const {
    CounterEntry next;
    if (const CounterEntry* own = find(dot.actor); own != nullptr) {
        next = *own;
        if (reset_first && own->live()) {
            next.reset = own->last;
            next.reset_sum = own->sum;
            next.reset_dot = dot;
        }
    } else {
        next.genesis = dot.counter;
    }
    next.last = dot.counter;
    next.sum += amount;
    return {dot.actor, next};
}

std::vector<Counter::Entry> Counter::reset(const Dot& dot) const {
    std::vector<Entry> delta;
    for (const auto& [actor, entry] : entries_) {
        if (!entry.live()) continue;
        CounterEntry next = entry;
        next.reset = entry.last;
        next.reset_sum = entry.sum;
        next.reset_dot = dot;
        delta.emplace_back(actor, next);
    }
    return delta;
}

void Counter::merge(const Actor& actor, const CounterEntry& entry) {
    const auto place = std::lower_bound(entries_.begin(), entries_.end(), actor, before);
    if (place != entries_.end() && place->first == actor) {
        place->second = join(place->second, entry);
    } else {
        entries_.insert(place, {actor, entry});
    }
}

Counter Counter::join(const Counter& a, const VersionVector& a_context, const Counter& b,
                      const VersionVector& b_context) {
    Counter joined;
    auto left = a.entries_.begin();
    auto right = b.entries_.begin();
    while (left != a.entries_.end() || right != b.entries_.end()) {
        const bool left_first =
            right == b.entries_.end() || (left != a.entries_.end() && left->first < right->first);
        const bool right_first =
            left == a.entries_.end() || (right != b.entries_.end() && right->first < left->first);
        if (left_first) {
            const auto& [actor, entry] = *left++;
            if (!b_context.covers(Dot{actor, entry.last}))
                joined.entries_.emplace_back(actor, entry);
        } else if (right_first) {
            const auto& [actor, entry] = *right++;
            if (!a_context.covers(Dot{actor, entry.last}))
                joined.entries_.emplace_back(actor, entry);
        } else {
            joined.entries_.emplace_back(left->first, join(left->second, right->second));
            ++left;
            ++right;
        }
    }
    return joined;
}

CounterEntry Counter::join(const CounterEntry& a, const CounterEntry& b) {
    if (a.genesis != b.genesis) return a.genesis > b.genesis ? a : b;
    CounterEntry joined = a.last >= b.last ? a : b;
    const CounterEntry& reset =
        std::pair(a.reset, a.reset_dot) >= std::pair(b.reset, b.reset_dot) ? a : b;
    joined.reset = reset.reset;
    joined.reset_sum = reset.reset_sum;
    joined.reset_dot = reset.reset_dot;
    return joined;
}

void write(ByteWriter& out, const Counter::Entry& entry) {
    const auto& [actor, counts] = entry;
    const ResetForm form = reset_form(counts);
    write(out, actor);
    out.varint(counts.genesis);
    out.varint(counts.last - counts.genesis);
    out.signed_varint(static_cast<std::int64_t>(counts.sum));
    out.u8(form);
    if (form == earlier_reset) {
        out.varint(counts.reset - counts.genesis);
        out.signed_varint(static_cast<std::int64_t>(counts.reset_sum));
    }
    if (form != no_reset) write(out, counts.reset_dot);
}

Counter::Entry read_counter_entry(ByteReader& in) {
    const Actor actor = read_actor(in);
    CounterEntry entry;
    entry.genesis = in.varint();
    entry.last = entry.genesis + in.varint();
    entry.sum = static_cast<std::uint64_t>(in.signed_varint());
    const std::uint8_t form = in.u8();
    if (form > earlier_reset) in.fail();
    if (form == full_reset) {
        entry.reset = entry.last;
        entry.reset_sum = entry.sum;
    }
    if (form == earlier_reset) {
        entry.reset = entry.genesis + in.varint();
        entry.reset_sum = static_cast<std::uint64_t>(in.signed_varint());
    }
    if (form != no_reset) entry.reset_dot = read_dot(in);
    // A second way to write a full reset, or sums past 2^64, would give equal cells unequal bytes.
    if (!valid(entry) || reset_form(entry) != form) in.fail();
    return {actor, entry};
}

void pack(Packer& out, const Counter::Entry& entry) {
    const auto& [actor, counts] = entry;
    const bool with_reset = counts.reset > 0;
    out.array(with_reset ? 10 : 5);
    pack(out, actor);
    out.uint(counts.genesis);
    out.uint(counts.last);
    out.sint(static_cast<std::int64_t>(counts.sum));
    if (!with_reset) return;
    out.uint(counts.reset);
    out.sint(static_cast<std::int64_t>(counts.reset_sum));
    pack(out, counts.reset_dot);
}

Counter::Entry unpack_counter_entry(Unpacker& in) {
    const std::size_t count = in.array();
    if (count != 5 && count != 10) in.fail();
    const Actor actor = unpack_actor(in);
    CounterEntry entry;
    entry.genesis = in.uint();
    entry.last = in.uint();
    entry.sum = static_cast<std::uint64_t>(in.sint());
    if (count == 10) {
        entry.reset = in.uint();
        entry.reset_sum = static_cast<std::uint64_t>(in.sint());
        entry.reset_dot = unpack_dot(in);
        if (entry.reset == 0) in.fail();
    }
    if (!valid(entry)) in.fail();
    return {actor, entry};
}

}  // namespace syncline
