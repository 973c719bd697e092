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

}  // namespace syncline
