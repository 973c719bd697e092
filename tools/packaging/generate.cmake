# Writes completions and manual pages: cmake -DPROGRAM= -DSCDOC= -DMAN= -DOUTPUT= -P generate.cmake
function(ask variable)
  execute_process(COMMAND ${PROGRAM} ${ARGN} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

foreach(shell_file bash:bash/syncline zsh:zsh/_syncline fish:fish/syncline.fish)
  string(REPLACE ":" ";" pair ${shell_file})
  list(GET pair 0 shell)
  list(GET pair 1 file)
  cmake_path(GET file PARENT_PATH folder)
  file(MAKE_DIRECTORY "${OUTPUT}/${folder}")
  execute_process(COMMAND ${PROGRAM} completion ${shell} OUTPUT_FILE "${OUTPUT}/${file}"
    COMMAND_ERROR_IS_FATAL ANY)
endforeach()

# scdoc wants tabs where the sources have four blanks.
if(SCDOC)
  ask(settings config manual)
  foreach(page syncline.1 syncline.toml.5)
    set(source "${MAN}/${page}.scd")
    if(EXISTS "${source}.in")
      configure_file("${source}.in" "${OUTPUT}/${page}.scd" @ONLY)
      set(source "${OUTPUT}/${page}.scd")
    endif()
    file(READ "${source}" text)
    string(REGEX REPLACE "\n    " "\n\t" text "${text}")
    file(WRITE "${OUTPUT}/${page}.tabs.scd" "${text}")
    execute_process(COMMAND ${SCDOC} INPUT_FILE "${OUTPUT}/${page}.tabs.scd"
      OUTPUT_FILE "${OUTPUT}/${page}" COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
endif()
