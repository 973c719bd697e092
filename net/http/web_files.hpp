#pragma once
#include <optional>
#include <string_view>

namespace syncline {

/// A file of the page; the views are valid for ever.
struct WebFile {
    std::string_view type;  ///< for Content-Type
    std::string_view bytes;
};

/// The file at a path of the HTTP port, "/" included; nothing at other paths. The files stand in
/// net/web; the build makes them part of the program.
std::optional<WebFile> web_file(std::string_view path);

}  // namespace syncline
