# Files inside the program.

# syncline_embed(target name file): `extern const std::string_view name` in namespace
# syncline::embedded holds the bytes of a file; declare it where it is used.
function(syncline_embed target name file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  file(READ "${file}" bytes HEX)
  string(REGEX REPLACE "(................................)" "\\1\n    " bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  set(source "${CMAKE_BINARY_DIR}/generated/embedded/${name}.cpp")
  file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT [[
#include <string_view>

namespace syncline::embedded {
namespace {

constexpr unsigned char @name@_bytes[] = {
    @bytes@0};

}  // namespace

extern const std::string_view @name@;
const std::string_view @name@{reinterpret_cast<const char*>(@name@_bytes), sizeof @name@_bytes - 1};

}  // namespace syncline::embedded
]])
  target_sources(${target} PRIVATE "${source}")
endfunction()
