#include "core/engine/event_head.hpp"

#include <boost/test/unit_test.hpp>
#include <map>
#include <random>

namespace syncline {
BOOST_AUTO_TEST_SUITE(heads_of_events)
namespace {

const Actor ann{0x11223344, 1};
const Actor bob{7, 2};
const Actor cid{9, 1};

Bytes bytes_of(const EventHead& head, BytesView rest = "rest") {
    Bytes bytes;
    ByteWriter out(bytes);
    write(out, head);
    out.raw(rest);
    return bytes;
}

EventHead head_of(const Dot& dot, std::uint64_t ms, const std::vector<Dot>& seen = {}) {
    EventHead head{dot, {}, Hlc::at_ms(1'750'000'000'000 + ms)};
    for (const Dot& other : seen) head.past.add(other);
    head.past.add({dot.actor, dot.counter - 1});
    return head;
}

/// A stream from sender to receiver, each with its own table.
struct Stream {
    EventHeads sender;
    EventHeads receiver;

    std::size_t shortened_bytes(const EventHead& head) {
        const Bytes event = bytes_of(head, "");
        const Bytes shortened = sender.shorten(event).value();
        BOOST_TEST((receiver.restore(shortened).value() == event));
        return shortened.size();
    }
};

/// What replicas that exchange events at random would log: pasts grow, actors come.
std::vector<EventHead> random_heads(std::mt19937_64& random, std::size_t actors_count,
                                    std::size_t heads_count) {
    std::vector<VersionVector> seen(actors_count);
    std::vector<Hlc> clocks(actors_count, Hlc::at_ms(1'750'000'000'000));
    std::vector<EventHead> heads;
    while (heads.size() < heads_count) {
        const std::size_t at = random() % actors_count;
        const Actor actor{static_cast<std::uint32_t>(1000 * (at + 1)), 1};
        if (random() % 3 == 0 && !heads.empty()) {
            const EventHead& other = heads[random() % heads.size()];
            seen[at].join(other.past);
            seen[at].add(other.dot);
        }
        EventHead head{{actor, seen[at].counter(actor) + 1}, seen[at], clocks[at]};
        seen[at].add(head.dot);
        clocks[at].bits += random() % 4 == 0 ? random() % (1U << 24U) + 1 : 1;
        heads.push_back(head);
    }
    return heads;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_head_has_one_form) {
    const EventHead head = head_of({bob, 4}, 20, {{ann, 300}, {cid, 1}});
    Bytes bytes = bytes_of(head, "");
    ByteReader in(bytes);
    BOOST_TEST((read_event_head(in) == head));
    BOOST_TEST(in.done());
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
        ByteReader damaged(bytes);
        const EventHead other = read_event_head(damaged);
        if (damaged.done()) BOOST_TEST(bytes_of(other, "") == bytes);
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    }
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        ByteReader cut(BytesView(bytes).substr(0, length));
        (void)read_event_head(cut);
        BOOST_TEST(!cut.ok());
    }
}

BOOST_AUTO_TEST_CASE(an_event_that_follows_its_actors_last_one_has_a_head_of_three_bytes) {
    Stream stream;
    BOOST_TEST(stream.shortened_bytes(head_of({ann, 1}, 0)) ==
               bytes_of(head_of({ann, 1}, 0), "").size() + 1);
    BOOST_TEST(stream.shortened_bytes(head_of({ann, 2}, 50)) == 2U);
    BOOST_TEST(stream.shortened_bytes(head_of({ann, 3}, 250)) == 3U);
    // Others have a place each; bob has seen two of ann's.
    (void)stream.shortened_bytes(head_of({bob, 1}, 300, {{ann, 2}}));
    BOOST_TEST(stream.shortened_bytes(head_of({ann, 4}, 350)) == 3U);
    BOOST_TEST(stream.shortened_bytes(head_of({bob, 2}, 360, {{ann, 2}})) == 2U);
    // place, no gap, one grown at 0 by 2, none added, time
    BOOST_TEST(stream.shortened_bytes(head_of({bob, 3}, 370, {{ann, 4}})) == 7U);
}

BOOST_AUTO_TEST_CASE(what_does_not_follow_travels_with_its_whole_head) {
    const EventHead first = head_of({bob, 5}, 100, {{ann, 300}, {cid, 1}});
    const auto whole = [&first](const EventHead& next) {
        Stream stream;
        (void)stream.shortened_bytes(first);
        return stream.shortened_bytes(next) == bytes_of(next, "").size() + 1;
    };
    BOOST_TEST(!whole(head_of({bob, 6}, 101, {{ann, 300}, {cid, 1}})));
    BOOST_TEST(!whole(head_of({bob, 90}, 101, {{ann, 301}, {cid, 1}, {{8, 1}, 7}})));
    BOOST_TEST(whole(head_of({bob, 5}, 101, {{ann, 300}, {cid, 1}})));
    BOOST_TEST(whole(head_of({bob, 6}, 100, {{ann, 300}, {cid, 1}})));
    BOOST_TEST(whole(head_of({bob, 6}, 101, {{ann, 299}, {cid, 1}})));
    BOOST_TEST(whole(head_of({bob, 6}, 101, {{ann, 300}})));
}

BOOST_AUTO_TEST_CASE(streams_of_any_history_come_back_as_they_were) {
    std::mt19937_64 random(7);
    for (std::size_t round = 0; round < 40; ++round) {
        // More actors than the table holds, too.
        const std::size_t actors_count = round == 0 ? 300 : random() % 12 + 1;
        std::vector<EventHead> heads = random_heads(random, actors_count, 600);
        // Logs leave out what the peer has.
        std::erase_if(heads, [&random](const EventHead&) { return random() % 4 == 0; });
        Stream stream;
        for (const EventHead& head : heads) (void)stream.shortened_bytes(head);
    }
}

BOOST_AUTO_TEST_CASE(a_past_beyond_the_table_travels_whole) {
    std::vector<Dot> many;
    for (std::uint32_t i = 0; i < 2000; ++i) many.push_back({{100 + i, 1}, 1});
    Stream stream;
    (void)stream.shortened_bytes(head_of({ann, 1}, 1));
    const EventHead large = head_of({ann, 2}, 2, many);
    BOOST_TEST(stream.shortened_bytes(large) == bytes_of(large, "").size() + 1);
    (void)stream.shortened_bytes(head_of({ann, 3}, 3, many));
    (void)stream.shortened_bytes(head_of({bob, 1}, 4));
    BOOST_TEST(stream.shortened_bytes(head_of({bob, 2}, 5)) == 2U);
}

BOOST_AUTO_TEST_CASE(damaged_heads_are_refused_or_are_other_events_in_their_one_form) {
    std::mt19937_64 random(11);
    const std::vector<EventHead> heads = random_heads(random, 4, 40);
    EventHeads sender;
    EventHeads receiver;
    for (const EventHead& head : heads) {
        Bytes shortened = sender.shorten(bytes_of(head)).value();
        for (std::size_t bit = 0; bit < shortened.size() * 8; ++bit) {
            const char kept = shortened[bit / 8];
            shortened[bit / 8] = static_cast<char>(kept ^ (1 << (bit % 8)));
            EventHeads copy = receiver;
            EventHeads same = receiver;
            if (const Result<Bytes> event = copy.restore(shortened)) {
                BOOST_TEST((same.shorten(*event).value() == shortened));
            }
            shortened[bit / 8] = kept;
        }
        for (std::size_t length = 0; length + 4 < shortened.size(); ++length) {
            EventHeads copy = receiver;
            BOOST_TEST(!copy.restore(BytesView(shortened).substr(0, length)));
        }
        BOOST_TEST((receiver.restore(shortened).value() == bytes_of(head)));
    }
}

BOOST_AUTO_TEST_CASE(numbers_beyond_their_range_are_refused) {
    const EventHead first = head_of({bob, 5}, 100, {{ann, 300}});
    const auto refused = [&first](const std::vector<std::uint64_t>& numbers) {
        EventHeads heads;
        BOOST_REQUIRE(heads.restore(Bytes(1, '\0') + bytes_of(first)));
        Bytes bytes;
        ByteWriter out(bytes);
        for (const std::uint64_t number : numbers) out.varint(number);
        return !heads.restore(bytes);
    };
    const std::uint64_t most = ~std::uint64_t{0};
    BOOST_TEST(!refused({1, 2}));
    BOOST_TEST(refused({3, 2}));  // no such place
    BOOST_TEST(refused({most, 2}));
    BOOST_TEST(refused({1, most}));        // a time beyond all
    BOOST_TEST(refused({1, 3, 0x10000}));  // a counter beyond its bits
    BOOST_TEST(refused({2, most, 0, 0, 2}));
    BOOST_TEST(!refused({2, 0, 1, 0, 1, 0, 2}));
    BOOST_TEST(refused({2, 0, 1, 1, 1, 0, 2}));
    BOOST_TEST(refused({2, 0, 1, 0, most, 0, 2}));
    BOOST_TEST(refused({2, 0, 1, 0, 0, 0, 2}));  // grows by nothing
    BOOST_TEST(refused({2, 0, most, 0, 1, 0, 2}));
    BOOST_TEST(refused({2, 0, 0, most}));
    BOOST_TEST(refused({2, 0, 0, 0, 2}));  // plain, but not written so
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
