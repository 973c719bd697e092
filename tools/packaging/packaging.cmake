# What is installed beside the program, and Debian packages of it:
#   cmake --preset package && cmake --build build/package && (cd build/package && cpack)
include(GNUInstallDirs)
set(packaging "${CMAKE_SOURCE_DIR}/tools/packaging")
set(made "${CMAKE_BINARY_DIR}/packaging")

if(SYNCLINE_DEBS AND NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  message(FATAL_ERROR "SYNCLINE_DEBS needs -DCMAKE_INSTALL_PREFIX=/usr")
endif()

if(TARGET syncline)
  install(TARGETS syncline COMPONENT server)
  configure_file(${packaging}/syncline.service.in syncline.service @ONLY)
  set(unit_folder lib/systemd/system)
  if(SYNCLINE_DEBS)
    set(unit_folder /lib/systemd/system)
    install(FILES ${packaging}/syncline.toml DESTINATION /etc/syncline COMPONENT server)
  else()
    install(FILES ${packaging}/syncline.toml DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT server)
  endif()
  install(FILES "${CMAKE_BINARY_DIR}/syncline.service" DESTINATION ${unit_folder}
    COMPONENT server)
  install(FILES ${packaging}/monitoring/syncline.rules.yml
    ${packaging}/monitoring/syncline-dashboard.json
    DESTINATION ${CMAKE_INSTALL_DATADIR}/syncline COMPONENT server)

  # Completions and manual pages are asked of the program that was built.
  find_program(SCDOC scdoc)
  set(pages "")
  if(SCDOC)
    set(pages "${made}/syncline.1" "${made}/syncline.toml.5")
  else()
    message(STATUS "No manual pages: scdoc is not installed")
  endif()
  set(completions "${made}/bash/syncline" "${made}/zsh/_syncline" "${made}/fish/syncline.fish")
  add_custom_command(OUTPUT ${completions} ${pages}
    COMMAND ${CMAKE_COMMAND} "-DPROGRAM=$<TARGET_FILE:syncline>" "-DSCDOC=${SCDOC}"
      "-DMAN=${packaging}/man" "-DOUTPUT=${made}" -P ${packaging}/generate.cmake
    DEPENDS syncline ${packaging}/generate.cmake ${packaging}/man/syncline.1.scd
      ${packaging}/man/syncline.toml.5.scd.in
    COMMENT "Completions and manual pages" VERBATIM)
  add_custom_target(packaging_files ALL DEPENDS ${completions} ${pages})
  install(FILES "${made}/bash/syncline" COMPONENT server
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES "${made}/zsh/_syncline" COMPONENT server
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
  install(FILES "${made}/fish/syncline.fish" COMPONENT server
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
  if(SCDOC)
    install(FILES "${made}/syncline.1" DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
      COMPONENT server)
    install(FILES "${made}/syncline.toml.5" DESTINATION ${CMAKE_INSTALL_MANDIR}/man5
      COMPONENT server)
  endif()
endif()

if(SYNCLINE_DEBS)
  include(${packaging}/debian/debian.cmake)
endif()
