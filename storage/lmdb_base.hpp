#pragma once
#include <array>
#include <memory>
#include <string>

#include "storage/lmdb_handles.hpp"
#include "storage/mapped_file.hpp"

namespace syncline::lmdb {

/// LMDB's numbers of the tables.
struct Tables {
    std::array<MDB_dbi, tables_count> rows{};
    MDB_dbi format = 0;
    MDB_dbi chunks = 0;
};

/// What a base is made of.
struct Parts {
    std::string path;  ///< the directory
    Descriptor lock;
    MappedFile data;
    Environment environment;
    Tables tables;
    std::uint64_t reserve_bytes = 0;
    std::size_t gradual_rows = 0;
};
std::unique_ptr<Base> make_base(Parts parts);

/// How much of a base is looked at.
enum class Look : std::uint8_t {
    none,
    above_rows,  ///< not at pages of rows of cells, counts and chunks, unless the file is small
    all,
};

/// Looks at the pages of a base without LMDB. Error corrupt: the structure is damaged, and LMDB,
/// which believes what it reads, must not be let at it. Damaged rows alone are no error.
/// Precondition: nobody writes meanwhile. Cost: reads the whole file, or some hundredth of it.
Result<void> check_structure(const std::string& path, Look look = Look::all);

}  // namespace syncline::lmdb
