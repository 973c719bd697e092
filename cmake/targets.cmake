# Flags of our own code, and how targets are made of folders.

if(SYNCLINE_FUZZ AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "SYNCLINE_FUZZ needs clang, which brings libFuzzer")
endif()

if(SYNCLINE_SANITIZE)
  add_compile_options(-fsanitize=${SYNCLINE_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${SYNCLINE_SANITIZE})
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # Clang's own linker, where it is there, takes a quarter of the time of the system's.
  include(CheckLinkerFlag)
  check_linker_flag(CXX -fuse-ld=lld SYNCLINE_HAS_LLD)
  if(SYNCLINE_HAS_LLD)
    add_link_options(-fuse-ld=lld)
  endif()
endif()
# Assertion messages and logs name files by their place in the project.
add_compile_options(-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=)

add_library(syncline_options INTERFACE)
target_include_directories(syncline_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_options(syncline_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
  -Wnon-virtual-dtor -Woverloaded-virtual
  $<$<BOOL:${SYNCLINE_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc 12 warns of what is not there: overlapping copies in std::string's operator+ (gcc bug
  # 105329) and, with sanitizers, reads of unset members of std::optional and std::variant.
  target_compile_options(syncline_options INTERFACE -Wno-restrict)
  if(CMAKE_UNITY_BUILD)
    # It takes sources that are compiled together for headers of each other.
    target_compile_options(syncline_options INTERFACE -Wno-subobject-linkage)
  endif()
  if(SYNCLINE_SANITIZE)
    target_compile_options(syncline_options INTERFACE -Wno-maybe-uninitialized -Wno-tsan)
  endif()
endif()

# Sets `variable` to the files that match SOURCES, without those that match EXCEPT.
function(syncline_glob variable)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;EXCEPT")
  file(GLOB found CONFIGURE_DEPENDS ${arg_SOURCES})
  if(found AND arg_EXCEPT)
    file(GLOB without CONFIGURE_DEPENDS ${arg_EXCEPT})
    list(REMOVE_ITEM found ${without})
  endif()
  set(${variable} "${found}" PARENT_SCOPE)
endfunction()

# A static library of the files SOURCES without EXCEPT; only its links while there are none.
function(syncline_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;EXCEPT;PUBLIC;PRIVATE")
  syncline_glob(files SOURCES ${arg_SOURCES} EXCEPT ${arg_EXCEPT})
  if(files)
    add_library(${name} STATIC ${files})
    target_link_libraries(${name} PUBLIC syncline_options ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
    if(SYNCLINE_FUZZ)
      target_compile_options(${name} PRIVATE -fsanitize=fuzzer-no-link)
    endif()
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE syncline_options ${arg_PUBLIC})
  endif()
endfunction()

# An executable of the files SOURCES without EXCEPT; nothing while there are none.
function(syncline_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;EXCEPT;LINK")
  syncline_glob(files SOURCES ${arg_SOURCES} EXCEPT ${arg_EXCEPT})
  if(files)
    add_executable(${name} ${files})
    target_link_libraries(${name} PRIVATE syncline_options ${arg_LINK})
  endif()
endfunction()

# Compiles a target, and what links it, with the planted bugs of core/base/mutation.hpp; made
# only when somebody asks for it.
function(syncline_mutations name)
  target_compile_definitions(${name} PUBLIC SYNCLINE_MUTATIONS=1)
  set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
endfunction()

# Makes the files FILES part of a library: net/http/web_files.hpp finds them by name.
function(syncline_web name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "FILES")
  file(GLOB files CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}" ${arg_FILES})
  set(output "${CMAKE_BINARY_DIR}/generated/web_files.cpp")
  list(TRANSFORM files PREPEND "${CMAKE_SOURCE_DIR}/" OUTPUT_VARIABLE paths)
  add_custom_command(OUTPUT "${output}"
    COMMAND ${CMAKE_COMMAND} "-DFILES=${files}" -DSOURCE=${CMAKE_SOURCE_DIR} -DOUTPUT=${output}
      -P ${CMAKE_SOURCE_DIR}/cmake/web.cmake
    DEPENDS ${paths} "${CMAKE_SOURCE_DIR}/cmake/web.cmake"
    COMMENT "Files of the web page" VERBATIM)
  target_sources(${name} PRIVATE "${output}")
endfunction()
