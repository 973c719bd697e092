#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "net/resp_client.hpp"

namespace syncline {

struct Imported {
    std::uint64_t done = 0;    ///< lines, commands or keys taken, those skipped included
    std::uint64_t failed = 0;  ///< of them
};

/// Sends commands to a server in bundles of some hundred, and knows which numbered thing (a line of
/// a file, a key) each of them came from. Confined to one thread.
class CommandSender {
public:
    /// The number of what failed, and what is the matter with it, once for each number.
    using Wrong = std::function<void(std::uint64_t, const std::string&)>;

    /// All that is given must outlive the sender. `stop_at_error`: a refused command is an error of
    /// take() or flush(); else it is told to `wrong` and counted.
    CommandSender(RespClient& client, bool stop_at_error, const Wrong& wrong, Imported& imported)
        : client_(client), stop_at_error_(stop_at_error), wrong_(wrong), imported_(imported) {}

    /// What there is to send for a number, or what is wrong with it. Numbers never fall.
    /// Errors: unavailable (the connection); corrupt: stopped.
    Result<void> take(std::uint64_t number, const Result<std::vector<std::vector<Bytes>>>& said);
    /// Sends the rest and waits for all answers; then `imported.done` is what was taken.
    /// Errors: as take().
    Result<void> flush();
    /// What the server has of a bounded counter; 0 if none. Errors: as take().
    Result<std::int64_t> value_of(const Bytes& key);

private:
    Result<void> fail(std::uint64_t number, const std::string& sentence);

    RespClient& client_;
    bool stop_at_error_;
    const Wrong& wrong_;
    Imported& imported_;
    std::vector<std::uint64_t> numbers_;  ///< of the commands under way
    std::size_t bytes_ = 0;
    std::uint64_t last_ = 0;
    std::uint64_t failed_ = 0;
};

}  // namespace syncline
