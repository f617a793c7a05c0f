# One way of using the library from outside, from nothing to a running program. CASE is
#   prefix        `cmake --install` into WORK/prefix, which is moved there, so that nothing can
#                 depend on where it was installed. The next four need it.
#   find_package  CMake: find_package, edupulse_add_events, edupulse::runtime, edupulse::testing
#   plugin        CMake: edupulse_add_plugin, its test, and a program with edupulse::plugin_host
#   samples       CMake: examples/plugins, alone
#   pkg_config    a compiler and pkg-config, without CMake
#   subproject    add_subdirectory: builds the library and nothing else
cmake_minimum_required(VERSION 3.25)
set(prefix "${WORK}/prefix")
set(here "${CMAKE_CURRENT_LIST_DIR}")
set(dir "${WORK}/${CASE}")
if(NOT CASE STREQUAL "prefix")
  file(REMOVE_RECURSE "${dir}")
  file(MAKE_DIRECTORY "${dir}")
endif()

function(run)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY "${dir}" RESULT_VARIABLE result
                  OUTPUT_VARIABLE out ERROR_VARIABLE err)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "answered ${result}: ${command}\n${out}${err}")
  endif()
  set(out "${out}" PARENT_SCOPE)
endfunction()

function(expect_lesson)
  if(NOT out STREQUAL "Quantum mechanics\n")
    message(FATAL_ERROR "the consumer ran, but printed: ${out}")
  endif()
endfunction()

function(configure SOURCE_DIR)
  run("${CMAKE_COMMAND}" -S "${SOURCE_DIR}" -B build -G "${GENERATOR}"
      "-DCMAKE_CXX_COMPILER=${CXX}" "-DCMAKE_CXX_FLAGS=${FLAGS}" ${ARGN})
endfunction()

function(check_prefix)
  set(dir "${WORK}")
  file(REMOVE_RECURSE "${prefix}" "${prefix}.before")
  run("${CMAKE_COMMAND}" --install "${BUILD}" --config "${CONFIG}" --prefix "${prefix}.before")
  file(RENAME "${prefix}.before" "${prefix}")
  foreach(program IN ITEMS edupulse edupulse-node edupulse-pki)
    run("${prefix}/bin/${program}" --help)
  endforeach()
  file(GLOB_RECURSE texts "${prefix}/*.cmake" "${prefix}/*.pc" "${prefix}/*.h" "${prefix}/*.hpp")
  foreach(text IN LISTS texts)
    file(READ "${text}" content)
    foreach(place IN ITEMS "${SOURCE}" "${BUILD}" "${prefix}.before")
      string(FIND "${content}" "${place}" at)
      if(NOT at EQUAL -1)
        message(FATAL_ERROR "${text} names ${place}, which others do not have")
      endif()
    endforeach()
  endforeach()
endfunction()

function(check_find_package)
  configure("${here}/consumer" "-DCMAKE_PREFIX_PATH=${prefix}")
  run("${CMAKE_COMMAND}" --build build --config "${CONFIG}")
  run(build/handler_test)
  run(build/mirror_test)
  run(build/consumer)
  expect_lesson()
endfunction()

# The plugin is copied to where nobody else can write: the build may lie anywhere.
function(check_plugin)
  configure("${here}/plugin" "-DCMAKE_PREFIX_PATH=${prefix}")
  run("${CMAKE_COMMAND}" --build build --config "${CONFIG}")
  run(build/greeter_test)
  run(mktemp -d)
  string(STRIP "${out}" safe)
  file(COPY "${dir}/build/libgreeter.so" DESTINATION "${safe}"
       FILE_PERMISSIONS OWNER_READ OWNER_WRITE)
  run(build/host "${prefix}/bin/edupulse-plugin-probe" "${safe}/libgreeter.so")
  file(REMOVE_RECURSE "${safe}")
  if(NOT out STREQUAL "Good evening, Ada, our visitor 1\nWelcome, Alan, our visitor 2\n")
    message(FATAL_ERROR "the program ran, but printed: ${out}")
  endif()
endfunction()

function(check_samples)
  find_program(ccache ccache)
  if(ccache)
    set(ENV{CMAKE_CXX_COMPILER_LAUNCHER} "${ccache}") # four plugins, which seldom change
  endif()
  configure("${SOURCE}/examples/plugins" "-DCMAKE_PREFIX_PATH=${prefix}")
  run("${CMAKE_COMMAND}" --build build --config "${CONFIG}" --target
      notifier enrollment_stats saboteur search_indexer notifier_test)
  run(build/notifier/notifier_test)
endfunction()

# All installed headers in one file: each finds the others it includes. Only caf.hpp needs CAF.
function(write_all_headers FILE)
  file(GLOB_RECURSE headers RELATIVE "${prefix}/include/edupulse-runtime"
       "${prefix}/include/edupulse-runtime/*.hpp")
  list(REMOVE_ITEM headers actors/caf.hpp edupulse/caf.hpp)
  set(text "")
  foreach(header IN LISTS headers)
    string(APPEND text "#include <${header}>\n")
  endforeach()
  file(WRITE "${FILE}" "${text}")
endfunction()

function(ask_pkg_config OUT)
  run(pkg-config ${ARGN} edupulse)
  separate_arguments(words UNIX_COMMAND "${out}")
  set(${OUT} "${words}" PARENT_SCOPE)
endfunction()

function(check_pkg_config)
  file(GLOB_RECURSE pc "${prefix}/edupulse.pc")
  get_filename_component(pc_dir "${pc}" DIRECTORY)
  set(ENV{PKG_CONFIG_PATH} "${pc_dir}")
  ask_pkg_config(imports --variable=importdir)
  ask_pkg_config(plugin --variable=plugin)
  ask_pkg_config(cflags --cflags)
  ask_pkg_config(libs --libs)
  separate_arguments(flags UNIX_COMMAND "${FLAGS}")
  file(MAKE_DIRECTORY "${dir}/raw")
  run("${CAPNP}" compile "-I${imports}" "--src-prefix=${here}/consumer" -oc++:raw "-o${plugin}:."
      "${here}/consumer/lesson.capnp")
  run("${CXX}" -std=c++20 ${flags} -I. "${here}/consumer/main.cpp" raw/lesson.capnp.c++
      ${cflags} ${libs} -o consumer)
  run("${dir}/consumer")
  expect_lesson()
  write_all_headers("${dir}/all_headers.cpp")
  run("${CXX}" -std=c++20 -fsyntax-only ${cflags} all_headers.cpp)
  # A plugin's fingerprint takes the version of CAF from macros.
  run("${CXX}" -std=c++20 -M ${cflags} all_headers.cpp)
  string(REGEX MATCHALL "/caf/[^ \n]+" of_caf "${out}")
  list(FILTER of_caf EXCLUDE REGEX "^/caf/(config|detail/(build_config|log_level))\\.hpp$")
  if(of_caf)
    message(FATAL_ERROR "a public header includes CAF: ${of_caf}")
  endif()
endfunction()

function(check_subproject)
  configure("${here}/subproject" "-DEDUPULSE_SOURCE=${SOURCE}"
            -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0) # it shall compile, and soon
  run("${CMAKE_COMMAND}" --build build --target edupulse_schemas product_events)
endfunction()

cmake_language(CALL check_${CASE})
