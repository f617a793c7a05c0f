# edupulse_add_plugin(NAME SOURCES FILE... [EVENTS FILE.capnp...] [LIBRARIES TARGET...])
#   A shared library libNAME.so that a node loads; see <edupulse/plugin.hpp>. EVENTS are those that
#   it takes and publishes. The target NAME_code is the same code for a test to link.
include_guard()

function(edupulse_add_plugin NAME)
  cmake_parse_arguments(PARSE_ARGV 1 P "" "" "SOURCES;EVENTS;LIBRARIES")
  if(P_UNPARSED_ARGUMENTS OR NOT P_SOURCES)
    message(FATAL_ERROR "edupulse_add_plugin(NAME SOURCES FILE... [EVENTS FILE.capnp...] "
                        "[LIBRARIES TARGET...])")
  endif()
  # Its symbols stay its own: two versions of it may be in one process. What it takes from the
  # runtime it finds in the program.
  add_library(${NAME}_code OBJECT ${P_SOURCES})
  set_target_properties(${NAME}_code PROPERTIES POSITION_INDEPENDENT_CODE ON
                        CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${NAME}_code PRIVATE -fno-gnu-unique)
  endif()
  target_link_libraries(${NAME}_code PUBLIC edupulse::plugin ${P_LIBRARIES})
  if(P_EVENTS)
    _edupulse_compile_events(${NAME}_code ${P_EVENTS})
  endif()
  add_library(${NAME} MODULE)
  target_link_libraries(${NAME} PRIVATE ${NAME}_code)
endfunction()
