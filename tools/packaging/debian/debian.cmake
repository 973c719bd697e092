# Debian packages, one for each component.
set(debian "${packaging}/debian")

# The archive's objects once more, as a shared library for programs that link it.
add_library(syncline_shared SHARED)
foreach(part IN LISTS package_parts)
  target_sources(syncline_shared PRIVATE $<TARGET_OBJECTS:${part}>)
endforeach()
set_target_properties(syncline_shared PROPERTIES OUTPUT_NAME syncline
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINKER_LANGUAGE CXX)
target_link_libraries(syncline_shared
  PRIVATE Threads::Threads fmt::fmt spdlog::spdlog PkgConfig::xxhash PkgConfig::lmdb
          PkgConfig::zstd PkgConfig::uv OpenSSL::SSL OpenSSL::Crypto)
install(TARGETS syncline_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  COMPONENT runtime NAMELINK_COMPONENT development)

set(CPACK_COMPONENTS_ALL server runtime development)
if(SYNCLINE_PYTHON)
  list(APPEND CPACK_COMPONENTS_ALL python)
  install(TARGETS python_core LIBRARY DESTINATION lib/python3/dist-packages/syncline
    COMPONENT python)
  install(DIRECTORY "${CMAKE_BINARY_DIR}/python/syncline/"
    DESTINATION lib/python3/dist-packages/syncline COMPONENT python
    FILES_MATCHING PATTERN "*.py" PATTERN "*.pyi" PATTERN "py.typed"
    PATTERN "__pycache__" EXCLUDE)
endif()

# What each package says of itself.
set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_NAME syncline)
set(CPACK_PACKAGE_VENDOR Syncline)
set(CPACK_PACKAGE_DIRECTORY "${CMAKE_BINARY_DIR}/debs")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "Syncline developers <syncline@example.org>")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)

set(CPACK_DEBIAN_SERVER_PACKAGE_NAME syncline)
set(CPACK_DEBIAN_SERVER_PACKAGE_SECTION database)
set(CPACK_DEBIAN_SERVER_PACKAGE_SUGGESTS "prometheus, redis-tools")
set(CPACK_DEBIAN_SERVER_DESCRIPTION
"Every replica takes writes on its own, speaks the Redis protocol and meets
the others again: what was written apart is merged, alike everywhere. This
package holds the server, as a service, and the command line.")
set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_EXTRA
  "${debian}/conffiles;${debian}/postinst;${debian}/prerm;${debian}/postrm")

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libsyncline${PROJECT_VERSION_MAJOR})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION
"A database on CRDTs in a program's own process, which keeps in step with
other programs and with servers. This package holds the shared library.")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA "${debian}/triggers")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libsyncline-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
string(CONCAT CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "libsyncline${PROJECT_VERSION_MAJOR} (= ${PROJECT_VERSION}), libfmt-dev, libspdlog-dev, "
  "liblmdb-dev, libuv1-dev, libxxhash-dev, libzstd-dev, libssl-dev")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION
"A database on CRDTs in a program's own process, which keeps in step with
other programs and with servers. This package holds headers, the static
library, and files for CMake and pkg-config.")

if(SYNCLINE_PYTHON)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)  # the one that the module was built for
  math(EXPR python_next "${Python3_VERSION_MINOR} + 1")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_NAME python3-syncline)
  set(CPACK_DEBIAN_PYTHON_PACKAGE_SECTION python)
  string(CONCAT CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS
    "python3 (>= ${Python3_VERSION_MAJOR}.${Python3_VERSION_MINOR}), "
    "python3 (<< ${Python3_VERSION_MAJOR}.${python_next})")
  set(CPACK_DEBIAN_PYTHON_DESCRIPTION
"A database on CRDTs in a Python program's own process, which keeps in step
with other programs and with servers.")
endif()

# Each package has its licence and its changes.
find_program(GZIP gzip REQUIRED)
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
foreach(pair server:syncline runtime:libsyncline${PROJECT_VERSION_MAJOR}
    development:libsyncline-dev python:python3-syncline)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 component)
  list(GET pair 1 package)
  if(NOT component IN_LIST CPACK_COMPONENTS_ALL)
    continue()
  endif()
  set(doc "${made}/doc/${package}")
  file(CONFIGURE OUTPUT "${doc}/changelog" @ONLY CONTENT [[
@package@ (@PROJECT_VERSION@) unstable; urgency=medium

  * Version @PROJECT_VERSION@; see CHANGELOG.md in the sources.

 -- Syncline developers <syncline@example.org>  @now@
]])
  execute_process(COMMAND ${GZIP} -9nf "${doc}/changelog" COMMAND_ERROR_IS_FATAL ANY)
  install(FILES "${doc}/changelog.gz" DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
    COMPONENT ${component})
  install(FILES "${debian}/copyright" DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
    COMPONENT ${component})
endforeach()
install(CODE "
  foreach(page man1/syncline.1 man5/syncline.toml.5)
    set(file \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_MANDIR}/\${page}\")
    if(EXISTS \"\${file}\")
      execute_process(COMMAND ${GZIP} -9nf \"\${file}\" COMMAND_ERROR_IS_FATAL ANY)
    endif()
  endforeach()" COMPONENT server)

include(CPack)
