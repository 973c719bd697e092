#pragma once
#include <memory>
#include <string>

#include "core/base/limits.hpp"
#include "storage/base.hpp"
#include "storage/lmdb_pages.hpp"
#include "storage/migration.hpp"

namespace syncline {

struct LmdbOptions {
    std::uint64_t map_bytes = 64ULL << 30;  ///< address space, not memory or disk; see Base::grow
    /// Blocks of the disk that the file keeps behind its end, so that commits still find room when
    /// others have filled the disk. Where the file system cannot do that, none are kept.
    std::uint64_t reserve_bytes = 0;
    /// Commits of at least so many rows leave the disk to others as they go, unless somebody waits.
    std::size_t gradual_rows = limits::gradual_commit_rows;
    const BaseFormat* format = &base_format;  ///< which versions are read; tests have others
};

/// Opens or creates an LMDB environment under `path` (a directory) as a Base. Creation happens in a
/// temporary directory that is renamed into place, so that a power cut leaves nothing half made.
/// Every row carries a checksum, verified on read. Always in full-sync mode; flags MDB_NOTLS and
/// MDB_NORDAHEAD. Takes an exclusive lock for the process.
/// Errors: locked (another process has it), version, corrupt, io, no_space.
Result<std::unique_ptr<Base>> open_lmdb_base(const std::string& path, LmdbOptions options);

/// Looks at every page and every row of a base that nobody has open, without LMDB: what is wrong
/// with it stands in the report. Changes nothing, but takes back a last commit that did not become
/// durable, as open_lmdb_base() would. Errors: locked (somebody has it), io, no_space, corrupt
/// (there is nothing to walk), unavailable (`progress` gave up). Reads the whole file.
Result<PageReport> check_lmdb_base(const std::string& path, const PageProgress& progress);

}  // namespace syncline
