#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"

namespace syncline::powercut {

/// What a recorded process did below the watched directory, in the order of effects.
enum class Kind : std::uint8_t {
    process,           ///< a process began; none of another one follows before its end
    make_file,         ///< `path`: an empty file that was not there
    make_directory,    ///< `path`
    write,             ///< `number`: offset; payload: bytes. Not yet on disk
    write_synced,      ///< the write before it, through O_DSYNC, has returned
    resize,            ///< `number`: the new size
    sync_begin,        ///< `number`: names the call
    sync_end,          ///< `number`: of sync_begin; all before that is on disk
    rename,            ///< `path` to `path_to`
    link,              ///< `path` also as `path_to`
    remove_file,       ///< `path`
    remove_directory,  ///< `path`
    mark,              ///< payload: what the program says
    unknown,           ///< payload: what the replayer has no rule for; the trace is of no use
};

/// How records stand in the trace file, in the machine's own byte order: a head, then the payload.
struct RecordHead {
    std::uint32_t payload_bytes;
    std::uint32_t kind;
    std::uint64_t file;  ///< inode
    std::uint64_t number;
};
static_assert(sizeof(RecordHead) == 24);

/// Paths are relative to the watched directory; two in one payload have a zero byte between them.
struct Record {
    Kind kind = Kind::unknown;
    std::uint64_t file = 0;
    std::uint64_t number = 0;
    BytesView payload;

    [[nodiscard]] BytesView path() const { return payload.substr(0, payload.find('\0')); }
    [[nodiscard]] BytesView path_to() const {
        return payload.size() > path().size() ? payload.substr(path().size() + 1) : BytesView{};
    }
};

/// A trace file in memory; owns what the records show.
class Trace {
public:
    /// Error io; corrupt when the file ends inside of a record, or holds an unknown one.
    static Result<Trace> load(const std::string& path);

    [[nodiscard]] const std::vector<Record>& records() const { return records_; }

private:
    std::vector<char> bytes_;  // not a string: moving it must not move the bytes
    std::vector<Record> records_;
};

}  // namespace syncline::powercut
