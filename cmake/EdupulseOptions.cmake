# Build options. A consumer (add_subdirectory) sees a library; a contributor sees the workshop.
include_guard()

option(EDUPULSE_DEVELOPER "Tests, examples, benchmarks, warnings as errors" ${PROJECT_IS_TOP_LEVEL})
option(EDUPULSE_PROGRAMS "edupulse, edupulse-node, edupulse-pki; need CLI11 and nlohmann-json" ${PROJECT_IS_TOP_LEVEL})
set(EDUPULSE_SANITIZE "" CACHE STRING "address, thread or undefined; several with commas")

option(EDUPULSE_FUZZ "Programs of libFuzzer for tests/fuzz; needs clang" OFF)
option(EDUPULSE_PLANTED_BUGS "The bugs of schemas/planted.hpp, for tests of the tests" OFF)

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug, RelWithDebInfo" FORCE)
endif()

find_program(EDUPULSE_CCACHE ccache)
if(EDUPULSE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${EDUPULSE_CCACHE}")
endif()

# Flags of our own code, and of nobody who uses us.
add_library(edupulse_flags INTERFACE)
target_compile_features(edupulse_flags INTERFACE cxx_std_20)
if(EDUPULSE_DEVELOPER)
  target_compile_options(edupulse_flags INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
                                                  -Werror)
  # GCC 12 sees overlapping copies in `text + std::string` that are not there (GCC bug 105651).
  target_compile_options(edupulse_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
  # With a sanitizer's checks in between GCC loses sight of what a pointer points to, and of what
  # std::regex has initialized (GCC bug 105562).
  if(EDUPULSE_SANITIZE)
    target_compile_options(edupulse_flags INTERFACE
      "$<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow;-Wno-maybe-uninitialized>")
  endif()
endif()
if(EDUPULSE_SANITIZE)
  string(REPLACE "," ";" _sanitizers "${EDUPULSE_SANITIZE}")
  foreach(_one IN LISTS _sanitizers)
    add_compile_options(-fsanitize=${_one} -fno-omit-frame-pointer -g)
    add_link_options(-fsanitize=${_one})
    if(_one STREQUAL "undefined")
      # CAF binds references to null in its function-spawning templates (init_fun_factory.hpp).
      add_compile_options(-fno-sanitize=null -fno-sanitize-recover=undefined)
    endif()
  endforeach()
endif()
if(EDUPULSE_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "EDUPULSE_FUZZ needs clang: cmake --preset fuzz")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(EDUPULSE_PLANTED_BUGS)
  add_compile_definitions(EDUPULSE_PLANTED_BUGS)
endif()
