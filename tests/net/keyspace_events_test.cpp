// Changes of keys as messages: notify-keyspace-events.
#include "net/keyspace_events.hpp"

#include <boost/test/unit_test.hpp>

#include "net/resp_client.hpp"
#include "tests/net/exchanges.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(changes_of_keys)
namespace {

/// What a client that listens to everything is told of a command: "channel message", in order.
std::vector<std::string> told(CommandBench& bench, const std::string& line) {
    bench.pushed.clear();
    const std::string reply = bench.run_other(line);
    BOOST_TEST_CONTEXT(line) {
        BOOST_TEST(reply.rfind('-', 0) == std::string::npos);
    }
    RespReplyParser parser;
    parser.feed(bench.pushed[1]);
    std::vector<std::string> all;
    for (auto value = parser.next(); value && *value; value = parser.next()) {
        std::string channel = (*value)->elements[2].text;
        const std::size_t start = channel.find("@0__:");
        BOOST_REQUIRE_NE(start, std::string::npos);
        all.push_back(channel.substr(5, start - 5) + " " + channel.substr(start + 5) + " " +
                      (*value)->elements[3].text);
    }
    return all;
}

std::string letters(const std::string& text) {
    KeyspaceEvents events;
    const std::string refusal = events.parse(text);
    return refusal.empty() ? events.text() : refusal;
}

using Told = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_CASE(the_letters_are_those_of_redis) {
    BOOST_TEST(letters("") == "");
    BOOST_TEST(letters("KEA") == "AKE");
    BOOST_TEST(letters("Kg") == "gK");
    BOOST_TEST(letters("KEg$lshzxetdmn") == "AKEm");
    BOOST_TEST(letters("Kn") == "nK");
    BOOST_TEST(letters("Kmgd") == "gdKm");
    BOOST_TEST(letters("KEt$n") == "$tnKE");
    BOOST_TEST(letters("Q") == "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    CommandBench bench;
    BOOST_TEST(bench.run("CONFIG SET notify-keyspace-events KEA") == "+OK\r\n");
    BOOST_TEST(bench.run("CONFIG GET notify-keyspace-events") ==
               "*2\r\n$22\r\nnotify-keyspace-events\r\n$3\r\nAKE\r\n");
    BOOST_TEST(bench.run("CONFIG SET notify-keyspace-events Q") ==
               "-ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - "
               "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.\r\n");
}

BOOST_AUTO_TEST_CASE(each_change_has_a_name) {
    CommandBench bench;
    bench.run("PSUBSCRIBE __key*__:*");
    BOOST_TEST(told(bench, "SET k v").empty());
    bench.run_other("CONFIG SET notify-keyspace-events EA");
    const std::pair<const char*, Told> changes[] = {
        {"SET k w", {"event set k"}},
        {"SET k w EX 100", {"event set k", "event expire k"}},
        {"PERSIST k", {"event persist k"}},
        {"APPEND k x", {"event append k"}},
        {"MSET k 1 n 2", {"event set k", "event set n"}},
        {"INCR n", {"event incrby n"}},
        {"EXPIRE n 100", {"event expire n"}},
        {"DEL n", {"event del n"}},
        {"DEL none", {}},
        {"GET k", {}},
        {"HSET h f 1 g 2", {"event hset h"}},
        {"HINCRBY h f 1", {"event hincrby h"}},
        {"HDEL h f", {"event hdel h"}},
        {"SADD s a b", {"event sadd s"}},
        {"SREM s a", {"event srem s"}},
        {"ZADD z 1 a", {"event zadd z"}},
        {"ZINCRBY z 1 a", {"event zincr z"}},
        {"ZREM z a", {"event zrem z"}},
        {"RPUSH l a b", {"event rpush l"}},
        {"LPUSHX l c", {"event lpush l"}},
        {"LPOP l", {"event lpop l"}},
        {"LMOVE l m LEFT RIGHT", {"event lpop l", "event rpush m"}},
        {"RPOPLPUSH m m2", {"event rpop m", "event lpush m2"}},
        {"LMPOP 2 none m2 RIGHT", {"event rpop m2"}},
        {"BLPOP none l 0", {"event lpop l"}},
        {"ZMPOP 2 none z2 MAX", {}},
        {"ZADD z2 1 a 2 b", {"event zadd z2"}},
        {"ZMPOP 2 none z2 MAX", {"event zpopmax z2"}},
        {"DECRBY n 2", {"event decrby n"}},
        {"INCRBYFLOAT n 1.5", {"event incrbyfloat n"}},
        {"RENAME n n2", {"event rename_from n", "event rename_to n2"}},
        {"COPY n2 n", {"event copy_to n"}},
        {"SORT n3 STORE n3", {}},
        {"RPUSH n3 2 1", {"event rpush n3"}},
        {"SORT n3 STORE n4", {"event sortstore n4"}},
        {"LPOP none", {}},
        {"SET l v", {"event set l"}},
        {"TEXT.INSERT t 0 abc", {"event change t"}},
        {"SINTERSTORE h none1 none2", {"event del h"}},
        {"FLUSHALL", {}},
    };
    for (const auto& [line, expected] : changes) {
        BOOST_TEST_CONTEXT(line) {
            BOOST_TEST(told(bench, line) == expected);
        }
    }
}

BOOST_AUTO_TEST_CASE(commands_of_a_transaction_name_their_changes) {
    CommandBench bench;
    bench.run("PSUBSCRIBE __key*__:*");
    bench.run_other("CONFIG SET notify-keyspace-events EA");
    bench.run_other("MULTI");
    for (const char* line : {"RPUSH l a b", "RPOP l", "APPEND s x", "RPOP none", "SADD t m"}) {
        BOOST_TEST(bench.run_other(line) == "+QUEUED\r\n");
    }
    BOOST_TEST(told(bench, "EXEC") ==
               (Told{"event rpush l", "event rpop l", "event append s", "event sadd t"}));
    // What a refused command would have been called is not what the next one is called.
    bench.run_other("APPEND l x");
    BOOST_TEST(told(bench, "SET l v") == (Told{"event set l"}));
}

BOOST_AUTO_TEST_CASE(an_expired_key_is_told_as_such) {
    CommandBench bench;
    bench.run("PSUBSCRIBE __key*__:*");
    bench.run_other("CONFIG SET notify-keyspace-events EA");
    bench.run_other("SET k v PX 1000");
    bench.pubsub().take_staged();
    bench.clock.now_ms += 60000;
    bench.replica()->tick();
    const std::vector<StagedMessage> staged = bench.pubsub().take_staged();
    BOOST_REQUIRE_EQUAL(staged.size(), 1U);
    BOOST_TEST(staged[0].channel == "__keyevent@0__:expired");
    BOOST_TEST(staged[0].message == "k");
}

BOOST_AUTO_TEST_CASE(classes_and_channels_are_chosen) {
    CommandBench bench;
    bench.run("PSUBSCRIBE __key*__:*");
    bench.run_other("CONFIG SET notify-keyspace-events Kg$");
    BOOST_TEST(told(bench, "SET k v EX 10") == (Told{"space k set", "space k expire"}));
    BOOST_TEST(told(bench, "SADD s a").empty());
    bench.run_other("CONFIG SET notify-keyspace-events KEs");
    BOOST_TEST(told(bench, "SADD s b") == (Told{"space s sadd", "event sadd s"}));
    BOOST_TEST(told(bench, "SET k v").empty());
    bench.run_other("CONFIG SET notify-keyspace-events A");
    BOOST_TEST(told(bench, "SET k v").empty());
    bench.run_other("CONFIG SET notify-keyspace-events KEA");
    bench.run("RESET");
    bench.run_other("SET k v");
    BOOST_TEST(bench.pubsub().staged_count() == 0U);
}

/// What comes from elsewhere is told, too, and not sent on: each replica tells its own clients.
BOOST_AUTO_TEST_CASE(events_of_others_are_told) {
    KeyspaceEvents events;
    BOOST_REQUIRE(events.parse("KEA").empty());
    PubSub pubsub;
    ClientState listener;
    listener.order.id = 1;
    pubsub.subscribe(listener, ChannelSpace::plain, "any");
    Event event;
    event.dot = Dot{Actor{5, 1}, 1};
    event.ops = {ClearKey{"gone"}, ClearBuckets{0, 9}};
    events.stage(event, KeyspaceEvents::Origin::peer, pubsub);
    const std::vector<StagedMessage> staged = pubsub.take_staged();
    BOOST_REQUIRE_EQUAL(staged.size(), 2U);
    BOOST_TEST(staged[0].channel == "__keyspace@0__:gone");
    BOOST_TEST(staged[0].message == "del");
    BOOST_TEST(staged[1].channel == "__keyevent@0__:del");
    BOOST_TEST(staged[1].message == "gone");
    BOOST_TEST((!staged[0].for_peers && !staged[1].for_peers));
    // A command of this replica that ran before has no part in it.
    const std::vector<Bytes> command = {"RENAME", "gone", "other"};
    events.note(command);
    events.stage(event, KeyspaceEvents::Origin::peer, pubsub);
    BOOST_TEST(pubsub.take_staged()[0].message == "del");
    events.stage(event, KeyspaceEvents::Origin::expiry, pubsub);
    BOOST_TEST(pubsub.take_staged()[0].message == "expired");
    pubsub.forget(listener);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
