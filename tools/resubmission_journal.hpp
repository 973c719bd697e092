#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/engine/resubmission.hpp"
#include "storage/disk.hpp"

namespace syncline {

/// What has become of the lines of a file of lost transactions: a file of its own beside it, to
/// which a line of JSON is added before a transaction is sent, and when its answer has come. So
/// that none is sent twice unknowingly, whoever ends in between.
/// Thread-safety: confined to one thread.
class ResubmissionJournal {
public:
    enum class State : std::uint8_t { unsent, sent, done, refused };
    struct Entry {
        State state = State::unsent;
        Dot event;
        Resubmitted result;  ///< when done
    };

    /// Reads what is there, if anything is, and makes nothing. A last line that is cut off counts
    /// as not written: what it would have told never happened, or is asked about again. Errors: io;
    /// corrupt.
    static Result<ResubmissionJournal> open(const std::string& path);

    /// What is known of a line, by number from 1. Null: nothing.
    [[nodiscard]] const Entry* find(std::uint64_t number) const;
    /// Durable when it returns. The reason is for people, of what was refused.
    /// Errors: io, no_space; after them nothing may be sent any more.
    Result<void> note(std::uint64_t number, Entry entry, const std::string& reason = {});

private:
    Result<void> read(BytesView bytes);

    std::string path_;
    std::string name_;  ///< in its directory
    std::unique_ptr<Disk> disk_;
    std::unique_ptr<File> file_;  ///< null until there is one
    std::uint64_t end_ = 0;       ///< of the last whole line
    std::map<std::uint64_t, Entry> entries_;
};

}  // namespace syncline
