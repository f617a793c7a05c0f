# edupulse_add_events(TARGET FILE.capnp...)
#   Compiles event schemas into TARGET. Sources then include "FILE.capnp.h", which holds Cap'n
#   Proto's C++ classes and what EduPulse knows of each struct with `$Event.name`.
# edupulse_add_schemas(TARGET SUBDIR FILE.capnp...)
#   Plain Cap'n Proto, for schemas that hold no events; included as "SUBDIR/FILE.capnp.h".
include_guard()

function(_edupulse_capnp_tools)
  find_program(EDUPULSE_CAPNP capnp REQUIRED)
  find_program(EDUPULSE_CAPNPC_CXX capnpc-c++ REQUIRED)
endfunction()

function(edupulse_add_events TARGET)
  _edupulse_compile_events(${TARGET} ${ARGN})
  target_link_libraries(${TARGET} PUBLIC edupulse::schemas)
endfunction()

function(_edupulse_compile_events TARGET)
  _edupulse_capnp_tools()
  if(TARGET capnpc-edupulse)
    set(_plugin capnpc-edupulse)
    set(_import "${edupulse_IMPORT_DIR}")
  else()
    set(_plugin edupulse::capnpc-edupulse)
    set(_import "${edupulse_IMPORT_DIR}")
  endif()
  set(_out "${CMAKE_CURRENT_BINARY_DIR}/events/${TARGET}")
  file(MAKE_DIRECTORY "${_out}/raw")
  set(_objects "")
  foreach(_file IN LISTS ARGN)
    get_filename_component(_path "${_file}" ABSOLUTE)
    get_filename_component(_dir "${_path}" DIRECTORY)
    get_filename_component(_name "${_path}" NAME)
    add_custom_command(
      OUTPUT "${_out}/raw/${_name}.h" "${_out}/raw/${_name}.c++" "${_out}/${_name}.h"
      COMMAND "${EDUPULSE_CAPNP}" compile --no-standard-import -I "${_import}"
              -I "${edupulse_CAPNP_INCLUDE_DIR}" --src-prefix=${_dir}
              "-o${EDUPULSE_CAPNPC_CXX}:${_out}/raw" "-o$<TARGET_FILE:${_plugin}>:${_out}"
              "${_path}"
      DEPENDS "${_path}" ${_plugin} "${_import}/edupulse/event.capnp"
      COMMENT "Events of ${_name}" VERBATIM)
    list(APPEND _objects "${_out}/raw/${_name}.c++" "${_out}/${_name}.h")
    set_source_files_properties("${_out}/raw/${_name}.c++" PROPERTIES COMPILE_OPTIONS "-w"
                                SKIP_PRECOMPILE_HEADERS ON)
  endforeach()
  target_sources(${TARGET} PRIVATE ${_objects})
  target_include_directories(${TARGET} SYSTEM PUBLIC "$<BUILD_INTERFACE:${_out}>")
endfunction()

function(edupulse_add_schemas TARGET SUBDIR)
  _edupulse_capnp_tools()
  set(_out "${CMAKE_CURRENT_BINARY_DIR}/generated")
  file(MAKE_DIRECTORY "${_out}/${SUBDIR}")
  foreach(_file IN LISTS ARGN)
    get_filename_component(_path "${_file}" ABSOLUTE)
    get_filename_component(_dir "${_path}" DIRECTORY)
    get_filename_component(_name "${_path}" NAME)
    add_custom_command(
      OUTPUT "${_out}/${SUBDIR}/${_name}.h" "${_out}/${SUBDIR}/${_name}.c++"
      COMMAND "${EDUPULSE_CAPNP}" compile --no-standard-import -I "${edupulse_IMPORT_DIR}"
              -I "${edupulse_CAPNP_INCLUDE_DIR}" --src-prefix=${_dir}
              "-o${EDUPULSE_CAPNPC_CXX}:${_out}/${SUBDIR}" "${_path}"
      DEPENDS "${_path}"
      COMMENT "Schema ${_name}" VERBATIM)
    target_sources(${TARGET} PRIVATE "${_out}/${SUBDIR}/${_name}.c++" "${_out}/${SUBDIR}/${_name}.h")
    set_source_files_properties("${_out}/${SUBDIR}/${_name}.c++" PROPERTIES COMPILE_OPTIONS "-w"
                                SKIP_PRECOMPILE_HEADERS ON)
  endforeach()
  target_include_directories(${TARGET} SYSTEM PUBLIC "$<BUILD_INTERFACE:${_out}>")
endfunction()
