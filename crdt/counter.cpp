#include "crdt/counter.hpp"

#include <algorithm>
#include <limits>

#include "core/base/mutation.hpp"

namespace syncline {

namespace {

/// How the reset part of an entry is written. A full reset repeats `last` and `sum`, so it costs
/// only its dot.
enum ResetForm : std::uint8_t { no_reset = 0, full_reset = 1, earlier_reset = 2 };

/// The first byte of an entry: the form of its reset, and further bits.
constexpr std::uint8_t reset_form_mask = 3;
constexpr std::uint8_t with_decimals = 4;  ///< they follow the rest
constexpr unsigned actor_form_shift = 3;   ///< three bits: the compact form of the entry's actor
constexpr std::uint8_t entry_form_mask = 7;
constexpr std::uint8_t reset_by_itself = 64;  ///< by the entry's actor, which is not repeated

bool has_decimals(const CounterEntry& entry) {
    return !entry.sum.decimal.is_zero() || !entry.reset_sum.decimal.is_zero();
}

bool counter_before(const Counter::Entry& entry, const Actor& actor) {
    return entry.first < actor;
}

ResetForm reset_form(const CounterEntry& entry) {
    if (entry.reset == 0) return no_reset;
    return entry.reset == entry.last ? full_reset : earlier_reset;
}

/// What holds for every entry that a replica can make.
bool valid(const CounterEntry& entry) {
    if (entry.genesis == 0 || entry.genesis > entry.last) return false;
    if (entry.reset == 0) return entry.reset_sum == Amount() && entry.reset_dot == Dot{};
    const bool in_range = entry.genesis <= entry.reset && entry.reset <= entry.last;
    const bool same_sum = entry.reset != entry.last || entry.reset_sum == entry.sum;
    return in_range && same_sum && entry.reset_dot.counter > 0;
}

std::uint8_t first_byte(const Counter::Entry& entry) {
    const auto& [actor, counts] = entry;
    unsigned byte = reset_form(counts);
    if (has_decimals(counts)) byte |= with_decimals;
    byte |= static_cast<unsigned>(compact_form(actor)) << actor_form_shift;
    if (byte & reset_form_mask && counts.reset_dot.actor == actor) byte |= reset_by_itself;
    return static_cast<std::uint8_t>(byte);
}

}  // namespace

const CounterEntry* Counter::find(const Actor& actor) const {
    const auto found = std::lower_bound(entries_.begin(), entries_.end(), actor, counter_before);
    return found != entries_.end() && found->first == actor ? &found->second : nullptr;
}

bool Counter::exists() const {
    return std::any_of(entries_.begin(), entries_.end(),
                       [](const Entry& entry) { return entry.second.live(); });
}

Amount Counter::total() const {
    Amount total;
    for (const auto& [actor, entry] : entries_) total = total + (entry.sum - entry.reset_sum);
    return total;
}

Counter::Entry Counter::increment(const Dot& dot, const Amount& amount, bool reset_first) const {
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
    next.sum = next.sum + amount;
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
    const auto place = std::lower_bound(entries_.begin(), entries_.end(), actor, counter_before);
    if (place != entries_.end() && place->first == actor) {
        place->second = join(place->second, entry);
    } else {
        entries_.insert(place, {actor, entry});
    }
}

bool Counter::collectable() const {
    return std::any_of(entries_.begin(), entries_.end(),
                       [](const Entry& entry) { return !entry.second.live(); });
}

void Counter::collect(const VersionVector& cut) {
    std::erase_if(entries_, [&](const Entry& entry) {
        return !entry.second.live() && cut.covers(entry.second.reset_dot);
    });
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
    if (mutated(Mutation::reset_lost)) return joined;
    joined.reset = reset.reset;
    joined.reset_sum = reset.reset_sum;
    joined.reset_dot = reset.reset_dot;
    return joined;
}

std::string to_string(const Amount& amount) {
    const std::string integer = std::to_string(static_cast<std::int64_t>(amount.integer));
    if (amount.decimal.is_zero()) return integer;
    return amount.integer == 0 ? amount.decimal.text() : integer + " and " + amount.decimal.text();
}

void write(ByteWriter& out, const Counter::Entry& entry) {
    const auto& [actor, counts] = entry;
    const ResetForm form = reset_form(counts);
    out.u8(first_byte(entry));
    write_compact(out, actor);
    out.varint(counts.genesis);
    out.varint(counts.last - counts.genesis);
    out.signed_varint(static_cast<std::int64_t>(counts.sum.integer));
    if (form == earlier_reset) {
        out.varint(counts.reset - counts.genesis);
        out.signed_varint(static_cast<std::int64_t>(counts.reset_sum.integer));
    }
    if (form != no_reset) {
        if (counts.reset_dot.actor != actor) {
            out.u8(compact_form(counts.reset_dot.actor));
            write_compact(out, counts.reset_dot.actor);
        }
        out.varint(counts.reset_dot.counter);
    }
    if (!has_decimals(counts)) return;
    write(out, counts.sum.decimal);
    if (form == earlier_reset) write(out, counts.reset_sum.decimal);
}

Counter::Entry read_counter_entry(ByteReader& in) {
    const std::uint8_t coded = in.u8();
    const std::uint8_t form = coded & reset_form_mask;
    const bool decimals = (coded & with_decimals) != 0;
    const Actor actor = read_compact_actor(in, (coded >> actor_form_shift) & entry_form_mask);
    CounterEntry entry;
    entry.genesis = in.varint();
    entry.last = entry.genesis + in.varint();
    entry.sum.integer = static_cast<std::uint64_t>(in.signed_varint());
    if (form == earlier_reset) {
        entry.reset = entry.genesis + in.varint();
        entry.reset_sum.integer = static_cast<std::uint64_t>(in.signed_varint());
    }
    if (form != no_reset) {
        const bool by_itself = (coded & reset_by_itself) != 0;
        entry.reset_dot.actor = by_itself ? actor : read_compact_actor(in, in.u8());
        entry.reset_dot.counter = in.varint();
    }
    if (decimals) {
        entry.sum.decimal = read_decimal(in);
        if (form == earlier_reset) entry.reset_sum.decimal = read_decimal(in);
    }
    if (form == full_reset) {
        entry.reset = entry.last;
        entry.reset_sum = entry.sum;
    }
    // A second way to write a full reset, sums past 2^64, decimals that are 0, or an actor that is
    // repeated would give equal cells unequal bytes.
    if (!valid(entry) || first_byte({actor, entry}) != coded) in.fail();
    return {actor, entry};
}

void pack(Packer& out, const Counter::Entry& entry) {
    const auto& [actor, counts] = entry;
    const bool with_reset = counts.reset > 0;
    const bool decimals = has_decimals(counts);
    out.array((with_reset ? 10U : 5U) + (decimals ? with_reset ? 4U : 2U : 0U));
    pack(out, actor);
    out.uint(counts.genesis);
    out.uint(counts.last);
    out.sint(static_cast<std::int64_t>(counts.sum.integer));
    if (with_reset) {
        out.uint(counts.reset);
        out.sint(static_cast<std::int64_t>(counts.reset_sum.integer));
        pack(out, counts.reset_dot);
    }
    if (!decimals) return;
    pack(out, counts.sum.decimal);
    if (with_reset) pack(out, counts.reset_sum.decimal);
}

Counter::Entry unpack_counter_entry(Unpacker& in) {
    const std::size_t count = in.array();
    const bool with_reset = count == 10 || count == 14;
    const bool decimals = count == 7 || count == 14;
    if (count != 5 && !with_reset && !decimals) in.fail();
    const Actor actor = unpack_actor(in);
    CounterEntry entry;
    entry.genesis = in.uint();
    entry.last = in.uint();
    entry.sum.integer = static_cast<std::uint64_t>(in.sint());
    if (with_reset) {
        entry.reset = in.uint();
        entry.reset_sum.integer = static_cast<std::uint64_t>(in.sint());
        entry.reset_dot = unpack_dot(in);
        if (entry.reset == 0) in.fail();
    }
    if (decimals) {
        entry.sum.decimal = unpack_decimal(in);
        if (with_reset) entry.reset_sum.decimal = unpack_decimal(in);
    }
    if (!valid(entry) || has_decimals(entry) != decimals) in.fail();
    return {actor, entry};
}

}  // namespace syncline
