// Whole keys brought elsewhere: what is read is what is written, as one event, of all types; and
// what bytes from anywhere are taken for.
#include "core/engine/key_value.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "core/base/hash.hpp"
#include "crdt/score.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(key_values)
namespace {

namespace ops = operations;

/// One key of each type that can be copied; what is seen of a counter is a sum of two writes.
Result<void> fill(Transaction& txn) {
    SYNCLINE_CHECK(ops::string_set(txn, "string", "7"));
    SYNCLINE_CHECK(ops::string_increment(txn, "string", 5));
    SYNCLINE_CHECK(ops::hash_set(txn, "hash", "f", "v"));
    SYNCLINE_CHECK(ops::hash_increment(txn, "hash", "n", 3));
    SYNCLINE_CHECK(ops::set_add(txn, "set", "a"));
    SYNCLINE_CHECK(ops::set_add(txn, "set", ""));
    SYNCLINE_CHECK(ops::sorted_add(txn, "sorted", "m", 1));
    SYNCLINE_CHECK(ops::sorted_increment(txn, "sorted", "m", 0.5));
    SYNCLINE_CHECK(ops::list_push(txn, "list", ops::ListEnd::back, {"1", "2", "3"}));
    SYNCLINE_CHECK(ops::text_append(txn, "text", "h\u00e9llo"));
    SYNCLINE_CHECK(ops::text_append(txn, "empty", "-"));
    SYNCLINE_CHECK(ops::text_erase(txn, "empty", 0, 1));
    SYNCLINE_CHECK(ops::multi_value_set(txn, "register", "v", nullptr));
    SYNCLINE_CHECK(ops::flag_enable(txn, "flag"));
    return {};
}

const std::vector<Bytes> filled = {"string", "hash",  "set",      "sorted", "list",
                                   "text",   "empty", "register", "flag"};

std::optional<KeyValue> read(TestReplica& replica, BytesView key) {
    std::optional<KeyValue> value;
    replica.run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_TRY(value, ops::key_read(txn, key));
        return {};
    });
    return value;
}

Result<void> rename(Transaction& txn, BytesView from, BytesView to) {
    SYNCLINE_TRY(std::optional<KeyValue> value, ops::key_read(txn, from));
    SYNCLINE_CHECK(ops::key_write(txn, to, std::move(value).value()));
    SYNCLINE_CHECK(ops::key_delete(txn, from));
    return {};
}

Bytes with_checksum(Bytes bytes) {
    ByteWriter out(bytes);
    out.u8(1);
    out.u64(hash64(bytes, key_value_checksum_seed));
    return bytes;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_type_is_written_as_it_was_read) {
    TestCluster cluster(1);
    TestReplica& replica = cluster.at(0);
    replica.run(fill);
    for (const Bytes& key : filled) {
        BOOST_TEST_CONTEXT(key) {
            const std::optional<KeyValue> value = read(replica, key);
            BOOST_REQUIRE(value.has_value());
            const Result<KeyValue> decoded = decode_key_value(encode_key_value(*value));
            BOOST_REQUIRE(decoded.has_value());
            BOOST_TEST((*decoded == *value));
            // Over another type, whose content must be gone.
            for (const Bytes& taken : {key + ":new", Bytes("target")}) {
                replica.run([&](Transaction& txn) { return ops::key_write(txn, taken, *decoded); });
                BOOST_TEST((read(replica, taken) == value));
            }
        }
    }
    BOOST_TEST((read(replica, "string")->elements[0].value == "12"));
    BOOST_TEST(!read(replica, "none").has_value());
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(a_renamed_key_moves_at_one_stroke_at_a_peer) {
    TestCluster cluster(2);
    cluster.connect(0, 1);
    cluster.at(0).run(fill);
    cluster.pump();
    for (const Bytes& key : filled) {
        BOOST_TEST_CONTEXT(key) {
            const std::optional<KeyValue> value = read(cluster.at(0), key);
            unsigned before = 0;
            unsigned after = 0;
            const auto look = [&]() {
                const bool is_old = read(cluster.at(1), key) == value;
                const bool is_new = read(cluster.at(1), "new:" + key) == value;
                BOOST_TEST(is_old != is_new);
                ++(is_old ? before : after);
            };
            look();
            cluster.filter = [&](std::size_t, std::size_t, std::uint8_t, Bytes&) {
                look();
                return true;
            };
            cluster.at(0).run([&](Transaction& txn) { return rename(txn, key, "new:" + key); });
            cluster.pump();
            cluster.filter = {};
            look();
            BOOST_TEST(before > 0U);
            BOOST_TEST(after > 0U);
            BOOST_TEST(!read(cluster.at(1), key).has_value());
        }
    }
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(what_a_rename_has_not_seen_stays_where_it_was_written) {
    TestCluster cluster(2);
    cluster.connect(0, 1);
    cluster.at(0).run(fill);
    cluster.at(0).add("target", "seen");
    cluster.pump();
    cluster.disconnect(0, 1);
    cluster.at(0).run([](Transaction& txn) { return rename(txn, "set", "target"); });
    cluster.at(1).add("set", "late");
    cluster.at(1).add("target", "also late");
    cluster.connect(0, 1);
    cluster.pump();
    for (std::size_t i = 0; i < 2; ++i) {
        BOOST_TEST((cluster.at(i).members("set") == std::vector<Bytes>{"late"}));
        std::vector<Bytes> members = cluster.at(i).members("target");
        std::sort(members.begin(), members.end());
        BOOST_TEST((members == std::vector<Bytes>{"", "a", "also late"}));
    }
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(two_renames_of_one_key_leave_it_under_both_names) {
    TestCluster cluster(2);
    cluster.connect(0, 1);
    cluster.at(0).run(fill);
    cluster.pump();
    const std::optional<KeyValue> value = read(cluster.at(0), "list");
    cluster.disconnect(0, 1);
    cluster.at(0).run([](Transaction& txn) { return rename(txn, "list", "one"); });
    cluster.at(1).run([](Transaction& txn) { return rename(txn, "list", "other"); });
    cluster.connect(0, 1);
    cluster.pump();
    for (std::size_t i = 0; i < 2; ++i) {
        BOOST_TEST(!read(cluster.at(i), "list").has_value());
        BOOST_TEST((read(cluster.at(i), "one") == value));
        BOOST_TEST((read(cluster.at(i), "other") == value));
    }
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(what_is_no_value_is_refused_and_changes_nothing) {
    TestCluster cluster(2);
    TestReplica& replica = cluster.at(0);
    replica.run(fill);
    replica.run([](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(ops::bounded_increment(txn, "rights", 5));
        return {};
    });
    const auto code_of = [&](BytesView from, BytesView to) {
        const Result<void> done =
            replica.try_run([&](Transaction& txn) { return rename(txn, from, to); });
        return done ? Code::invalid_argument : done.error().code;
    };
    BOOST_TEST((code_of("rights", "new") == Code::permanent));
    BOOST_TEST((code_of("set", "rights") == Code::permanent));
    BOOST_TEST((code_of("set", Bytes(limits::key_bytes_max + 1, 'k')) == Code::limit));
    BOOST_TEST(replica.members("set").size() == 2U);
    // Values side by side are more than one transaction can write.
    cluster.at(1).run([](Transaction& txn) {
        return ops::multi_value_set(txn, "register", "concurrent", nullptr);
    });
    cluster.connect(0, 1);
    cluster.pump();
    BOOST_TEST((code_of("register", "new") == Code::limit));
    for (int i = 0; i < 2; ++i) {
        replica.run([](Transaction& txn) -> Result<void> {
            SYNCLINE_CHECK(ops::text_append(txn, "long", Bytes(5 * limits::mib, 'x')));
            return {};
        });
    }
    BOOST_TEST((code_of("long", "new") == Code::limit));
    BOOST_TEST(!read(replica, "new").has_value());
}

BOOST_AUTO_TEST_CASE(bytes_without_the_checksum_are_no_value) {
    const Bytes good = encode_key_value(KeyValue{CellType::hash, {{"f", "v"}}});
    BOOST_REQUIRE(decode_key_value(good).has_value());
    for (std::size_t i = 0; i < good.size(); ++i) {
        Bytes bad = good;
        bad[i] = static_cast<char>(bad[i] ^ 1);
        BOOST_TEST((decode_key_value(bad).error().code == Code::corrupt));
        BOOST_TEST((decode_key_value(good.substr(0, i)).error().code == Code::corrupt));
    }
    BOOST_TEST((decode_key_value(good + "x").error().code == Code::corrupt));
    Bytes many(1, static_cast<char>(CellType::set));
    ByteWriter(many).varint(1024 * 1024 + 1);
    many.resize(many.size() + 1024 * 1024 + 1, '\0');
    BOOST_TEST((decode_key_value(with_checksum(many)).error().code == Code::invalid_argument));
}

BOOST_AUTO_TEST_CASE(what_the_bytes_hold_must_be_a_value) {
    const auto body = [](std::uint8_t type, std::uint64_t count, std::vector<Bytes> parts) {
        Bytes bytes(1, static_cast<char>(type));
        ByteWriter out(bytes);
        out.varint(count);
        for (const Bytes& part : parts) out.sized(part);
        return bytes;
    };
    const Bytes score = score_bytes(1.5);
    const Bytes good[] = {body(1, 1, {"v"}),         body(2, 1, {"f", "v"}), body(3, 2, {"", "a"}),
                          body(4, 1, {"m", score}),  body(5, 2, {"a", "a"}), body(6, 1, {"\u00e9"}),
                          body(7, 1, {Bytes(1, 0)}), body(8, 0, {})};
    for (const Bytes& bytes : good) {
        BOOST_TEST(decode_key_value(with_checksum(bytes)).has_value());
        for (const Bytes& bad : {bytes + '\0', bytes.substr(0, bytes.size() - 1)}) {
            BOOST_TEST(
                (decode_key_value(with_checksum(bad)).error().code == Code::invalid_argument));
        }
    }
    const Bytes bad[] = {
        {},
        body(0, 1, {"v"}),
        body(9, 1, {"f", "v"}),
        body(32, 1, {score}),
        body(200, 1, {"v"}),
        body(1, 0, {}),
        body(1, 2, {"v", "v"}),
        body(2, 0, {}),
        body(3, 0, {}),
        body(4, 0, {}),
        body(5, 0, {}),
        body(8, 1, {}),
        body(3, 1, {Bytes(limits::key_bytes_max + 1, 'f')}),
        body(4, 1, {"m", "1.5"}),
        body(4, 1, {"m", Bytes(8, '\xff')}),
        body(6, 1, {"\xe9"}),
        body(6, 1, {Bytes(limits::text_insertion_bytes_max + 1, 'x')}),
    };
    for (const Bytes& bytes : bad) {
        BOOST_TEST_CONTEXT(to_hex(bytes.substr(0, 16))) {
            const Result<KeyValue> value = decode_key_value(with_checksum(bytes));
            BOOST_TEST((!value && value.error().code == Code::invalid_argument));
        }
    }
}

BOOST_AUTO_TEST_CASE(bytes_with_the_checksum_may_be_any) {
    test::SeededRandom dice(test::seeds(1).front());
    TestCluster cluster(1);
    TestReplica& replica = cluster.at(0);
    replica.run(fill);
    std::vector<Bytes> payloads;
    for (const Bytes& key : filled) {
        const Bytes payload = encode_key_value(*read(replica, key));
        payloads.push_back(payload.substr(0, payload.size() - 9));
    }
    unsigned values = 0;
    unsigned refused = 0;
    for (int round = 0; round < 20000; ++round) {
        Bytes bytes = payloads[dice.next() % payloads.size()];
        if (round % 4 == 0) {
            bytes.resize(dice.next() % 24);
            for (char& byte : bytes)
                byte = static_cast<char>(dice.next() % (round % 8 == 0 ? 12 : 256));
        }
        for (std::uint64_t change = dice.next() % 3; change > 0 && !bytes.empty(); --change) {
            bytes[dice.next() % bytes.size()] = static_cast<char>(dice.next());
        }
        if (dice.next() % 4 == 0) bytes.resize(bytes.size() - dice.next() % (bytes.size() + 1));
        const Result<KeyValue> value = decode_key_value(with_checksum(bytes));
        if (!value) {
            BOOST_TEST((value.error().code == Code::invalid_argument));
            ++refused;
            continue;
        }
        // What was taken can be written, and read again.
        if (++values % 40 == 0) {
            replica.run([&](Transaction& txn) { return ops::key_write(txn, "taken", *value); });
            const std::optional<KeyValue> back = read(replica, "taken");
            BOOST_REQUIRE(back.has_value());
            BOOST_TEST((back->type == value->type));
            BOOST_TEST(back->elements.size() <= value->elements.size());  // names may come twice
        }
    }
    BOOST_TEST(values > 1000U);
    BOOST_TEST(refused > 1000U);
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
