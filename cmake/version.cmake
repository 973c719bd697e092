# Run by the build: writes OUTPUT from VERSION and the commit that SOURCE stands on.
set(commit "unknown")
if(GIT)
  execute_process(COMMAND ${GIT} -C ${SOURCE} rev-parse --short=12 HEAD
    OUTPUT_VARIABLE found RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT failed)
    set(commit "${found}")
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
#pragma once
#include <string_view>

namespace syncline {
inline constexpr std::string_view version_number = "@VERSION@";
inline constexpr std::string_view version_commit = "@commit@";
inline constexpr std::string_view version_libraries = "@LIBRARIES@";
}  // namespace syncline
]])
