#pragma once
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "storage/lmdb.hpp"

/// Bases of the tests, and files of theirs.
namespace syncline {

inline std::unique_ptr<Base> open_base(const std::string& path, const LmdbOptions& options) {
    auto base = open_lmdb_base(path, options);
    BOOST_REQUIRE_MESSAGE(base.has_value(), (base ? "" : base.error().message));
    return std::move(base).value();
}

inline Bytes read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(file), {});
}

inline void write_file(const std::string& path, BytesView bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// Changes bits of one byte of a base's data file, in place.
inline void flip_data(const std::string& path, std::uint64_t offset, char bits) {
    std::fstream file(path + "/data.mdb", std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(static_cast<std::streamoff>(offset));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(static_cast<char>(byte ^ bits));
}

}  // namespace syncline
