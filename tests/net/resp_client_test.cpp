#include "net/resp_client.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "net/loop.hpp"
#include "net/resp.hpp"
#include "net/tcp.hpp"

namespace syncline {
namespace {

using Type = RespValue::Type;

struct Answer {
    std::vector<RespValue> replies;
    std::string error;
    bool operator==(const Answer&) const = default;
};

void drain(RespReplyParser& parser, Answer& outcome) {
    while (true) {
        auto reply = parser.next();
        if (!reply) {
            outcome.error = reply.error().message;
            return;
        }
        if (!*reply) return;
        outcome.replies.push_back(std::move(**reply));
    }
}

Answer parse(BytesView bytes, std::size_t bytes_max = limits::mib) {
    Answer whole;
    RespReplyParser parser(bytes_max);
    parser.feed(bytes);
    drain(parser, whole);

    Answer bytewise;
    RespReplyParser slow(bytes_max);
    for (const char byte : bytes) {
        slow.feed(BytesView(&byte, 1));
        drain(slow, bytewise);
    }
    BOOST_TEST((whole == bytewise));
    return whole;
}

/// All replies in some bytes, as text.
std::string text_of(BytesView bytes) {
    const Answer outcome = parse(bytes);
    std::string text;
    for (const RespValue& reply : outcome.replies) text += to_string(reply) + ";";
    return text + outcome.error;
}

BOOST_AUTO_TEST_SUITE(resp_reply_parser)

BOOST_AUTO_TEST_CASE(every_type) {
    BOOST_TEST(text_of("+OK\r\n-ERR no\r\n:-5\r\n$3\r\na\nb\r\n") ==
               "OK;(error) ERR no;(integer) -5;\"a\\x0ab\";");
    BOOST_TEST(text_of("$-1\r\n*-1\r\n_\r\n") == "(nil);(nil);(nil);");
    BOOST_TEST(text_of("#t\r\n#f\r\n,1.5\r\n,inf\r\n(123456789012345678901\r\n") ==
               "(true);(false);(double) 1.5;(double) inf;123456789012345678901;");
    BOOST_TEST(text_of("!5\r\nERR x\r\n=7\r\ntxt:abc\r\n$0\r\n\r\n") == "(error) ERR x;abc;\"\";");
    BOOST_TEST(text_of("*2\r\n:1\r\n*1\r\n$1\r\na\r\n*0\r\n") == "[(integer) 1, [\"a\"]];[];");
    BOOST_TEST(text_of("%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n:2\r\n") ==
               "{a: (integer) 1, b: {(integer) 2}};");
    BOOST_TEST(text_of(">2\r\n+message\r\n+x\r\n:+7\r\n") == "push [message, x];(integer) 7;");
    BOOST_TEST(text_of("|1\r\n+ttl\r\n:5\r\n*2\r\n:1\r\n|1\r\n+a\r\n+b\r\n:2\r\n|0\r\n+x\r\n") ==
               "[(integer) 1, (integer) 2];x;");
}

BOOST_AUTO_TEST_CASE(fields_of_values) {
    const Answer outcome = parse(",-1.25\r\n:9\r\n");
    BOOST_REQUIRE(outcome.replies.size() == 2U);
    BOOST_TEST(outcome.replies[0].number == -1.25);
    BOOST_TEST((outcome.replies[0].type == Type::real));
    BOOST_TEST(outcome.replies[1].integer == 9);
    RespReplyParser parser;
    parser.feed(",nan\r\n");
    BOOST_TEST(std::isnan(parser.next().value()->number));
}

BOOST_AUTO_TEST_CASE(damaged_replies) {
    for (const char* bytes :
         {"x\r\n",        "\r\n",      ":\r\n",         ":x\r\n",         "$x\r\n",  "$-2\r\n",
          "$1\r\nab\r\n", "+a\rb\r\n", "#x\r\n",        "_x\r\n",         ",\r\n",   ",1x\r\n",
          "(1x\r\n",      "(-\r\n",    "=3\r\nabc\r\n", "=4\r\nabcd\r\n", "*-2\r\n", "%-1\r\n",
          "$-1x\r\n",     "$?\r\n",    "*?\r\n"}) {
        const Answer outcome = parse(bytes);
        BOOST_TEST(outcome.replies.empty(), bytes);
        BOOST_TEST(outcome.error != "", bytes);
    }
}

BOOST_AUTO_TEST_CASE(bounds) {
    BOOST_TEST(parse("$100\r\n", 50).error == "reply: too large");
    BOOST_TEST(parse("*9223372036854775807\r\n").error == "reply: too large");
    BOOST_TEST(parse("*1000000\r\n").error == "");
    std::string deep;
    for (int i = 0; i < 33; ++i) deep += "*1\r\n";
    BOOST_TEST(parse(deep).error == "reply: nested too deeply");
    // Empty elements cost memory too.
    std::string many = "*100000\r\n";
    for (int i = 0; i < 100'000; ++i) many += "_\r\n";
    BOOST_TEST(parse(many).error == "reply: too large");
    BOOST_TEST(parse("+" + std::string(limits::inline_bytes_max, 'x')).error ==
               "reply: line too long");
    // What one reply used up, the next has again.
    BOOST_TEST(
        parse("$600\r\n" + std::string(600, 'x') + "\r\n$600\r\n" + std::string(600, 'y') + "\r\n",
              1000)
            .replies.size() == 2U);
}

BOOST_AUTO_TEST_CASE(what_the_writer_writes) {
    for (const int protocol : {2, 3}) {
        Bytes bytes;
        RespWriter writer(bytes, protocol);
        writer.map(1);
        writer.verbatim("text");
        writer.set(4);
        writer.real(0.1);
        writer.boolean(true);
        writer.null();
        writer.null_array();
        writer.push(1);
        writer.error("ERR x");
        BOOST_TEST(parse(bytes).replies.size() == 2U);
    }
}

BOOST_AUTO_TEST_SUITE_END()

/// A server in a thread that answers each request with its arguments, after a push.
struct EchoServer {
    EchoServer() {
        listener = TcpListener::listen(*loop, {"127.0.0.1", 0}, [this](auto connection) {
                       serve(std::move(connection));
                   }).value();
        port = listener->port();
        thread = std::thread([this] { loop->run(); });
    }
    ~EchoServer() {
        stop.wake();
        thread.join();
    }
    EchoServer(const EchoServer&) = delete;
    EchoServer& operator=(const EchoServer&) = delete;

    struct Client {
        std::unique_ptr<TcpConnection> connection;
        RespParser parser;
    };

    void serve(std::unique_ptr<TcpConnection> connection) {
        Client& client = clients[next_id++];
        client.connection = std::move(connection);
        client.connection->start({.on_data = [&](BytesView data) { answer(client, data); },
                                  .on_close = [](const auto& /*error*/) {}});
    }

    static void answer(Client& client, BytesView data) {
        client.parser.feed(data);
        while (true) {
            const auto request = client.parser.next();
            if (!request || !*request) return;
            const auto& arguments = (*request)->arguments;
            if (arguments[0] == "CLOSE") return client.connection->close();
            if (arguments[0] == "SILENCE") return;
            Bytes reply;
            RespWriter writer(reply, 3);
            writer.push(1);
            writer.simple("news");
            writer.array(arguments.size());
            for (const Bytes& argument : arguments) writer.bulk(argument);
            client.connection->send(std::move(reply));
        }
    }

    std::unique_ptr<Loop> loop = Loop::create().value();
    Wake stop{*loop, [this] { loop->stop(); }};
    std::unique_ptr<TcpListener> listener;
    std::map<int, Client> clients;
    int next_id = 0;
    std::uint16_t port = 0;
    std::thread thread;
};

BOOST_FIXTURE_TEST_SUITE(resp_client, EchoServer)

BOOST_AUTO_TEST_CASE(commands_and_pushes) {
    auto client = RespClient::connect("localhost", port, 10'000).value();
    BOOST_TEST(to_string(client.command({"A", "b c"}).value()) == "[\"A\", \"b c\"]");
    BOOST_TEST(client.take_pushes().size() == 1U);
    BOOST_TEST(client.take_pushes().empty());
    const Bytes big(3'000'000, 'x');
    BOOST_TEST((client.command({"A", big}).value().elements.at(1).text == big));
}

BOOST_AUTO_TEST_CASE(pipelining) {
    auto client = RespClient::connect("127.0.0.1", port, 10'000).value();
    for (int i = 0; i < 100; ++i) client.queue({std::to_string(i)});
    client.queue_raw("inline\r\n");
    for (int i = 0; i < 101; ++i) {
        BOOST_TEST((client.receive().value().type == Type::push));
        const std::string expected = i < 100 ? std::to_string(i) : "inline";
        BOOST_TEST(client.receive().value().elements.at(0).text == expected);
    }
}

BOOST_AUTO_TEST_CASE(a_server_that_closes_or_says_nothing) {
    auto client = RespClient::connect("127.0.0.1", port, 10'000).value();
    RespClient moved = std::move(client);
    const auto closed = moved.command({"CLOSE"});
    BOOST_REQUIRE(!closed.has_value());
    BOOST_TEST(closed.error().message == "connection to the server lost: closed by the server");
    BOOST_TEST(!moved.is_open());
    BOOST_TEST(!moved.command({"A"}).has_value());

    moved = RespClient::connect("127.0.0.1", port, 10'000).value();
    moved.set_timeout(20);
    const auto silent = moved.command({"SILENCE"});
    BOOST_REQUIRE(!silent.has_value());
    BOOST_TEST(silent.error().message == "no answer within 20 ms");
    BOOST_TEST(moved.is_open());  // and may still answer
    BOOST_TEST((moved.command({"A"}).value().elements.at(0).text == "A"));
}

BOOST_AUTO_TEST_CASE(no_server) {
    std::uint16_t free_port = 0;
    {
        const auto other = Loop::create().value();
        free_port = TcpListener::listen(*other, {"127.0.0.1", 0}, nullptr).value()->port();
    }
    const auto refused = RespClient::connect("127.0.0.1", free_port, 1000);
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST((refused.error().code == Code::unavailable));
    BOOST_TEST(!RespClient::connect("no such host", 1, 1000).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace syncline
