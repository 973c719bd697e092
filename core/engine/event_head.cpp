#include "core/engine/event_head.hpp"

#include <algorithm>
#include <limits>
#include <optional>

namespace syncline {
namespace {

constexpr std::size_t heads_max = 256;
constexpr std::size_t past_entries_max = 1024;
constexpr std::uint64_t counter_max = std::numeric_limits<std::uint64_t>::max();

using Entry = VersionVector::Entry;

/// First number of a shortened event: 0, or 1 + twice the place + whether more than the next
/// counter, the same past, has to be told.
constexpr std::uint64_t whole_head = 0;

void write_actor(ByteWriter& out, const Actor& actor) {
    out.u8(compact_form(actor));
    write_compact(out, actor);
}

Actor read_formed_actor(ByteReader& in) {
    const std::uint8_t form = in.u8();
    return read_compact_actor(in, form);
}

/// Sum of numbers from outside; fails where it does not fit.
std::uint64_t sum(ByteReader& in, std::uint64_t a, std::uint64_t b) {
    if (b > counter_max - a) in.fail();
    return in.ok() ? a + b : 0;
}

/// The past without the event's own actor, whose counter follows from the dot.
std::vector<Entry> others(const EventHead& head) {
    std::vector<Entry> entries = head.past.entries();
    std::erase_if(entries, [&head](const Entry& entry) { return entry.first == head.dot.actor; });
    return entries;
}

/// A past from ascending entries of others, and the own counter before the dot.
VersionVector past_from(const std::vector<Entry>& entries, const Dot& dot) {
    VersionVector past;
    for (const auto& [actor, counter] : entries) past.add({actor, counter});
    past.add({dot.actor, dot.counter - 1});
    return past;
}

struct PastChange {
    std::size_t place = 0;  ///< among the others of the past before
    std::uint64_t growth = 0;
};

/// How an event's head follows from its actor's last one.
struct HeadChange {
    std::uint64_t skipped = 0;  ///< counters between them
    std::vector<PastChange> grown;
    std::vector<Entry> added;
    std::uint64_t ms = 0;
    std::optional<std::uint64_t> logical;  ///< when not as expected

    [[nodiscard]] bool plain() const { return skipped == 0 && grown.empty() && added.empty(); }
};

std::uint64_t expected_logical(const Hlc& last, std::uint64_t ms) {
    return ms > 0 ? 0 : last.logical() + 1;
}

/// Nothing when the head does not follow: it lost something, or its clock did not advance.
std::optional<HeadChange> change(const EventHead& last, const EventHead& next) {
    if (next.dot.counter <= last.dot.counter || next.hlc <= last.hlc) return std::nullopt;
    HeadChange change;
    change.skipped = next.dot.counter - last.dot.counter - 1;
    change.ms = next.hlc.ms() - last.hlc.ms();
    if (next.hlc.logical() != expected_logical(last.hlc, change.ms)) {
        change.logical = next.hlc.logical();
    }
    const std::vector<Entry> before = others(last);
    std::size_t place = 0;
    for (const Entry& entry : others(next)) {
        if (place == before.size() || entry.first < before[place].first) {
            change.added.push_back(entry);
            continue;
        }
        const Entry& old = before[place];
        if (entry.first != old.first || entry.second < old.second) return std::nullopt;
        if (entry.second > old.second) change.grown.push_back({place, entry.second - old.second});
        ++place;
    }
    if (place != before.size()) return std::nullopt;
    return change;
}

void write(ByteWriter& out, const HeadChange& change) {
    if (!change.plain()) {
        out.varint(change.skipped);
        out.varint(change.grown.size());
        std::size_t next_place = 0;
        for (const PastChange& grown : change.grown) {
            out.varint(grown.place - next_place);
            out.varint(grown.growth);
            next_place = grown.place + 1;
        }
        out.varint(change.added.size());
        for (const auto& [actor, counter] : change.added) {
            write_actor(out, actor);
            out.varint(counter);
        }
    }
    out.varint(2 * change.ms + (change.logical ? 1 : 0));
    if (change.logical) out.varint(*change.logical);
}

/// The past after an event that is not plain; sets the dot's counter, too.
void read_past(ByteReader& in, EventHead& head) {
    std::vector<Entry> entries = others(head);
    head.dot.counter = sum(in, head.dot.counter, in.varint());
    const std::uint64_t grown_count = in.varint();
    std::uint64_t place = 0;
    for (std::uint64_t i = 0; i < grown_count && in.ok(); ++i, ++place) {
        place = sum(in, place, in.varint());
        if (place >= entries.size()) return in.fail();
        std::uint64_t& counter = entries[place].second;
        counter = sum(in, counter, in.varint());
    }
    const std::uint64_t added_count = in.varint();
    for (std::uint64_t i = 0; i < added_count && in.ok(); ++i) {
        const Actor actor = read_formed_actor(in);
        entries.emplace_back(actor, in.varint());
    }
    std::sort(entries.begin(), entries.end());
    if (in.ok()) head.past = past_from(entries, head.dot);
}

/// The head that follows from `head`. What is not exactly a change that the sender makes is found
/// by making it again.
void read_change(ByteReader& in, bool plain, EventHead& head) {
    head.dot.counter = sum(in, head.dot.counter, 1);
    if (plain) {
        head.past.add({head.dot.actor, head.dot.counter - 1});
    } else {
        read_past(in, head);
    }
    const std::uint64_t coded = in.varint();
    const Hlc last = head.hlc;
    const std::uint64_t ms = coded / 2;
    std::uint64_t logical = expected_logical(last, ms);
    if (coded % 2 != 0) logical = in.varint();
    if (ms > hlc_ms_max - last.ms() || logical > hlc_logical_max) return in.fail();
    head.hlc.bits = ((last.ms() + ms) << 16) | logical;
}

Error damaged_head() {
    return Error{Code::corrupt, "an event's head is damaged"};
}

}  // namespace

void write(ByteWriter& out, const EventHead& head) {
    write_actor(out, head.dot.actor);
    out.varint(head.dot.counter);
    const std::vector<Entry> entries = others(head);
    out.varint(entries.size());
    for (const auto& [actor, counter] : entries) {
        write_actor(out, actor);
        out.varint(counter);
    }
    write_compact(out, head.hlc);
}

EventHead read_event_head(ByteReader& in) {
    EventHead head;
    head.dot.actor = read_formed_actor(in);
    head.dot.counter = in.varint();
    if (head.dot.counter == 0) in.fail();
    const std::uint64_t count = in.varint();
    std::vector<Entry> entries;
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        const Actor actor = read_formed_actor(in);
        const std::uint64_t counter = in.varint();
        const bool ascending = entries.empty() || entries.back().first < actor;
        if (!ascending || counter == 0 || actor == head.dot.actor) in.fail();
        entries.emplace_back(actor, counter);
    }
    head.hlc = read_compact_hlc(in);
    if (!in.ok()) return EventHead{};
    head.past = past_from(entries, head.dot);
    return head;
}

EventHead* EventHeads::find(const Actor& actor, std::size_t& place) {
    const auto found = std::find_if(heads_.begin(), heads_.end(), [&actor](const EventHead& head) {
        return head.dot.actor == actor;
    });
    place = static_cast<std::size_t>(found - heads_.begin());
    return found == heads_.end() ? nullptr : &*found;
}

void EventHeads::keep(const EventHead& head) {
    std::size_t place = 0;
    const bool small = head.past.entries().size() <= past_entries_max;
    EventHead* known = find(head.dot.actor, place);
    if (known != nullptr) {
        if (small) *known = head;
    } else if (small && heads_.size() < heads_max) {
        heads_.push_back(head);
    }
}

Result<Bytes> EventHeads::shorten(BytesView event) {
    ByteReader in(event);
    const EventHead head = read_event_head(in);
    if (!in.ok()) return damaged_head();
    const BytesView rest = in.raw(in.left());

    Bytes bytes;
    ByteWriter out(bytes);
    std::size_t place = 0;
    const EventHead* last = find(head.dot.actor, place);
    const bool small = head.past.entries().size() <= past_entries_max;
    const std::optional<HeadChange> follows =
        last != nullptr && small ? change(*last, head) : std::nullopt;
    if (follows) {
        out.varint(1 + 2 * place + (follows->plain() ? 0 : 1));
        write(out, *follows);
        out.raw(rest);
    } else {
        out.varint(whole_head);
        out.raw(event);
    }
    keep(head);
    return bytes;
}

Result<Bytes> EventHeads::restore(BytesView shortened) {
    ByteReader in(shortened);
    const std::uint64_t first = in.varint();
    EventHead head;
    if (first == whole_head) {
        head = read_event_head(in);
    } else if (const std::uint64_t place = (first - 1) / 2; place < heads_.size()) {
        head = heads_[place];
        read_change(in, (first - 1) % 2 == 0, head);
    } else {
        in.fail();
    }
    if (!in.ok()) return damaged_head();
    Bytes event;
    ByteWriter out(event);
    write(out, head);
    out.raw(in.raw(in.left()));

    // One event has one form: what it would be shortened to, and nothing else.
    SYNCLINE_TRY(const Bytes same, shorten(event));
    if (same != shortened) return damaged_head();
    return event;
}

}  // namespace syncline
