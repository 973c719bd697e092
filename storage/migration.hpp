#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "storage/base.hpp"

namespace syncline {

/// The tables of a base that is being brought to another version: bytes as they are stored,
/// checksums included, in the one transaction that also writes the new version.
/// Thread-safety: confined to one thread.
class MigrationTables {
public:
    virtual ~MigrationTables() = default;
    /// Makes the table when it is missing.
    virtual Result<void> create(const std::string& table) = 0;
    /// Rows in key order; false ends the walk. The visitor must not change this table.
    virtual Result<void> scan(const std::string& table, BytesView from,
                              const RowVisitor& visit) = 0;
    virtual Result<void> put(const std::string& table, BytesView key, BytesView stored) = 0;
    /// A missing row is no error.
    virtual Result<void> erase(const std::string& table, BytesView key) = 0;
};

/// Brings a base of version `from` to version `from` + 1.
struct MigrationStep {
    std::uint64_t from;
    Result<void> (*run)(MigrationTables&);
};

/// Which versions a program reads: its own, and those that the steps lead up from.
struct BaseFormat {
    std::uint64_t version;
    std::span<const MigrationStep> steps;  ///< ascending
};

/// What this program writes.
extern const BaseFormat base_format;

/// Runs the steps from `version` to the format's. `path` names the base in errors.
/// Errors: version (it is newer, or no steps lead here), those of the steps.
Result<void> migrate(MigrationTables& tables, const BaseFormat& format, std::uint64_t version,
                     const std::string& path);

}  // namespace syncline
