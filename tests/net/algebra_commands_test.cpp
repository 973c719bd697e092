// Unions, intersections and differences, and random elements.
#include <boost/test/unit_test.hpp>

#include "tests/net/exchanges.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(algebra_commands)
namespace {

BOOST_AUTO_TEST_CASE(sets_are_combined) {
    CommandBench bench;
    play(bench, {
                    {"SADD s a b", ":2\r\n"},
                    {"SADD t b c", ":2\r\n"},
                    {"SINTER s t", "*1\r\n$1\r\nb\r\n"},
                    {"SINTER s none", "*0\r\n"},
                    {"SDIFF s t", "*1\r\n$1\r\na\r\n"},
                    {"SUNIONSTORE u s t", ":3\r\n"},
                    {"SMISMEMBER u a b c", "*3\r\n:1\r\n:1\r\n:1\r\n"},
                    {"SINTERCARD 2 u s LIMIT 1", ":1\r\n"},
                    {"SINTERCARD 2 u s LIMIT 0", ":2\r\n"},
                    {"SINTERCARD 1 u LIMIT -1", "-ERR LIMIT can't be negative\r\n"},
                    {"SDIFFSTORE u s s", ":0\r\n"},
                    {"EXISTS u", ":0\r\n"},
                    {"SET text v", "+OK\r\n"},
                    {"SINTER none text", wrong_type},
                    {"SINTERSTORE text s t", ":1\r\n"},
                    {"TYPE text", "+set\r\n"},
                });
}

BOOST_AUTO_TEST_CASE(sorted_sets_are_combined) {
    CommandBench bench;
    play(
        bench,
        {
            {"ZADD z 2 a inf b", ":2\r\n"},
            {"SADD s b c", ":2\r\n"},
            {"ZUNION 2 z s WEIGHTS 3 -1 WITHSCORES",
             "*6\r\n$1\r\nc\r\n$2\r\n-1\r\n$1\r\na\r\n$1\r\n6\r\n$1\r\nb\r\n$3\r\ninf\r\n"},
            {"ZINTER 2 z s WEIGHTS 0 5 AGGREGATE MAX WITHSCORES", "*2\r\n$1\r\nb\r\n$1\r\n5\r\n"},
            {"ZINTERCARD 2 z s", ":1\r\n"},
            {"ZUNION 1 z AGGREGATE none", syntax_error},
            {"ZUNION 1 z WEIGHTS nan", "-ERR weight value is not a float\r\n"},
            {"ZDIFF 0 z", "-ERR at least 1 input key is needed for 'zdiff' command\r\n"},
            {"ZDIFFSTORE s 2 z s", ":1\r\n"},
            {"ZRANGE s 0 -1 WITHSCORES", "*2\r\n$1\r\na\r\n$1\r\n2\r\n"},
            {"ZMPOP 2 none z MAX COUNT 1", "*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\nb\r\n$3\r\ninf\r\n"},
            {"ZMPOP 1 none MIN", "*-1\r\n"},
            {"ZINTERSTORE z 2 z none", ":0\r\n"},
            {"EXISTS z", ":0\r\n"},
        });
}

BOOST_AUTO_TEST_CASE(a_store_in_a_transaction_sees_what_came_before_it) {
    CommandBench bench;
    play(bench,
         {
             {"SADD s a", ":1\r\n"},
             {"MULTI", "+OK\r\n"},
             {"SADD s b", "+QUEUED\r\n"},
             {"SUNIONSTORE t s", "+QUEUED\r\n"},
             {"ZUNIONSTORE s 2 s t", "+QUEUED\r\n"},
             {"EXEC", "*3\r\n:1\r\n:2\r\n:2\r\n"},
             {"ZRANGE s 0 -1 WITHSCORES", "*4\r\n$1\r\na\r\n$1\r\n2\r\n$1\r\nb\r\n$1\r\n2\r\n"},
         });
}

BOOST_AUTO_TEST_CASE(random_elements_are_drawn) {
    CommandBench bench;
    play(bench, {
                    {"SADD s a", ":1\r\n"},
                    {"HSET h f v", ":1\r\n"},
                    {"SRANDMEMBER s", "$1\r\na\r\n"},
                    {"SRANDMEMBER s 3", "*1\r\n$1\r\na\r\n"},
                    {"SRANDMEMBER s -2", "*2\r\n$1\r\na\r\n$1\r\na\r\n"},
                    {"SRANDMEMBER s -1048577", "-ERR value is out of range\r\n"},
                    {"SRANDMEMBER s 1 x", syntax_error},
                    {"HRANDFIELD h -1 WITHVALUES", "*2\r\n$1\r\nf\r\n$1\r\nv\r\n"},
                    {"HRANDFIELD none", "$-1\r\n"},
                    {"HRANDFIELD none 1", "*0\r\n"},
                    {"SCARD s", ":1\r\n"},
                });
}

BOOST_AUTO_TEST_CASE(keys_behind_a_number_are_found) {
    CommandBench bench;
    play(bench,
         {
             {"COMMAND GETKEYS ZUNIONSTORE d 2 a b", "*3\r\n$1\r\nd\r\n$1\r\na\r\n$1\r\nb\r\n"},
             {"COMMAND GETKEYS SINTERCARD 1 a LIMIT 2", "*1\r\n$1\r\na\r\n"},
             {"COMMAND GETKEYS ZUNION 3 a b", "-ERR Invalid arguments specified for command\r\n"},
         });
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
