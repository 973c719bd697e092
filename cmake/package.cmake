# The installed library: one archive of what an embedded replica needs, the public headers,
# find_package(syncline CONFIG) and pkg-config.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_parts syncline_base syncline_crdt syncline_storage syncline_core syncline_peer)
add_library(syncline_package STATIC)
foreach(part IN LISTS package_parts)
  target_sources(syncline_package PRIVATE $<TARGET_OBJECTS:${part}>)
endforeach()
set_target_properties(syncline_package PROPERTIES
  OUTPUT_NAME syncline EXPORT_NAME syncline LINKER_LANGUAGE CXX)
target_compile_features(syncline_package INTERFACE cxx_std_20)
target_include_directories(syncline_package
  INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(syncline_package
  PUBLIC Threads::Threads
  PRIVATE fmt::fmt spdlog::spdlog PkgConfig::xxhash PkgConfig::lmdb PkgConfig::zstd PkgConfig::uv
          OpenSSL::SSL OpenSSL::Crypto)

install(TARGETS syncline_package EXPORT syncline DESTINATION ${CMAKE_INSTALL_LIBDIR}
  COMPONENT development)
# The public headers include each other by relative paths, so that they are installed as they are.
foreach(header
    core/database.hpp core/database_handles.hpp core/backup/progress.hpp net/node.hpp
    crdt/bounded_counter.hpp crdt/dot.hpp crdt/version_vector.hpp
    core/base/assert.hpp core/base/bytes.hpp core/base/durability.hpp
    core/base/pack.hpp core/base/result.hpp)
  cmake_path(GET header PARENT_PATH folder)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/syncline/${folder}
    COMPONENT development)
endforeach()

set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/syncline)
install(EXPORT syncline NAMESPACE syncline:: FILE synclineTargets.cmake
  DESTINATION ${package_directory} COMPONENT development)
configure_package_config_file(cmake/synclineConfig.cmake.in synclineConfig.cmake
  INSTALL_DESTINATION ${package_directory})
write_basic_package_version_file(synclineConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/synclineConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/synclineConfigVersion.cmake" DESTINATION ${package_directory}
  COMPONENT development)

# ${pcfiledir} stands for where the file is in the end, so that the prefix may be chosen late.
file(RELATIVE_PATH package_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file(cmake/syncline.pc.in syncline.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/syncline.pc"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
