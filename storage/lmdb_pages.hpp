#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"

namespace syncline {

/// What a walk over the pages of an LMDB data file met.
struct PageReport {
    std::uint64_t pages = 0;       ///< of the file's last state
    std::uint64_t pages_used = 0;  ///< reached from the roots
    std::uint64_t pages_free = 0;  ///< on the free list
    std::uint64_t rows = 0;
    std::uint64_t rows_damaged = 0;     ///< fail their checksum
    std::uint64_t faults = 0;           ///< of the structure
    std::vector<std::string> findings;  ///< the first of both, a sentence each

    [[nodiscard]] bool sound() const { return rows_damaged == 0 && faults == 0; }
};

/// Verifies one row of a named table: false when it is damaged.
using PageRowCheck = std::function<bool(std::string_view table, BytesView key, BytesView stored)>;
/// Called now and then with (pages walked, pages of the file); false gives up.
using PageProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

/// Walks every page of an LMDB 0.9 data file (64-bit, little endian, as Debian's library writes it)
/// from the roots of its last state, with plain reads: nothing on a page is believed before it is
/// checked, so that a damaged file is told from a sound one without LMDB, which has no checksums
/// and may crash on what it reads.
///
/// A fault is: a page that is not what its place says, or is reached twice, or is on the free list
/// as well; a node outside its page; keys of sound rows out of order, or outside what the page
/// above says; numbers of pages or rows that differ from the tree's. A stale page that a damaged
/// pointer leads to is found because it is on the free list, or its keys do not fit.
/// Rows are handed to `check_row`. Nobody may write the file meanwhile.
/// `unread`: tables of which the pages of rows, and long rows, are not read; the pages above them
/// are, and must lead to one place each.
/// Errors: io; corrupt when there is no state to walk (neither meta page is one); unavailable when
/// `progress` gave up. Cost: reads the whole file. Thread-safety: any thread.
Result<PageReport> walk_lmdb_pages(const std::string& data_file, const PageRowCheck& check_row,
                                   const PageProgress& progress,
                                   const std::vector<std::string>& unread = {});

/// Whether the bounds of a page of rows and the places of its nodes agree with each other, as they
/// must before anything is written to it: LMDB would put a row onto others. Says nothing of the
/// rows. Precondition: the page is whole.  O(rows of the page).
bool is_leaf_page_whole(BytesView page);

/// The number of the last commit, as LMDB's newer meta page has it; 0: one of the two is damaged.
/// Error io.
Result<std::uint64_t> last_lmdb_commit(const std::string& data_file);

/// Makes commit `number`, if it is the last one, not to have been: LMDB will open the state before
/// it. Nobody may have the file open. Durable when it returns, also when it was not the last one
/// any more, because an earlier call failed. When there are later commits nothing is written.
/// Errors: io, no_space; corrupt (a meta page is damaged, or the state before is not there).
Result<void> take_back_lmdb_commit(const std::string& data_file, std::uint64_t number);

}  // namespace syncline
