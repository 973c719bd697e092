#include "net/resp.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace syncline {
namespace {

using Requests = std::vector<std::vector<Bytes>>;

struct ReadRequests {
    Requests requests;
    std::string error;
    bool operator==(const ReadRequests&) const = default;
};

void drain(RespParser& parser, ReadRequests& outcome) {
    while (true) {
        auto request = parser.next();
        if (!request) {
            outcome.error = request.error().message;
            return;
        }
        if (!*request) return;
        outcome.requests.push_back(std::move((*request)->arguments));
    }
}

ReadRequests read_requests(BytesView bytes, const RequestLimits& limits = request_limits) {
    ReadRequests outcome;
    RespParser parser(limits);
    parser.feed(bytes);
    drain(parser, outcome);
    return outcome;
}

ReadRequests parse_bytewise(BytesView bytes, const RequestLimits& limits = request_limits) {
    ReadRequests outcome;
    RespParser parser(limits);
    for (const char byte : bytes) {
        parser.feed(BytesView(&byte, 1));
        drain(parser, outcome);
    }
    return outcome;
}

/// The error of some bytes, which must not depend on how they are cut.
std::string error_of(BytesView bytes, const RequestLimits& limits = request_limits) {
    const ReadRequests outcome = read_requests(bytes, limits);
    BOOST_TEST((parse_bytewise(bytes, limits) == outcome));
    return outcome.error;
}

/// The only request in some bytes.
std::vector<Bytes> only(BytesView bytes) {
    const ReadRequests outcome = read_requests(bytes);
    BOOST_TEST((parse_bytewise(bytes) == outcome));
    BOOST_TEST(outcome.error == "");
    BOOST_REQUIRE(outcome.requests.size() == 1U);
    return outcome.requests.front();
}

BOOST_AUTO_TEST_SUITE(resp_parser)

BOOST_AUTO_TEST_CASE(requests_in_any_pieces_are_the_same) {
    const Bytes binary("\0\r\n$3\xff", 6);
    const Bytes big(200'000, 'b');
    Bytes stream = "*1\r\n$4\r\nPING\r\n";
    RespWriter writer(stream, 2);
    writer.array(3);
    writer.bulk("SET");
    writer.bulk(binary);
    writer.bulk("");
    stream += "\r\n*0\r\n*-1\r\nget \"a b\"\r\n";
    writer.array(2);
    writer.bulk("ECHO");
    writer.bulk(big);
    const Requests expected{{"PING"}, {"SET", binary, ""}, {"get", "a b"}, {"ECHO", big}};

    BOOST_TEST((read_requests(stream).requests == expected));
    BOOST_TEST((parse_bytewise(stream).requests == expected));
    for (std::size_t cut = 0; cut < 100; ++cut) {
        ReadRequests outcome;
        RespParser parser;
        parser.feed(BytesView(stream).substr(0, cut));
        drain(parser, outcome);
        parser.feed(BytesView(stream).substr(cut));
        drain(parser, outcome);
        BOOST_TEST((outcome.requests == expected));
        BOOST_TEST(parser.buffered_bytes() == 0U);
    }
}

BOOST_AUTO_TEST_CASE(an_unfinished_request_waits) {
    const Bytes bytes = "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const ReadRequests outcome = read_requests(BytesView(bytes).substr(0, size));
        BOOST_TEST(outcome.requests.empty());
        BOOST_TEST(outcome.error == "");
    }
}

BOOST_AUTO_TEST_CASE(lines_are_split_as_redis_does) {
    using Words = std::vector<Bytes>;
    BOOST_TEST((only("PING\r\n") == Words{"PING"}));
    BOOST_TEST((only("PING\n") == Words{"PING"}));
    BOOST_TEST((only(" \t set  k\tv \r\n") == Words{"set", "k", "v"}));
    BOOST_TEST((only("set \"a b\" 'c d'\r\n") == Words{"set", "a b", "c d"}));
    BOOST_TEST(
        (only("x \"\\x41\\n\\r\\t\\b\\a\\\\\\\"\\q\"\r\n") == Words{"x", "A\n\r\t\b\a\\\"q"}));
    BOOST_TEST((only("x \"\\xZZ\"\r\n") == Words{"x", "xZZ"}));
    BOOST_TEST((only("x 'it\\'s \\n'\r\n") == Words{"x", "it's \\n"}));
    BOOST_TEST((only("x \"\" ''\r\n") == Words{"x", "", ""}));
    BOOST_TEST((only("foo\"bar\"\r\n") == Words{"foobar"}));
    BOOST_TEST((only("$3\r\n") == Words{"$3"}));
    BOOST_TEST((read_requests("\r\n\n   \r\n").requests.empty()));
}

BOOST_AUTO_TEST_CASE(unbalanced_quotes) {
    const std::string error = "ERR Protocol error: unbalanced quotes in request";
    for (const char* line : {"set \"\"\"test-key\"\"\" v\r\n", "x \"\r\n", "x '\r\n", "x 'a'b\r\n",
                             "x \"a\\\r\n", "x \"a\"b\r\n"}) {
        BOOST_TEST(error_of(line) == error);
    }
}

BOOST_AUTO_TEST_CASE(invalid_multibulk_length) {
    const std::string error = "ERR Protocol error: invalid multibulk length";
    for (const char* count : {"3000000000", "2147483648", "1048577", "x", "", "03", "+3", " 3",
                              "3 ", "-", "99999999999999999999"}) {
        BOOST_TEST(error_of("*" + std::string(count) + "\r\n") == error);
    }
}

BOOST_AUTO_TEST_CASE(expected_dollar) {
    BOOST_TEST(error_of("*1\r\nfoo\r\n") == "ERR Protocol error: expected '$', got 'f'");
    BOOST_TEST(error_of("*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n") ==
               "ERR Protocol error: expected '$', got 'f'");
    BOOST_TEST(error_of("*1\r\n\r\n") == "ERR Protocol error: expected '$', got ' '");
    BOOST_TEST(error_of("*1\r\n\n\r\n") == "ERR Protocol error: expected '$', got ' '");
}

BOOST_AUTO_TEST_CASE(invalid_bulk_length) {
    const std::string error = "ERR Protocol error: invalid bulk length";
    for (const char* length : {"-10", "-1", "2000000000", "83886081", "blabla", "", "03"}) {
        BOOST_TEST(error_of("*1\r\n$" + std::string(length) + "\r\n") == error);
    }
}

BOOST_AUTO_TEST_CASE(lines_without_an_end) {
    const Bytes endless(limits::inline_bytes_max + 1, 'x');
    BOOST_TEST(error_of(endless) == "ERR Protocol error: too big inline request");
    BOOST_TEST(error_of(Bytes(1, '\0') + endless) == "ERR Protocol error: too big inline request");
    BOOST_TEST(error_of("*" + endless) == "ERR Protocol error: too big mbulk count string");
    BOOST_TEST(error_of("*1\r\n$" + endless) == "ERR Protocol error: too big bulk count string");
    // Also when the end is there, but too late.
    BOOST_TEST(error_of(endless + "\r\n") == "ERR Protocol error: too big inline request");
    BOOST_TEST(only(Bytes(limits::inline_bytes_max - 1, 'x') + "\r\n").size() == 1U);
}

BOOST_AUTO_TEST_CASE(narrow_limits_before_auth) {
    const RequestLimits& narrow = request_limits_before_auth;
    const std::string many = "ERR Protocol error: unauthenticated multibulk length";
    const std::string much = "ERR Protocol error: unauthenticated bulk length";
    BOOST_TEST(error_of("*11\r\n", narrow) == many);
    BOOST_TEST(error_of("*1000000\r\n", narrow) == many);
    BOOST_TEST(error_of("*10\r\n", narrow) == "");
    BOOST_TEST(error_of("a b c d e f g h i j k\r\n", narrow) == many);
    BOOST_TEST(error_of("*1\r\n$16385\r\n", narrow) == much);
    BOOST_TEST(error_of("*1\r\n$16384\r\n", narrow) == "");

    // Four times 16 KiB is all there is.
    Bytes stream;
    RespWriter writer(stream, 2);
    writer.array(5);
    for (int i = 0; i < 4; ++i) writer.bulk(Bytes(16 * limits::kib, 'x'));
    BOOST_TEST(error_of(stream + "$0\r\n\r\n", narrow) == "");
    BOOST_TEST(error_of(stream + "$1\r\n", narrow) == much);
}

BOOST_AUTO_TEST_CASE(limits_lifted_between_two_requests_hold_for_the_second) {
    RespParser parser(request_limits_before_auth);
    Bytes stream = "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n*2\r\n$4\r\nECHO\r\n$20000\r\n";
    parser.feed(stream + Bytes(20'000, 'x') + "\r\n");
    BOOST_TEST(parser.next().value()->arguments[0] == "AUTH");
    parser.set_limits(request_limits);
    BOOST_TEST(parser.next().value()->arguments[1].size() == 20'000U);
}

BOOST_AUTO_TEST_CASE(a_request_too_large_in_all_is_refused) {
    const RequestLimits small{100, 1000, 1000, false};
    Bytes stream;
    RespWriter writer(stream, 2);
    writer.array(2);
    writer.bulk(Bytes(600, 'x'));
    BOOST_TEST(error_of(stream + "$401\r\n", small) == "ERR Protocol error: too big request");
    BOOST_TEST(error_of(stream + "$400\r\n", small) == "");
}

BOOST_AUTO_TEST_CASE(headers_alone_take_no_memory) {
    RespParser parser;
    parser.feed("*1048576\r\n$67108864\r\n");
    BOOST_TEST(!parser.next().value().has_value());
    BOOST_TEST(parser.buffered_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(an_error_stays) {
    RespParser parser;
    parser.feed("*x\r\n");
    BOOST_TEST(!parser.next().has_value());
    parser.feed("PING\r\n");
    BOOST_TEST(!parser.next().has_value());
    BOOST_TEST(parser.buffered_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(integers_are_read_as_redis_does) {
    BOOST_TEST((parse_integer("0") == 0));
    BOOST_TEST((parse_integer("-12") == -12));
    BOOST_TEST((parse_integer("9223372036854775807") == std::numeric_limits<std::int64_t>::max()));
    BOOST_TEST((parse_integer("-9223372036854775808") == std::numeric_limits<std::int64_t>::min()));
    for (const char* text : {"", "-", "-0", "00", "01", "+1", " 1", "1 ", "1x", "x",
                             "9223372036854775808", "-9223372036854775809"}) {
        BOOST_TEST(!parse_integer(text).has_value(), text);
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(resp_writer)

/// What a function writes in one protocol.
template <std::invocable<RespWriter&> Write>
std::string written(int protocol, Write write) {
    Bytes out;
    RespWriter writer(out, protocol);
    write(writer);
    return out;
}

/// Checks one call in both protocols.
template <std::invocable<RespWriter&> Write>
void check(Write write, const std::string& resp2, const std::string& resp3) {
    BOOST_TEST(written(2, write) == resp2);
    BOOST_TEST(written(3, write) == resp3);
}

BOOST_AUTO_TEST_CASE(both_protocols) {
    check([](RespWriter& w) { w.simple("OK"); }, "+OK\r\n", "+OK\r\n");
    check([](RespWriter& w) { w.error("ERR a\r\nb"); }, "-ERR a  b\r\n", "-ERR a  b\r\n");
    check([](RespWriter& w) { w.integer(-5); }, ":-5\r\n", ":-5\r\n");
    check([](RespWriter& w) { w.bulk("a\r\n"); }, "$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n");
    check([](RespWriter& w) { w.null(); }, "$-1\r\n", "_\r\n");
    check([](RespWriter& w) { w.null_array(); }, "*-1\r\n", "_\r\n");
    check([](RespWriter& w) { w.array(2); }, "*2\r\n", "*2\r\n");
    check([](RespWriter& w) { w.map(7); }, "*14\r\n", "%7\r\n");
    check([](RespWriter& w) { w.set(2); }, "*2\r\n", "~2\r\n");
    check([](RespWriter& w) { w.push(3); }, "*3\r\n", ">3\r\n");
    check([](RespWriter& w) { w.boolean(true); }, ":1\r\n", "#t\r\n");
    check([](RespWriter& w) { w.boolean(false); }, ":0\r\n", "#f\r\n");
    check([](RespWriter& w) { w.verbatim("a"); }, "$1\r\na\r\n", "=5\r\ntxt:a\r\n");
}

BOOST_AUTO_TEST_CASE(doubles_are_printed_as_redis_does) {
    const double infinity = std::numeric_limits<double>::infinity();
    check([](RespWriter& w) { w.real(1.5); }, "$3\r\n1.5\r\n", ",1.5\r\n");
    check([](RespWriter& w) { w.real(1.1); }, "$18\r\n1.1000000000000001\r\n",
          ",1.1000000000000001\r\n");
    check([](RespWriter& w) { w.real(3); }, "$1\r\n3\r\n", ",3\r\n");
    check([](RespWriter& w) { w.real(-0.0); }, "$2\r\n-0\r\n", ",-0\r\n");
    check([](RespWriter& w) { w.real(1e21); }, "$5\r\n1e+21\r\n", ",1e+21\r\n");
    check([](RespWriter& w) { w.real(-2.2250738585072014e-308); },
          "$24\r\n-2.2250738585072014e-308\r\n", ",-2.2250738585072014e-308\r\n");
    check([=](RespWriter& w) { w.real(infinity); }, "$3\r\ninf\r\n", ",inf\r\n");
    check([=](RespWriter& w) { w.real(-infinity); }, "$4\r\n-inf\r\n", ",-inf\r\n");
    check([](RespWriter& w) { w.real(-std::nan("")); }, "$3\r\nnan\r\n", ",nan\r\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace syncline
