#include "core/engine/sealed_file.hpp"

#include "core/base/hash.hpp"

namespace syncline {
namespace {

constexpr std::size_t sealed_checksum_bytes = 8;

}  // namespace

Result<std::optional<Bytes>> read_sealed_file(Disk& disk, const std::string& name,
                                              std::size_t bytes_max) {
    SYNCLINE_TRY(std::optional<Bytes> bytes, read_file(disk, name, bytes_max));
    if (!bytes) return bytes;
    ByteReader head(BytesView(*bytes).substr(0, sealed_checksum_bytes));
    const std::uint64_t checksum = head.u64();
    if (!head.done()) return damaged_file(name);
    bytes->erase(0, sealed_checksum_bytes);
    if (checksum != hash64(*bytes)) return damaged_file(name);
    return bytes;
}

Result<void> replace_sealed_file(Disk& disk, const std::string& name, BytesView body) {
    Bytes bytes;
    ByteWriter(bytes).u64(hash64(body));
    bytes += body;
    return replace_file(disk, name, bytes);
}

Error damaged_file(const std::string& name) {
    return Error{Code::corrupt, "the file \"" + name + "\" is damaged"};
}

Error file_version_error(const std::string& name, std::uint64_t version, std::uint64_t known) {
    return Error{Code::version, "the file \"" + name + "\" has format " + std::to_string(version) +
                                    ", this build knows " + std::to_string(known)};
}

}  // namespace syncline
