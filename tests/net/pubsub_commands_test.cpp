// Publish/subscribe as one replica's clients see it. Replies are those of Redis 7.0.15.
#include <boost/test/unit_test.hpp>

#include "net/commands/table.hpp"
#include "tests/net/exchanges.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(publish_subscribe)
namespace {

std::string bulk(const std::string& text) {
    return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

/// "+subscribe a 1" as an array, or as a push of RESP3.
std::string change(const std::string& what, const std::string& name, int count, char kind = '*') {
    return std::string(1, kind) + "3\r\n" + bulk(what) + bulk(name) + ":" + std::to_string(count) +
           "\r\n";
}

std::string message(const std::string& channel, const std::string& text, char kind = '*') {
    return std::string(1, kind) + "3\r\n" + bulk("message") + bulk(channel) + bulk(text);
}

std::string refused(const std::string& command) {
    return "-ERR Can't execute '" + command +
           "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
           "context\r\n";
}

}  // namespace

BOOST_AUTO_TEST_CASE(subscriptions_are_answered_name_by_name) {
    CommandBench bench;
    BOOST_TEST(bench.run("SUBSCRIBE a b a") == change("subscribe", "a", 1) +
                                                   change("subscribe", "b", 2) +
                                                   change("subscribe", "a", 2));
    BOOST_TEST(bench.run("PSUBSCRIBE p*") == change("psubscribe", "p*", 3));
    BOOST_TEST(bench.run("SSUBSCRIBE s") == change("ssubscribe", "s", 1));
    BOOST_TEST(bench.run("UNSUBSCRIBE b none") ==
               change("unsubscribe", "b", 2) + change("unsubscribe", "none", 2));
    BOOST_TEST(bench.run("UNSUBSCRIBE") == change("unsubscribe", "a", 1));
    BOOST_TEST(bench.run("UNSUBSCRIBE") == "*3\r\n" + bulk("unsubscribe") + "$-1\r\n:1\r\n");
    BOOST_TEST(bench.run("PUNSUBSCRIBE") == change("punsubscribe", "p*", 0));
    BOOST_TEST(bench.run("SUNSUBSCRIBE s") == change("sunsubscribe", "s", 0));
    BOOST_TEST(bench.run("SUBSCRIBE") ==
               "-ERR wrong number of arguments for 'subscribe' command\r\n");
    bench.client.protocol = 3;
    BOOST_TEST(bench.run("SUBSCRIBE a") == change("subscribe", "a", 1, '>'));
    BOOST_TEST(bench.run("SUNSUBSCRIBE") == ">3\r\n" + bulk("sunsubscribe") + "_\r\n:0\r\n");
}

BOOST_AUTO_TEST_CASE(subscribers_in_resp2_run_little_else) {
    CommandBench bench;
    bench.run("SUBSCRIBE a");
    BOOST_TEST(bench.run("GET x") == refused("get"));
    BOOST_TEST(bench.run("client list") == refused("client|list"));
    BOOST_TEST(bench.run("PUBLISH a b") == refused("publish"));
    BOOST_TEST(bench.run("MULTI") == refused("multi"));
    const std::string exec = refused("exec");
    BOOST_TEST(bench.run("EXEC") ==
               "-EXECABORT Transaction discarded because of: " + exec.substr(exec.find("Can't")));
    BOOST_TEST(bench.run("NOSUCH") ==
               "-ERR unknown command 'NOSUCH', with args beginning with: \r\n");
    BOOST_TEST(bench.run("PING") == "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    BOOST_TEST(bench.run("PING hi") == "*2\r\n$4\r\npong\r\n$2\r\nhi\r\n");
    BOOST_TEST(bench.run("RESET") == "+RESET\r\n");
    BOOST_TEST(bench.run("PING") == "+PONG\r\n");
    BOOST_TEST(bench.run("PUBSUB CHANNELS") == "*0\r\n");
    bench.client.protocol = 3;
    bench.run("SUBSCRIBE a");
    BOOST_TEST(bench.run("GET x") == "_\r\n");
    BOOST_TEST(bench.run("PING") == "+PONG\r\n");
}

BOOST_AUTO_TEST_CASE(a_message_reaches_each_subscription_once) {
    CommandBench bench;
    bench.run("SUBSCRIBE news old");
    bench.run_other("HELLO 3");
    bench.run_other("PSUBSCRIBE n?ws *s q*");
    bench.run_other("SUBSCRIBE news");
    BOOST_TEST(bench.run_other("PUBLISH old x") == ":1\r\n");
    BOOST_TEST(bench.pushed[1] == message("old", "x"));
    bench.pushed.clear();
    const std::string own = message("news", "hi", '>') + ">4\r\n" + bulk("pmessage") + bulk("*s") +
                            bulk("news") + bulk("hi") + ">4\r\n" + bulk("pmessage") + bulk("n?ws") +
                            bulk("news") + bulk("hi");
    BOOST_TEST(bench.run_other("PUBLISH news hi") == own + ":4\r\n");
    BOOST_TEST(bench.pushed[1] == message("news", "hi"));
    BOOST_TEST(bench.pushed[2] == "");
    bench.pushed.clear();
    BOOST_TEST(bench.run_other("SPUBLISH news hi") == ":0\r\n");
    BOOST_TEST(bench.pushed.empty());
    bench.run_other("SSUBSCRIBE s");
    BOOST_TEST(bench.run_other("SPUBLISH s x") ==
               ">3\r\n" + bulk("smessage") + bulk("s") + bulk("x") + ":1\r\n");
    BOOST_TEST(bench.run_other("PUBLISH s x") ==
               ">4\r\n" + bulk("pmessage") + bulk("*s") + bulk("s") + bulk("x") + ":1\r\n");
    bench.pubsub().forget(bench.other);
    BOOST_TEST(bench.run_other("PUBLISH s x") == ":0\r\n");
}

/// What is published in a transaction leaves when that has worked, and not before its writes.
BOOST_AUTO_TEST_CASE(exec_publishes_behind_its_reply) {
    CommandBench bench;
    bench.run("SUBSCRIBE c");
    bench.run_other("HELLO 3");
    bench.run_other("MULTI");
    bench.run_other("SUBSCRIBE c");
    bench.run_other("SET k v");
    BOOST_TEST(bench.run_other("PUBLISH c x") == "+QUEUED\r\n");
    BOOST_TEST(bench.pushed.empty());
    BOOST_TEST(bench.run_other("EXEC") ==
               "*3\r\n" + change("subscribe", "c", 1, '>') + "+OK\r\n:2\r\n");
    BOOST_TEST(bench.pushed[1] == message("c", "x"));
    BOOST_TEST(bench.pushed[2] == message("c", "x", '>'));
    bench.pushed.clear();
    bench.run_other("MULTI");
    bench.run_other("PUBLISH c y");
    bench.run_other("DISCARD");
    BOOST_TEST(bench.pushed.empty());
}

/// One that is too large for the log: it fails as a whole when it is to be stored.
BOOST_AUTO_TEST_CASE(a_transaction_that_fails_publishes_nothing) {
    CommandBench bench;
    bench.run("SUBSCRIBE c");
    bench.run_other("MULTI");
    for (const char* const key : {"a", "b"}) {
        bench.other.queued.push_back(
            {find_full_name("set"), {"SET", key, Bytes(limits::value_bytes_max * 3 / 4, 'v')}});
    }
    bench.run_other("PUBLISH c x");
    const std::string reply = bench.run_other("EXEC");
    BOOST_TEST(reply.rfind("-ERR the transaction has more than", 0) == 0U);
    BOOST_TEST(bench.pushed.empty());
    BOOST_TEST(bench.run_other("PUBLISH c y") == ":1\r\n");
    BOOST_TEST(bench.pushed[1] == message("c", "y"));
}

BOOST_AUTO_TEST_CASE(pubsub_tells_of_channels) {
    CommandBench bench;
    bench.client.protocol = 3;
    bench.run("SUBSCRIBE b a");
    bench.run("PSUBSCRIBE x* y*");
    bench.run("SSUBSCRIBE s");
    bench.run_other("SUBSCRIBE a");
    play(bench,
         {
             {"PUBSUB CHANNELS", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"},
             {"PUBSUB CHANNELS a*", "*1\r\n$1\r\na\r\n"},
             {"PUBSUB CHANNELS a b",
              "-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB "
              "HELP.\r\n"},
             {"PUBSUB NUMSUB a q", "*4\r\n$1\r\na\r\n:2\r\n$1\r\nq\r\n:0\r\n"},
             {"PUBSUB NUMSUB", "*0\r\n"},
             {"PUBSUB NUMPAT", ":2\r\n"},
             {"PUBSUB NUMPAT x", "-ERR wrong number of arguments for 'pubsub|numpat' command\r\n"},
             {"PUBSUB SHARDCHANNELS", "*1\r\n$1\r\ns\r\n"},
             {"PUBSUB SHARDNUMSUB s a", "*4\r\n$1\r\ns\r\n:1\r\n$1\r\na\r\n:0\r\n"},
             {"PUBSUB", "-ERR wrong number of arguments for 'pubsub' command\r\n"},
             {"PUBSUB NOPE", "-ERR unknown subcommand 'NOPE'. Try PUBSUB HELP.\r\n"},
         });
    const std::string list = bench.run("CLIENT INFO");
    BOOST_TEST(list.find(" flags=P db=0 sub=2 psub=2 ssub=1 ") != std::string::npos);
    BOOST_TEST(bench.run("CLIENT LIST TYPE normal") == "=4\r\ntxt:\r\n");
    const std::string info = bench.run("INFO stats");
    for (const char* const line :
         {"pubsub_channels:2\r\n", "pubsub_patterns:2\r\n", "pubsubshard_channels:1\r\n"}) {
        BOOST_TEST(info.find(line) != std::string::npos);
    }
    BOOST_TEST(bench.run("CLIENT KILL TYPE pubsub") == ":1\r\n");
    BOOST_TEST(bench.killed == std::vector<std::uint64_t>{2});
}

BOOST_AUTO_TEST_CASE(names_messages_and_subscriptions_have_bounds) {
    CommandBench bench;
    const Bytes name(limits::key_bytes_max, 'n');
    BOOST_TEST(bench.run({"SUBSCRIBE", name + "n"})[0] == '-');
    BOOST_TEST(bench.run({"PUBLISH", name + "n", ""})[0] == '-');
    BOOST_TEST(bench.run({"PUBLISH", "c", Bytes(limits::value_bytes_max + 1, 'm')})[0] == '-');
    BOOST_TEST(bench.run({"PUBLISH", name, "m"}) == ":0\r\n");
    Arguments many{"SUBSCRIBE"};
    for (std::size_t i = 0; i < limits::subscriptions_max; ++i) many.push_back(std::to_string(i));
    BOOST_TEST(bench.run(many)[0] == '*');
    BOOST_TEST(bench.run("SUBSCRIBE more") ==
               "-ERR a connection has at most 65536 subscriptions\r\n");
    BOOST_TEST(bench.pubsub().names_count(ChannelSpace::plain) == limits::subscriptions_max);
    bench.run("RESET");
    BOOST_TEST(bench.pubsub().names_count(ChannelSpace::plain) == 0U);
}

BOOST_AUTO_TEST_CASE(publishing_works_before_there_are_data) {
    CommandBench bench;
    bench.take_replica_away();
    BOOST_TEST(bench.run("SUBSCRIBE a") == change("subscribe", "a", 1));
    BOOST_TEST(bench.run_other("PUBLISH a x") == ":1\r\n");
    BOOST_TEST(bench.pushed[1] == message("a", "x"));
}

BOOST_AUTO_TEST_CASE(the_output_limit_is_a_setting) {
    CommandBench bench;
    const std::string prefix =
        "-ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - ";
    const auto set = [&](const Bytes& value) {
        return bench.run({"CONFIG", "SET", "client-output-buffer-limit", value});
    };
    const auto shown = [&]() { return bench.run("CONFIG GET client-output-buffer-limit"); };
    BOOST_TEST(shown().find("normal 268435456 0 0 slave 0 0 0 pubsub 33554432 8388608 60\r\n") !=
               std::string::npos);
    BOOST_TEST(set("pubsub 1mb 1kb 5") == "+OK\r\n");
    BOOST_TEST(shown().find("pubsub 1048576 1024 5\r\n") != std::string::npos);
    BOOST_TEST((bench.config().output_limits().pubsub == OutputLimit{1048576, 1024, 5}));
    BOOST_TEST(set("pubsub 1mb 0") ==
               prefix + "Wrong number of arguments in buffer limit configuration.\r\n");
    BOOST_TEST(set("foo 1 2 3") ==
               prefix + "Invalid client class specified in buffer limit configuration.\r\n");
    BOOST_TEST(set("normal 0 0 0 pubsub x 0 0") ==
               prefix +
                   "Error in hard, soft or soft_seconds setting in buffer limit "
                   "configuration.\r\n");
    BOOST_TEST((bench.config().output_limits().pubsub == OutputLimit{1048576, 1024, 5}));
    BOOST_TEST(set("") == "+OK\r\n");
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
