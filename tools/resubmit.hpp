#pragma once
#include <string>

#include "core/base/result.hpp"
#include "tools/login.hpp"

namespace syncline {

/// `syncline cluster resubmit`.
struct ResubmitOptions {
    std::string input;    ///< what rejoin wrote
    std::string connect;  ///< HOST:PORT of a member
    Login login;
    std::string unanswered;  ///< "send" or "skip": what was sent and not answered; empty: ask
    bool dry_run = false;
    bool yes = false;
};

/// Sends what only an evicted replica had to a member, one new transaction for each, and remembers
/// beside the file which have been taken. Answers with the exit code: failed if any was refused.
/// Errors: invalid_argument, also of a file that rejoin did not write; then nothing is sent. Of the
/// member: unavailable, io.
Result<int> resubmit_file(const ResubmitOptions& options);

}  // namespace syncline
