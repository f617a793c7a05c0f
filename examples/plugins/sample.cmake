# What the samples need: of this tree when they are part of it, else of what is installed.
#   sample_flags   how they are compiled
#   sample_test    what their tests link
include_guard(GLOBAL)
add_library(sample_flags INTERFACE)
add_library(sample_test INTERFACE)
target_include_directories(sample_test INTERFACE "${CMAKE_CURRENT_LIST_DIR}")
if(TARGET edupulse_flags)
  target_link_libraries(sample_flags INTERFACE edupulse_flags)
  target_link_libraries(sample_test INTERFACE edupulse::testing test_main edupulse_flags)
  return()
endif()

find_package(edupulse CONFIG REQUIRED COMPONENTS plugin testing)
find_package(Catch2 REQUIRED)
add_library(sample_main STATIC "${CMAKE_CURRENT_LIST_DIR}/main.cpp")
target_link_libraries(sample_main PUBLIC Catch2::Catch2)
target_link_libraries(sample_test INTERFACE edupulse::testing sample_main)
