# What the project stands on. All of it is packaged in Debian 12 (tools/install_dependencies.sh);
# imported targets count as SYSTEM, so our warnings leave them alone.

find_package(PkgConfig REQUIRED)
pkg_check_modules(uv REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(lmdb REQUIRED IMPORTED_TARGET lmdb)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
# Of the program alone: a library leaves the choice of an allocator to who embeds it.
if(SYNCLINE_JEMALLOC)
  pkg_check_modules(jemalloc REQUIRED IMPORTED_TARGET jemalloc)
endif()
pkg_check_modules(edit REQUIRED IMPORTED_TARGET libedit)
pkg_check_modules(prometheus REQUIRED IMPORTED_TARGET prometheus-cpp-core)

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(nlohmann_json REQUIRED)

# Charts of pages made by tools; goes into the program as it is.
find_file(CHART_JS_FILE chart.min.js PATHS /usr/share/javascript/chart.js REQUIRED)

# find_package(msgpack) finds the C library of that name, so the C++ headers are looked for here.
find_path(MSGPACK_CXX_INCLUDE_DIR msgpack.hpp REQUIRED)
find_file(MSGPACK_CXX_VERSION_FILE NAMES version_master.hpp version_master.h
  PATHS "${MSGPACK_CXX_INCLUDE_DIR}/msgpack" NO_DEFAULT_PATH REQUIRED)
file(STRINGS "${MSGPACK_CXX_VERSION_FILE}" msgpack_version REGEX "VERSION_(MAJOR|MINOR)")
string(REGEX REPLACE ".*MAJOR +([0-9]+).*MINOR +([0-9]+).*" "\\1.\\2" msgpack_version
  "${msgpack_version}")
if(msgpack_version VERSION_LESS 4.1)
  message(FATAL_ERROR "msgpack C++ 4.1 or later is needed; "
    "${MSGPACK_CXX_INCLUDE_DIR} has ${msgpack_version}")
endif()
add_library(msgpack_cxx INTERFACE)
target_include_directories(msgpack_cxx SYSTEM INTERFACE "${MSGPACK_CXX_INCLUDE_DIR}")
target_compile_definitions(msgpack_cxx INTERFACE MSGPACK_NO_BOOST)

# http-parser comes with neither a CMake nor a pkg-config file.
find_path(HTTP_PARSER_INCLUDE_DIR http_parser.h REQUIRED)
find_library(HTTP_PARSER_LIBRARY http_parser REQUIRED)
add_library(http_parser INTERFACE)
target_include_directories(http_parser SYSTEM INTERFACE "${HTTP_PARSER_INCLUDE_DIR}")
target_link_libraries(http_parser INTERFACE "${HTTP_PARSER_LIBRARY}")

# syncline_version.hpp, written anew at each build and touched only when it changes.
set(generated "${CMAKE_BINARY_DIR}/generated")
string(CONCAT library_versions "libuv ${uv_VERSION}, LMDB ${lmdb_VERSION}, "
  "msgpack ${msgpack_version}, xxHash ${xxhash_VERSION}, zstd ${zstd_VERSION}, "
  "OpenSSL ${OPENSSL_VERSION}, fmt ${fmt_VERSION}, spdlog ${spdlog_VERSION}")
find_package(Git QUIET)
add_custom_target(syncline_version_header
  COMMAND ${CMAKE_COMMAND} -DVERSION=${PROJECT_VERSION} -DGIT=${GIT_EXECUTABLE}
    "-DLIBRARIES=${library_versions}"
    -DSOURCE=${CMAKE_SOURCE_DIR} -DOUTPUT=${generated}/syncline_version.hpp
    -P ${CMAKE_SOURCE_DIR}/cmake/version.cmake
  BYPRODUCTS ${generated}/syncline_version.hpp
  COMMENT "Version header" VERBATIM)
add_library(syncline_version INTERFACE)
target_include_directories(syncline_version INTERFACE "${generated}")
add_dependencies(syncline_version syncline_version_header)
