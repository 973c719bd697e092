#pragma once
#include "core/base/result.hpp"
#include "core/engine/replica.hpp"

/// Error replies, in the words of Redis 7.0.15 where it has words for them.
namespace syncline::error_text {

constexpr std::string_view syntax = "ERR syntax error";
constexpr std::string_view not_logged_in = "NOAUTH Authentication required.";
constexpr std::string_view not_integer = "ERR value is not an integer or out of range";
constexpr std::string_view hash_not_integer = "ERR hash value is not an integer";
constexpr std::string_view not_float = "ERR value is not a valid float";
constexpr std::string_view hash_not_float = "ERR hash value is not a float";
/// Redis goes further, and loses digits on the way.
constexpr std::string_view float_infinite = "ERR increment would produce NaN or Infinity";
constexpr std::string_view hash_float_infinite = "ERR value is NaN or Infinity";
constexpr std::string_view float_range = "ERR value is out of range, decimals must be below 10^21";
constexpr std::string_view not_positive = "ERR value is out of range, must be positive";
constexpr std::string_view string_too_long =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
constexpr std::string_view protected_mode =
    "DENIED Redis is running in protected mode because protected mode is enabled and no password "
    "is set for the default user. In this mode connections are only accepted from the loopback "
    "interface. If you want to connect from external computers to Redis you may adopt one of the "
    "following solutions: 1) Just disable protected mode sending the command 'CONFIG SET "
    "protected-mode no' from the loopback interface by connecting to Redis from the same host the "
    "server is running, however MAKE SURE Redis is not publicly accessible from internet if you do "
    "so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable "
    "the protected mode by editing the Redis configuration file, and setting the protected mode "
    "option to 'no', and then restarting the server. 3) If you started the server manually just "
    "for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication "
    "password for the default user. NOTE: You only need to do one of the above things in order for "
    "the server to start accepting connections from the outside.";
constexpr std::string_view loading = "LOADING Syncline is waiting to join its cluster";

}  // namespace syncline::error_text

namespace syncline {

/// The reply for an error of the layers below: Redis's text where it has one, else "ERR " and the
/// message. Never holds a value of a user.
std::string error_reply(const Error& error);

/// The same of a replica, which knows what is full: OOM when map-bytes is reached, MISCONF when the
/// disk is full. It may be null.
std::string error_reply(const Error& error, const Replica* replica);

/// The error for a reply whose ground backups did not confirm. Precondition: not done.
std::string outcome_error(Outcome outcome);

}  // namespace syncline
