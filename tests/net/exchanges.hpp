#pragma once
#include <boost/test/unit_test.hpp>
#include <initializer_list>
#include <string>

#include "tests/net/command_bench.hpp"

/// Requests with the replies that must come.
namespace syncline {

/// A request line and the exact bytes of its reply, or null for any. The bytes are those of Redis
/// 7.0.15.
struct Exchange {
    const char* line;
    const char* reply;
};

inline const char* const wrong_type =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
inline const char* const not_integer = "-ERR value is not an integer or out of range\r\n";
inline const char* const syntax_error = "-ERR syntax error\r\n";

inline void play(CommandBench& bench, std::initializer_list<Exchange> exchanges) {
    for (const Exchange& exchange : exchanges) {
        BOOST_TEST_CONTEXT(exchange.line) {
            const std::string reply = bench.run(exchange.line);
            if (exchange.reply != nullptr) BOOST_TEST(reply == exchange.reply);
        }
    }
}

}  // namespace syncline
