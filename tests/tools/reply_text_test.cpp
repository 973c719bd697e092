#include "tools/reply_text.hpp"

#include <boost/test/unit_test.hpp>

#include "net/resp.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(reply_text_of_the_shell)
namespace {

std::string shown(BytesView wire, ReplyFormat format = ReplyFormat::typed) {
    RespReplyParser parser;
    parser.feed(wire);
    const Result<std::optional<RespValue>> reply = parser.next();
    BOOST_REQUIRE(reply && reply->has_value());
    return reply_text(**reply, format);
}

}  // namespace

// Expected texts are those of redis-cli 7.0.15, also with -3.
BOOST_AUTO_TEST_CASE(replies_are_written_as_redis_cli_does) {
    BOOST_TEST(shown("+OK\r\n") == "OK\n");
    BOOST_TEST(shown("-ERR no\r\n") == "(error) ERR no\n");
    BOOST_TEST(shown(":-7\r\n") == "(integer) -7\n");
    BOOST_TEST(shown("$-1\r\n") == "(nil)\n");
    BOOST_TEST(shown("*-1\r\n") == "(nil)\n");
    BOOST_TEST(shown("_\r\n") == "(nil)\n");
    BOOST_TEST(shown("#t\r\n") == "(true)\n");
    BOOST_TEST(shown(",3.50\r\n") == "(double) 3.50\n");
    BOOST_TEST(shown("=7\r\ntxt:a\"b\r\n") == "a\"b\n");
    BOOST_TEST(shown("$9\r\na\"\\\n\r\t\x07\b\xff\r\n") == "\"a\\\"\\\\\\n\\r\\t\\a\\b\\xff\"\n");
    BOOST_TEST(shown("*0\r\n") == "(empty array)\n");
    BOOST_TEST(shown("%0\r\n") == "(empty hash)\n");
    BOOST_TEST(shown("~0\r\n") == "(empty set)\n");
}

BOOST_AUTO_TEST_CASE(nested_replies_stand_under_each_other) {
    BOOST_TEST(shown("*2\r\n*2\r\n:1\r\n$1\r\na\r\n*0\r\n") ==
               "1) 1) (integer) 1\n   2) \"a\"\n2) (empty array)\n");
    std::string ten = "*10\r\n";
    for (int i = 0; i < 10; ++i) ten += ":0\r\n";
    BOOST_TEST(shown(ten).substr(0, 17) == " 1) (integer) 0\n ");
    BOOST_TEST(shown("%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n*2\r\n:2\r\n:3\r\n") ==
               "1# \"a\" => (integer) 1\n2# \"b\" => \n   1) (integer) 2\n   2) (integer) 3\n");
    BOOST_TEST(shown("~2\r\n:1\r\n:2\r\n") == "1~ (integer) 1\n2~ (integer) 2\n");
    BOOST_TEST(shown("%1\r\n+a\r\n*1\r\n:1\r\n") == "1# a => 1) (integer) 1\n");
}

BOOST_AUTO_TEST_CASE(raw_replies_are_bytes) {
    BOOST_TEST(shown("$2\r\na\n\r\n", ReplyFormat::raw) == "a\n\n");
    BOOST_TEST(shown("$-1\r\n", ReplyFormat::raw) == "\n");
    BOOST_TEST(shown("-ERR no\r\n", ReplyFormat::raw) == "ERR no\n\n");
    BOOST_TEST(shown("*2\r\n*2\r\n:1\r\n:2\r\n$1\r\na\r\n", ReplyFormat::raw) == "1\n2\na\n");
    BOOST_TEST(shown("%1\r\n+a\r\n:1\r\n", ReplyFormat::raw) == "a 1\n");
    BOOST_TEST(shown("$2\r\na\n\r\n", ReplyFormat::verbatim) == "a\n");
}

BOOST_AUTO_TEST_CASE(json_has_a_line_for_each_reply) {
    BOOST_TEST(shown("+OK\r\n", ReplyFormat::json) == "\"OK\"\n");
    BOOST_TEST(shown("-ERR no\r\n", ReplyFormat::json) == "{\"error\":\"ERR no\"}\n");
    BOOST_TEST(shown("*4\r\n:1\r\n$1\r\n\xff\r\n_\r\n#f\r\n", ReplyFormat::json) ==
               "[1,{\"hex\":\"ff\"},null,false]\n");
    BOOST_TEST(shown("%2\r\n:1\r\n,1.5\r\n+a\r\n,inf\r\n", ReplyFormat::json) ==
               "{\"1\":1.5,\"a\":\"inf\"}\n");
}

BOOST_AUTO_TEST_CASE(what_is_quoted_is_read_back) {
    Bytes all;
    for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
    const std::optional<std::vector<Bytes>> read = split_arguments(quoted_argument(all));
    BOOST_REQUIRE(read && read->size() == 1);
    BOOST_TEST((*read)[0] == all);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
