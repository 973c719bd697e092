#include "tools/redis_reader.hpp"

#include <boost/test/unit_test.hpp>

namespace syncline {
BOOST_AUTO_TEST_SUITE(redis_reader)
namespace {

std::string refusal_of_url(const std::string& url) {
    const Result<RedisAddress> address = parse_redis_url(url);
    return address ? "none" : address.error().message;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_url_says_where_and_who) {
    const Result<RedisAddress> all = parse_redis_url("redis://ann:p%40ss%3a1@[::1]:6400/12");
    BOOST_REQUIRE(all);
    BOOST_TEST(all->endpoint.host == "::1");
    BOOST_TEST(all->endpoint.port == 6400);
    BOOST_TEST(all->user == "ann");
    BOOST_TEST(all->password == "p@ss:1");
    BOOST_TEST(all->database == 12U);
    const Result<RedisAddress> least = parse_redis_url("redis://host");
    BOOST_REQUIRE(least);
    BOOST_TEST(least->endpoint.host == "host");
    BOOST_TEST(least->endpoint.port == 6379);
    BOOST_TEST(least->user.empty());
    BOOST_TEST(least->database == 0U);
    const Result<RedisAddress> v6 = parse_redis_url("redis://:secret@[::1]/");
    BOOST_REQUIRE(v6);
    BOOST_TEST(v6->endpoint.port == 6379);
    BOOST_TEST(v6->password == "secret");
    BOOST_TEST(v6->user.empty());
}

BOOST_AUTO_TEST_CASE(a_wrong_url_is_refused_without_its_password) {
    for (const char* const url :
         {"http://x", "redis://u:hidden@h:x", "redis://u:hidden@h/x", "redis://u:hidden%4@h",
          "redis://u:hidden@h/-1", "rediss://u:hidden@h", "redis://u:hidden@", "redis://h:70000"}) {
        const std::string refused = refusal_of_url(url);
        BOOST_TEST(refused != "none", url);
        BOOST_TEST(refused.find("hidden") == std::string::npos, refused);
    }
    BOOST_TEST(refusal_of_url("rediss://h").find("TLS") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(types_of_redis_are_known) {
    for (const char* const type : {"string", "list", "hash", "set", "zset"}) {
        BOOST_TEST(RedisReader::can_read(type));
    }
    for (const char* const type : {"stream", "ReJSON-RL", "none", "text"}) {
        BOOST_TEST(!RedisReader::can_read(type));
    }
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
