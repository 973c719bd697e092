// Manifests and blocks of backups, as a damaged disk may give them.
#include <cstddef>
#include <cstdint>

#include "core/backup/format.hpp"

using namespace syncline;

namespace {

/// The checksums are made right, or hardly anything would get past them.
void try_manifest(BytesView bytes) {
    Bytes manifest = "SYNCLBAK";
    ByteWriter head(manifest);
    head.u32(1);
    head.u64(hash64(bytes));
    head.raw(bytes);
    const Result<BackupManifest> decoded = decode_manifest(manifest);
    if (decoded) SYNCLINE_ASSERT(decode_manifest(encode_manifest(*decoded)).has_value());
    (void)decode_manifest(bytes).has_value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView bytes(reinterpret_cast<const char*>(data), size);
    if (bytes.empty()) return 0;
    const BytesView rest = bytes.substr(1);
    switch (bytes[0] % 4) {
        case 0:
            try_manifest(rest);
            break;
        case 1:
            (void)decode_mark(rest).has_value();
            break;
        case 2:
            (void)decode_rows(rest).has_value();
            break;
        default:
            (void)decode_events(rest).has_value();
    }
    return 0;
}
