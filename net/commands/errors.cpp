#include "net/commands/errors.hpp"

#include <iterator>

namespace syncline {
namespace {

struct ErrorText {
    Code code;
    std::string_view text;
    bool with_message;  ///< the text is a prefix of the error's own sentence
};

constexpr ErrorText error_texts[] = {
    {Code::wrong_type, "WRONGTYPE Operation against a key holding the wrong kind of value", false},
    {Code::overflow, "ERR increment or decrement would overflow", false},
    {Code::invalid_argument, error_text::not_integer, false},
    {Code::limit, "ERR ", true},
    {Code::no_space, "MISCONF no space: ", true},
    {Code::unavailable, "LOADING ", true},
    {Code::unauthorized, "NOPERM ", true},
    {Code::no_rights, "NORIGHTS ", true},
    {Code::permanent, "ERR ", true},
    {Code::conflict, "CONFLICT ", true},
    {Code::read_only, "READONLY ", true},
    {Code::io, "MISCONF storage failed: ", true},
    {Code::corrupt, "MISCONF stored data are damaged: ", true},
};

}  // namespace

std::string error_reply(const Error& error) {
    for (const ErrorText& entry : error_texts) {
        if (entry.code != error.code) continue;
        return std::string(entry.text) + (entry.with_message ? error.message : std::string());
    }
    return "ERR " + std::string(code_name(error.code)) + ": " + error.message;
}

std::string error_reply(const Error& error, const Replica* replica) {
    const bool map =
        error.code == Code::no_space && replica != nullptr && replica->limited_by_map();
    return map ? "OOM command not allowed: " + error.message : error_reply(error);
}

std::string outcome_error(Outcome outcome) {
    switch (outcome) {
        case Outcome::done:
            break;
        case Outcome::write_unconfirmed:
            return "NOREPLICAS Not enough backups confirmed the write in time. It is kept on this "
                   "replica, unconfirmed.";
        case Outcome::read_unconfirmed:
            return "NOREPLICAS The data rest on a write that not enough backups have confirmed in "
                   "time.";
        case Outcome::stepped_down:
            return "NOREPLICAS Another replica became the primary before backups confirmed the "
                   "write. It is kept on this replica, unconfirmed.";
    }
    SYNCLINE_ASSERT(outcome != Outcome::done);
    return {};
}

}  // namespace syncline
