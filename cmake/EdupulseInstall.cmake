# What `cmake --install` copies, and how others find it: edupulseConfig.cmake for CMake,
# edupulse.pc for everything else. Nothing in an installed tree knows where it is; it may be moved.
include_guard()
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# A parent project decides for itself what its packages hold.
option(EDUPULSE_INSTALL "Install the library, its headers and its CMake package"
       ${PROJECT_IS_TOP_LEVEL})
if(NOT EDUPULSE_INSTALL)
  return()
endif()

# Headers name each other by level ("schemas/topic.hpp"), so these folders have a root of their own.
set(_headers "${CMAKE_INSTALL_INCLUDEDIR}/edupulse-runtime")
set(_package "${CMAKE_INSTALL_LIBDIR}/cmake/edupulse")

# -- libraries: edupulse_runtime here is edupulse::runtime there ----------------------------------
set(_libraries edupulse_schemas edupulse_core edupulse_actors edupulse_tls edupulse_runtime
    edupulse_plugin edupulse_plugin_host edupulse_transports)
if(TARGET edupulse_testing)
  list(APPEND _libraries edupulse_testing)
endif()
foreach(_library IN LISTS _libraries)
  string(REPLACE "edupulse_" "" _short ${_library})
  set_target_properties(${_library} PROPERTIES EXPORT_NAME ${_short})
endforeach()
foreach(_library IN ITEMS edupulse_schemas edupulse_plugin)
  target_include_directories(${_library} INTERFACE "$<INSTALL_INTERFACE:${_headers}>")
endforeach()
install(TARGETS ${_libraries} capnpc-edupulse edupulse-plugin-probe EXPORT edupulse
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
        RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
if(TARGET edupulse-pki)
  install(TARGETS edupulse edupulse-node edupulse-pki RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
install(EXPORT edupulse NAMESPACE edupulse:: FILE edupulseTargets.cmake DESTINATION "${_package}")

# -- headers --------------------------------------------------------------------------------------
install(DIRECTORY runtime/include/edupulse DESTINATION "${_headers}" FILES_MATCHING PATTERN "*.hpp")
install(DIRECTORY schemas/ DESTINATION "${_headers}/schemas" FILES_MATCHING PATTERN "*.hpp"
        PATTERN planted.hpp EXCLUDE      # no installed header includes it,
        PATTERN json_writer.hpp EXCLUDE) # nor this one, which needs RapidJSON
install(FILES schemas/event.capnp DESTINATION "${_headers}/edupulse") # what schemas import
install(DIRECTORY "${PROJECT_BINARY_DIR}/schemas/generated/schemas/" DESTINATION
        "${_headers}/schemas" FILES_MATCHING PATTERN "*.capnp.h")
# What the public headers include, and free of CAF: users of a node compile without its headers.
set(_core_headers
  batch cluster_ledger dead_letters effect handler ledger_view options outcome status tracker)
list(TRANSFORM _core_headers REPLACE "(.+)" "actors/\\1.hpp")
list(APPEND _core_headers actors/caf.hpp) # for <edupulse/caf.hpp> only
install(FILES ${_core_headers} DESTINATION "${_headers}/actors")

# -- CMake package --------------------------------------------------------------------------------
set(edupulse_INSTALLED_HEADERS "${_headers}")
configure_package_config_file(cmake/edupulseConfig.cmake.in
  "${PROJECT_BINARY_DIR}/package/edupulseConfig.cmake"
  INSTALL_DESTINATION "${_package}" PATH_VARS edupulse_INSTALLED_HEADERS
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/edupulseConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion) # before 1.0 a minor version may break
install(FILES "${PROJECT_BINARY_DIR}/package/edupulseConfig.cmake"
              "${PROJECT_BINARY_DIR}/package/edupulseConfigVersion.cmake"
              cmake/EdupulseEvents.cmake cmake/EdupulsePlugin.cmake cmake/FindCAF.cmake
        DESTINATION "${_package}")

# -- pkg-config -----------------------------------------------------------------------------------
# The prefix may be chosen as late as `cmake --install --prefix`; a .pc file knows its own folder.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  message(FATAL_ERROR "CMAKE_INSTALL_LIBDIR and CMAKE_INSTALL_INCLUDEDIR are absolute, but the "
                      "installed package finds its files by relative paths: set them relative to "
                      "CMAKE_INSTALL_PREFIX")
endif()
file(RELATIVE_PATH edupulse_PC_TO_PREFIX
     "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
string(REGEX REPLACE "/$" "" edupulse_PC_TO_PREFIX "${edupulse_PC_TO_PREFIX}")
# CAF of Debian has no .pc file to require. Elsewhere than in the linker's folders it needs a -L.
set(edupulse_PC_CAF "-lcaf_io -lcaf_core")
if(CAF_LIBRARY_core)
  get_filename_component(_caf_dir "${CAF_LIBRARY_core}" DIRECTORY)
  if(NOT _caf_dir IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
    set(edupulse_PC_CAF "-L${_caf_dir} -lcaf_io -lcaf_core")
  endif()
endif()
configure_file(cmake/edupulse.pc.in "${PROJECT_BINARY_DIR}/package/edupulse.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/package/edupulse.pc"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
