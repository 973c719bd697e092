# Run by the build: writes OUTPUT, a C++ file that holds the files of the page in SOURCE.
function(content_type path variable)
  get_filename_component(extension "${path}" LAST_EXT)
  if(extension STREQUAL ".html")
    set(${variable} "text/html; charset=utf-8" PARENT_SCOPE)
  elseif(extension STREQUAL ".css")
    set(${variable} "text/css; charset=utf-8" PARENT_SCOPE)
  elseif(extension STREQUAL ".js")
    set(${variable} "text/javascript; charset=utf-8" PARENT_SCOPE)
  elseif(extension STREQUAL ".svg")
    set(${variable} "image/svg+xml" PARENT_SCOPE)
  else()
    message(FATAL_ERROR "${path}: no content type is known for it")
  endif()
endfunction()

set(arrays "")
set(rows "")
set(count 0)
foreach(path IN LISTS FILES)
  content_type("${path}" type)
  get_filename_component(name "${path}" NAME)
  if(name STREQUAL "index.html")
    set(name "")
  endif()
  file(READ "${SOURCE}/${path}" hex HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${hex}")
  string(APPEND arrays "constexpr char file_${count}[] = {${bytes}};\n")
  string(APPEND rows "    {\"/${name}\", {\"${type}\", {file_${count}, sizeof file_${count}}}},\n")
  math(EXPR count "${count} + 1")
endforeach()

file(CONFIGURE OUTPUT "${OUTPUT}" @ONLY CONTENT [[
#include "net/http/web_files.hpp"

namespace syncline {
namespace {

@arrays@
constexpr struct {
    std::string_view path;
    WebFile file;
} files[] = {
@rows@};

}  // namespace

std::optional<WebFile> web_file(std::string_view path) {
    for (const auto& [known, file] : files) {
        if (known == path) return file;
    }
    return std::nullopt;
}

}  // namespace syncline
]])
