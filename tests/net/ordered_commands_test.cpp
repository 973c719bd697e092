// Sorted sets, lists, and keys that end.
#include <boost/test/unit_test.hpp>

#include "core/base/limits.hpp"
#include "tests/net/exchanges.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(ordered_commands)
namespace {

BOOST_AUTO_TEST_CASE(sorted_sets_answer_as_redis_does) {
    CommandBench bench;
    const char* const not_float = "-ERR value is not a valid float\r\n";
    const char* const bad_bound = "-ERR min or max is not a float\r\n";
    play(bench,
         {
             {"ZADD z 1 a 2 b 3 c", ":3\r\n"},
             {"ZADD z NX 9 a 4 d", ":1\r\n"},
             {"ZADD z XX CH 1.5 a 9 e", ":1\r\n"},
             {"ZADD z GT CH 1 a 2.5 b", ":1\r\n"},
             {"ZADD z LT INCR 5 a", "$-1\r\n"},
             {"ZADD z INCR 0.5 a", "$1\r\n2\r\n"},
             {"ZADD z NX XX 1 a", "-ERR XX and NX options at the same time are not compatible\r\n"},
             {"ZADD z GT LT 1 a",
              "-ERR GT, LT, and/or NX options at the same time are not compatible\r\n"},
             {"ZADD z INCR 1 a 2 b",
              "-ERR INCR option supports a single increment-element pair\r\n"},
             {"ZADD z nan a", not_float},
             {"ZADD z 1 a 2", syntax_error},
             {"ZADD z 5 x y z", not_float},
             {"ZINCRBY z inf i", "$3\r\ninf\r\n"},
             {"ZINCRBY z -inf i", "-ERR resulting score is not a number (NaN)\r\n"},
             {"ZREM z i none", ":1\r\n"},
             {"ZSCORE z b", "$3\r\n2.5\r\n"},
             {"ZSCORE z none", "$-1\r\n"},
             {"ZMSCORE z a none", "*2\r\n$1\r\n2\r\n$-1\r\n"},
             {"ZCARD z", ":4\r\n"},
             {"ZRANK z b", ":1\r\n"},
             {"ZREVRANK z b", ":2\r\n"},
             {"ZRANK z none", "$-1\r\n"},
             {"ZRANGE z 0 -1", "*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n"},
             {"ZRANGE z -1 -1 WITHSCORES", "*2\r\n$1\r\nd\r\n$1\r\n4\r\n"},
             {"ZREVRANGE z 0 0", "*1\r\n$1\r\nd\r\n"},
             {"ZRANGE z (2 3 BYSCORE", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n"},
             {"ZRANGE z 3 2 BYSCORE REV LIMIT 1 1", "*1\r\n$1\r\nb\r\n"},
             {"ZRANGE z 0 1 LIMIT 0 1",
              "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or "
              "BYLEX\r\n"},
             {"ZRANGE z x 1 BYSCORE", bad_bound},
             {"ZRANGE z x 1", not_integer},
             {"ZREVRANGEBYSCORE z +inf (3", "*1\r\n$1\r\nd\r\n"},
             {"ZCOUNT z 2 (3", ":2\r\n"},
         });
}

BOOST_AUTO_TEST_CASE(ranges_of_sorted_sets_answer_as_redis_does) {
    CommandBench bench;
    play(bench, {
                    {"ZADD z 2 a 2.5 b 3 c 4 d", ":4\r\n"},
                    {"ZADD same 0 a 0 b 0 c", ":3\r\n"},
                    {"ZRANGEBYLEX same [b +", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n"},
                    {"ZREVRANGEBYLEX same (c -", "*2\r\n$1\r\nb\r\n$1\r\na\r\n"},
                    {"ZLEXCOUNT same - +", ":3\r\n"},
                    {"ZRANGEBYLEX same b +", "-ERR min or max not valid string range item\r\n"},
                    {"ZRANGE same [a + BYLEX WITHSCORES",
                     "-ERR syntax error, WITHSCORES not supported in combination with BYLEX\r\n"},
                    {"ZREMRANGEBYLEX same [b [b", ":1\r\n"},
                    {"ZRANGESTORE copy z 0 1", ":2\r\n"},
                    {"ZREMRANGEBYSCORE copy 2 2", ":1\r\n"},
                    {"ZREMRANGEBYRANK copy 0 -1", ":1\r\n"},
                    {"EXISTS copy", ":0\r\n"},
                    {"ZPOPMIN z", "*2\r\n$1\r\na\r\n$1\r\n2\r\n"},
                    {"ZPOPMAX z 2", "*4\r\n$1\r\nd\r\n$1\r\n4\r\n$1\r\nc\r\n$1\r\n3\r\n"},
                    {"ZPOPMIN z x", "-ERR value is out of range, must be positive\r\n"},
                    {"ZSCAN z 0", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nb\r\n$3\r\n2.5\r\n"},
                    {"ZRANDMEMBER z", "$1\r\nb\r\n"},
                    {"ZRANDMEMBER z -2", "*2\r\n$1\r\nb\r\n$1\r\nb\r\n"},
                    {"TYPE z", "+zset\r\n"},
                    {"GET z", wrong_type},
                    {"SET s 1", "+OK\r\n"},
                    {"ZADD s 1 a", wrong_type},
                    {"ZRANGE s 0 -1", wrong_type},
                    {"HELLO 3", nullptr},
                    {"ZSCORE z b", ",2.5\r\n"},
                    {"ZRANGE z 0 -1 WITHSCORES", "*1\r\n*2\r\n$1\r\nb\r\n,2.5\r\n"},
                });
}

BOOST_AUTO_TEST_CASE(a_transaction_sees_its_own_scores_in_order) {
    CommandBench bench;
    play(bench, {{"ZADD z 1 a 2 b 3 c 4 d", ":4\r\n"},
                 {"MULTI", "+OK\r\n"},
                 {"ZADD z 3.5 a 0 new", "+QUEUED\r\n"},
                 {"ZREM z b", "+QUEUED\r\n"},
                 {"ZRANGE z 0 -1", "+QUEUED\r\n"},
                 {"ZRANGE z (3 0 BYSCORE REV", "+QUEUED\r\n"},
                 {"DEL z", "+QUEUED\r\n"},
                 {"ZINCRBY z 5 b", "+QUEUED\r\n"},
                 {"ZRANGE z 0 -1 WITHSCORES", "+QUEUED\r\n"},
                 {"EXEC",
                  "*7\r\n:1\r\n:1\r\n"
                  "*4\r\n$3\r\nnew\r\n$1\r\nc\r\n$1\r\na\r\n$1\r\nd\r\n"
                  "*1\r\n$3\r\nnew\r\n:1\r\n$1\r\n5\r\n"
                  "*2\r\n$1\r\nb\r\n$1\r\n5\r\n"},
                 {"ZRANGE z 0 -1", "*1\r\n$1\r\nb\r\n"}});
}

BOOST_AUTO_TEST_CASE(keys_end_as_in_redis) {
    CommandBench bench;
    const char* const bad_time = "-ERR invalid expire time in 'set' command\r\n";
    play(
        bench,
        {
            {"SET a 1 EX 100", "+OK\r\n"},
            {"TTL a", ":100\r\n"},
            {"PTTL a", ":100000\r\n"},
            {"EXPIRETIME a", ":1700000100\r\n"},
            {"PEXPIRETIME a", ":1700000100000\r\n"},
            {"SET a 2 KEEPTTL", "+OK\r\n"},
            {"TTL a", ":100\r\n"},
            {"APPEND a x", ":2\r\n"},
            {"TTL a", ":100\r\n"},
            {"SET a 3", "+OK\r\n"},
            {"TTL a", ":-1\r\n"},
            {"TTL none", ":-2\r\n"},
            {"SET a 1 EX 0", bad_time},
            {"SET a 1 PX -5", bad_time},
            {"SET a 1 EX 9223372036854775807", bad_time},
            {"SET a 1 EX x", not_integer},
            {"SET a 1 EX 10 KEEPTTL", syntax_error},
            {"SET a 1 EX", syntax_error},
            {"EXPIRE none 10", ":0\r\n"},
            {"EXPIRE a 10 XX", ":0\r\n"},
            {"EXPIRE a 10 GT", ":0\r\n"},
            {"EXPIRE a 10 NX", ":1\r\n"},
            {"EXPIRE a 20 NX", ":0\r\n"},
            {"EXPIRE a 20 LT", ":0\r\n"},
            {"EXPIRE a 20 GT", ":1\r\n"},
            {"PEXPIRE a 5000 LT", ":1\r\n"},
            {"EXPIREAT a 1700000030", ":1\r\n"},
            {"TTL a", ":30\r\n"},
            {"PEXPIREAT a 1700000040000", ":1\r\n"},
            {"TTL a", ":40\r\n"},
            {"EXPIRE a x", not_integer},
            {"EXPIRE a 9223372036854775807", "-ERR invalid expire time in 'expire' command\r\n"},
            {"EXPIRE a 10 YY", "-ERR Unsupported option YY\r\n"},
            {"EXPIRE a 10 NX XX",
             "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n"},
            {"EXPIRE a 10 GT LT", "-ERR GT and LT options at the same time are not compatible\r\n"},
            {"PERSIST a", ":1\r\n"},
            {"PERSIST a", ":0\r\n"},
            {"GETEX a EX 50", "$1\r\n3\r\n"},
            {"TTL a", ":50\r\n"},
            {"GETEX a PERSIST", "$1\r\n3\r\n"},
            {"TTL a", ":-1\r\n"},
            {"GETEX a PX 0", "-ERR invalid expire time in 'getex' command\r\n"},
            {"GETEX none EX 5", "$-1\r\n"},
            {"SETEX b 10 v", "+OK\r\n"},
            {"PSETEX b 10000 v", "+OK\r\n"},
            {"SETEX b 0 v", "-ERR invalid expire time in 'setex' command\r\n"},
            {"TTL b", ":10\r\n"},
            {"PEXPIREAT b 9223372036854775807", ":1\r\n"},
            {"EXPIRETIME b", ":9223372036854776\r\n"},
            {"EXPIRE b -1", ":1\r\n"},
            {"EXISTS b", ":0\r\n"},
        });
}

BOOST_AUTO_TEST_CASE(what_has_ended_is_hidden_and_then_gone) {
    CommandBench bench;
    play(bench, {{"RPUSH l a b", ":2\r\n"},
                 {"HSET h f v", ":1\r\n"},
                 {"ZADD z 1 m", ":1\r\n"},
                 {"SET stays 1", "+OK\r\n"},
                 {"EXPIRE l 10", ":1\r\n"},
                 {"EXPIRE h 10", ":1\r\n"},
                 {"EXPIRE z 10", ":1\r\n"}});
    bench.clock.now_ms += 10000;
    play(bench, {{"LRANGE l 0 -1", "*0\r\n"},
                 {"HGETALL h", "*0\r\n"},
                 {"HSCAN h 0", "*2\r\n$1\r\n0\r\n*0\r\n"},
                 {"ZRANGE z 0 -1", "*0\r\n"},
                 {"ZCARD z", ":0\r\n"},
                 {"KEYS *", "*1\r\n$5\r\nstays\r\n"},
                 {"SCAN 0", "*2\r\n$1\r\n0\r\n*1\r\n$5\r\nstays\r\n"},
                 {"TYPE l", "+none\r\n"},
                 {"TTL l", ":-2\r\n"},
                 {"DEL l", ":0\r\n"},
                 {"SADD l m", ":1\r\n"},  // of another type, too
                 {"TTL l", ":-1\r\n"},
                 {"RPUSH list x", ":1\r\n"},
                 {"DBSIZE", ":5\r\n"}});
    bench.clock.now_ms += 2 * limits::expiry_grace_ms;
    bench.replica()->tick();
    play(bench, {{"DBSIZE", ":3\r\n"}, {"SMEMBERS l", "*1\r\n$1\r\nm\r\n"}});
    BOOST_TEST(bench.run("INFO stats").find("expired_keys:2\r\n") != std::string::npos);
    BOOST_TEST(bench.replica()->group().check().has_value());
}

BOOST_AUTO_TEST_CASE(lists_answer_as_redis_does) {
    CommandBench bench;
    play(bench,
         {
             {"RPUSH l b c", ":2\r\n"},
             {"LPUSH l a z", ":4\r\n"},
             {"LRANGE l 0 -1", "*4\r\n$1\r\nz\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"},
             {"LPUSHX none a", ":0\r\n"},
             {"RPUSHX l d", ":5\r\n"},
             {"LLEN l", ":5\r\n"},
             {"LINDEX l 0", "$1\r\nz\r\n"},
             {"LINDEX l -1", "$1\r\nd\r\n"},
             {"LINDEX l 5", "$-1\r\n"},
             {"LINDEX l -6", "$-1\r\n"},
             {"LINDEX l x", not_integer},
             {"LSET l 1 A", "+OK\r\n"},
             {"LSET l 5 x", "-ERR index out of range\r\n"},
             {"LSET none 0 x", "-ERR no such key\r\n"},
             {"LINSERT l BEFORE A new", ":6\r\n"},
             {"LINSERT l AFTER A new", ":7\r\n"},
             {"LINSERT l AFTER nobody new", ":-1\r\n"},
             {"LINSERT none AFTER a b", ":0\r\n"},
             {"LINSERT l BESIDE a b", syntax_error},
             {"LRANGE l 1 3", "*3\r\n$3\r\nnew\r\n$1\r\nA\r\n$3\r\nnew\r\n"},
             {"LPOS l new", ":1\r\n"},
             {"LPOS l new RANK -1", ":3\r\n"},
             {"LPOS l new COUNT 0", "*2\r\n:1\r\n:3\r\n"},
             {"LPOS l new COUNT 0 MAXLEN 2", "*1\r\n:1\r\n"},
             {"LPOS l nobody", "$-1\r\n"},
             {"LPOS l new COUNT -1", "-ERR COUNT can't be negative\r\n"},
             {"LPOS l new RANK 0",
              "-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
              "or use negative to start from the end of the list\r\n"},
             {"LREM l -1 new", ":1\r\n"},
             {"LREM l 0 new", ":1\r\n"},
             {"LREM l x new", not_integer},
             {"LPOP l", "$1\r\nz\r\n"},
             {"RPOP l 2", "*2\r\n$1\r\nd\r\n$1\r\nc\r\n"},
             {"LPOP none", "$-1\r\n"},
             {"LPOP none 1", "*-1\r\n"},
             {"LPOP l -1", "-ERR value is out of range, must be positive\r\n"},
             {"LPOP l 1 2", "-ERR wrong number of arguments for 'lpop' command\r\n"},
             {"LRANGE l 0 -1", "*2\r\n$1\r\nA\r\n$1\r\nb\r\n"},
             {"LMOVE l other LEFT RIGHT", "$1\r\nA\r\n"},
             {"LMOVE l other LEFT UP", syntax_error},
             {"RPOPLPUSH l other", "$1\r\nb\r\n"},
             {"RPOPLPUSH l other", "$-1\r\n"},
             {"EXISTS l", ":0\r\n"},
             {"LRANGE other 0 -1", "*2\r\n$1\r\nb\r\n$1\r\nA\r\n"},
             {"LMPOP 2 l other RIGHT COUNT 5", "*2\r\n$5\r\nother\r\n*2\r\n$1\r\nA\r\n$1\r\nb\r\n"},
             {"LMPOP 1 l LEFT", "*-1\r\n"},
             {"LMPOP 0 l LEFT", "-ERR numkeys should be greater than 0\r\n"},
             {"RPUSH t 1 2 3 4 5", ":5\r\n"},
             {"LTRIM t 1 -2", "+OK\r\n"},
             {"LRANGE t -100 100", "*3\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n"},
             {"LTRIM t 5 1", "+OK\r\n"},
             {"TYPE t", "+none\r\n"},
             {"RPUSH l x", ":1\r\n"},
             {"TYPE l", "+list\r\n"},
             {"GET l", wrong_type},
             {"SET s 1", "+OK\r\n"},
             {"LPUSH s a", wrong_type},
             {"LRANGE s 0 -1", wrong_type},
         });
}

BOOST_AUTO_TEST_CASE(a_transaction_sees_its_own_elements_in_order) {
    CommandBench bench;
    play(bench, {{"RPUSH l a b c", ":3\r\n"},
                 {"MULTI", "+OK\r\n"},
                 {"LPOP l", "+QUEUED\r\n"},
                 {"RPUSH l d", "+QUEUED\r\n"},
                 {"LINSERT l AFTER b x", "+QUEUED\r\n"},
                 {"LRANGE l 0 -1", "+QUEUED\r\n"},
                 {"RPOP l 2", "+QUEUED\r\n"},
                 {"LLEN l", "+QUEUED\r\n"},
                 {"EXEC",
                  "*6\r\n$1\r\na\r\n:3\r\n:4\r\n"
                  "*4\r\n$1\r\nb\r\n$1\r\nx\r\n$1\r\nc\r\n$1\r\nd\r\n"
                  "*2\r\n$1\r\nd\r\n$1\r\nc\r\n:2\r\n"},
                 {"LRANGE l 0 -1", "*2\r\n$1\r\nb\r\n$1\r\nx\r\n"}});
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
