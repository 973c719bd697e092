#include "crdt/counter.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>

namespace syncline {
BOOST_AUTO_TEST_SUITE(counter)
namespace {

constexpr Actor a{1, 1};
constexpr Actor b{2, 1};

void merge(Counter& counter, const Counter::Entry& entry) {
    counter.merge(entry.first, entry.second);
}

/// a has incremented by 5 in a:3, and by 2 in a:7.
Counter two_increments() {
    Counter counter;
    merge(counter, counter.increment({a, 3}, 5, false));
    merge(counter, counter.increment({a, 7}, 2, false));
    return counter;
}

std::string written(const Counter::Entry& entry) {
    Bytes bytes;
    ByteWriter out(bytes);
    write(out, entry);
    return to_hex(bytes);
}

std::string packed(const Counter::Entry& entry) {
    Bytes bytes;
    Packer out(bytes);
    pack(out, entry);
    return to_hex(bytes);
}

bool survives(const Counter::Entry& entry) {
    Bytes bytes;
    ByteWriter out(bytes);
    write(out, entry);
    ByteReader reader(bytes);
    Bytes message;
    Packer packer(message);
    pack(packer, entry);
    Unpacker unpacker(message);
    return read_counter_entry(reader) == entry && reader.done() &&
           unpack_counter_entry(unpacker) == entry && unpacker.done();
}

/// An entry that no replica makes: refused by both codecs.
bool refused(const CounterEntry& entry) {
    Bytes bytes;
    ByteWriter out(bytes);
    write(out, Counter::Entry{a, entry});
    ByteReader reader(bytes);
    read_counter_entry(reader);
    Bytes message;
    Packer packer(message);
    pack(packer, Counter::Entry{a, entry});
    Unpacker unpacker(message);
    unpack_counter_entry(unpacker);
    return !reader.ok() && !unpacker.ok();
}

BOOST_AUTO_TEST_CASE(increments_add_up) {
    const Counter counter = two_increments();
    BOOST_TEST(counter.value() == 7);
    BOOST_TEST((*counter.find(a) == CounterEntry{3, 0, 0, {}, 7, 7}));
    BOOST_TEST(counter.find(b) == nullptr);
}

BOOST_AUTO_TEST_CASE(a_counter_of_increments_by_zero_exists) {
    Counter counter;
    BOOST_TEST(!counter.exists());
    merge(counter, counter.increment({a, 1}, 0, false));
    BOOST_TEST(counter.exists());
    BOOST_TEST(counter.value() == 0);
}

BOOST_AUTO_TEST_CASE(reset_leaves_a_marker_for_each_live_actor_only) {
    Counter counter = two_increments();
    const auto first = counter.reset({b, 1});
    BOOST_TEST(first.size() == 1U);
    for (const auto& entry : first) merge(counter, entry);
    BOOST_TEST((*counter.find(a) == CounterEntry{3, 7, 7, {b, 1}, 7, 7}));
    BOOST_TEST(!counter.exists());
    BOOST_TEST(counter.value() == 0);
    BOOST_TEST(counter.reset({b, 2}).empty());
}

BOOST_AUTO_TEST_CASE(reset_first_cancels_what_the_increment_sees_of_its_own_entry) {
    Counter counter = two_increments();
    merge(counter, counter.increment({a, 9}, 100, true));
    BOOST_TEST((*counter.find(a) == CounterEntry{3, 7, 7, {a, 9}, 9, 107}));
    BOOST_TEST(counter.value() == 100);
    // Without an entry there is nothing to reset.
    BOOST_TEST((Counter().increment({b, 4}, 1, true).second == CounterEntry{4, 0, 0, {}, 4, 1}));
}

BOOST_AUTO_TEST_CASE(reset_first_keeps_the_dot_of_a_reset_that_already_did_it) {
    Counter counter = two_increments();
    for (const auto& entry : counter.reset({b, 1})) merge(counter, entry);
    merge(counter, counter.increment({a, 9}, 1, true));
    BOOST_TEST((*counter.find(a) == CounterEntry{3, 7, 7, {b, 1}, 9, 8}));
}

BOOST_AUTO_TEST_CASE(sums_wrap_and_come_back) {
    Counter counter;
    const auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    merge(counter, counter.increment({a, 1}, most, false));
    merge(counter, counter.increment({b, 1}, 1, false));
    BOOST_TEST(counter.value() == std::numeric_limits<std::int64_t>::min());
    merge(counter, counter.increment({a, 2}, ~std::uint64_t{0}, false));
    BOOST_TEST(counter.value() == std::numeric_limits<std::int64_t>::max());
}

BOOST_AUTO_TEST_CASE(a_larger_genesis_wins_whole) {
    const CounterEntry old{3, 7, 7, {b, 1}, 7, 7};
    const CounterEntry young{9, 0, 0, {}, 9, 1};
    BOOST_TEST((Counter::join(old, young) == young));
    BOOST_TEST((Counter::join(young, old) == young));
}

BOOST_AUTO_TEST_CASE(of_two_resets_that_saw_the_same_the_larger_dot_stays) {
    const CounterEntry by_a{3, 7, 7, {a, 8}, 7, 7};
    const CounterEntry by_b{3, 7, 7, {b, 1}, 7, 7};
    BOOST_TEST((Counter::join(by_a, by_b) == by_b));
    BOOST_TEST((Counter::join(by_b, by_a) == by_b));
}

BOOST_AUTO_TEST_CASE(golden_bytes_of_an_entry) {
    const CounterEntry live{3, 0, 0, {}, 7, 7};
    const CounterEntry reset{3, 7, 7, {b, 1}, 7, 7};
    const CounterEntry partly{3, 3, 5, {b, 1}, 7, 7};
    const CounterEntry by_itself{3, 7, 7, {a, 9}, 7, 7};
    // form, actor, genesis, last - genesis, sum (zigzag) [, reset - genesis, its sum] [, its dot]
    BOOST_TEST(written({a, live}) == "000103040e");
    BOOST_TEST(written({a, reset}) == "010103040e000201");
    BOOST_TEST(written({a, partly}) == "020103040e000a000201");
    BOOST_TEST(written({a, by_itself}) == "410103040e09");
    BOOST_TEST(written({{0xabcdef, 9}, live}) == "30abcdef0903040e");
    BOOST_TEST(packed({a, live}) == "950101030707");
    BOOST_TEST(packed({a, partly}) == "9a01010307070305020101");
    for (const CounterEntry& entry : {live, reset, partly, by_itself})
        BOOST_TEST(survives({a, entry}));
}

BOOST_AUTO_TEST_CASE(extreme_entries_survive) {
    constexpr std::uint64_t most = ~std::uint64_t{0};
    const Actor last_actor{0xffffffff, 0xffffffff};
    BOOST_TEST(survives({last_actor, {most, most, most, {last_actor, most}, most, most}}));
    BOOST_TEST(survives({last_actor, {1, 1, std::uint64_t{1} << 63, {a, 1}, most, 0}}));
}

BOOST_AUTO_TEST_CASE(entries_that_no_replica_makes_are_refused) {
    BOOST_TEST(refused({0, 0, 0, {}, 7, 7}));      // no genesis
    BOOST_TEST(refused({8, 0, 0, {}, 7, 7}));      // older than its genesis
    BOOST_TEST(refused({3, 2, 5, {b, 1}, 7, 7}));  // reset before genesis
    BOOST_TEST(refused({3, 8, 5, {b, 1}, 7, 7}));  // reset of what is not there
    BOOST_TEST(refused({3, 5, 5, {b, 0}, 7, 7}));  // reset by nobody
}

BOOST_AUTO_TEST_CASE(a_full_reset_has_one_form_of_bytes) {
    // Written as an earlier reset at reset = last.
    const auto refused = [](BytesView hex) {
        const Bytes bytes = *from_hex(hex);
        ByteReader in(bytes);
        read_counter_entry(in);
        return !in.ok();
    };
    BOOST_TEST(refused("020103040e040e000201"));
    BOOST_TEST(refused("410103040e000109"));  // both ways to name who did the reset
    BOOST_TEST(refused("010103040e000109"));  // the entry's actor, written once more
    BOOST_TEST(refused("400103040e"));        // a reset by nobody
    BOOST_TEST(refused("030103040e000201"));  // no such form
    BOOST_TEST(refused("800103040e"));
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
