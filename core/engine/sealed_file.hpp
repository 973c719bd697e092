#pragma once
#include <optional>
#include <string>

#include "storage/disk.hpp"

/// Small files that say what a replica is and has promised: a checksum, then msgpack that begins
/// with the number of its elements and the version of the format.
namespace syncline {

/// What is behind the checksum; nothing: there is no such file. Errors: io; corrupt
/// (damaged_file()).
Result<std::optional<Bytes>> read_sealed_file(Disk& disk, const std::string& name,
                                              std::size_t bytes_max);
/// Atomic, and durable when it returns. Errors: io, no_space.
Result<void> replace_sealed_file(Disk& disk, const std::string& name, BytesView body);

/// Its content is not what was written. Code corrupt.
Error damaged_file(const std::string& name);
/// It was written by another build. Code version.
Error file_version_error(const std::string& name, std::uint64_t version, std::uint64_t known);

}  // namespace syncline
