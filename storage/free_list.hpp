#pragma once
#include <string>

#include "storage/lmdb_handles.hpp"
#include "storage/mapped_file.hpp"

namespace syncline::lmdb {

/// LMDB's table of free pages, one row for each commit that freed some.
struct FreeList {
    std::uint64_t commit = 0;  ///< the last one
    std::uint64_t pages = 0;
    std::uint64_t fresh = 0;  ///< of these freed by the last commit: the next leaves them alone
    std::uint64_t hash = 0;   ///< of all of it
};
/// As the last commit left it. Errors: corrupt (it reaches out of the file), io.
/// Cost: reads the list.  Thread-safety: any thread.
Result<FreeList> read_free_list(MDB_env* environment, const MappedFile& data);

/// Whether the page that names the tables agrees with itself; each commit that changes a table
/// writes there. Errors: io.  Thread-safety: any thread.
Result<bool> is_list_of_tables_whole(MDB_env* environment, const MappedFile& data);

/// What the free list of a base was, in a file beside it. Pages on the list are what the next
/// commit writes to, and LMDB has no checksums: a damaged list makes it write over rows that
/// everybody has seen to be sound. The seal is not synced. One that is missing, torn or older than
/// the base says nothing: after a power cut, and once for bases of older versions.
/// Thread-safety: one thread at a time.
class FreeListSeal {
public:
    explicit FreeListSeal(const std::string& base_path);

    /// Where that fails the next start cannot know.
    void set(const FreeList& list);

    enum class Finding : std::uint8_t { same, unknown, different };
    /// Of the list as it is now. Errors: io.
    [[nodiscard]] Result<Finding> compare(const FreeList& list) const;

private:
    std::string name_;
    Descriptor file_{-1};
};

}  // namespace syncline::lmdb
