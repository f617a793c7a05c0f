# Runs COMMAND, which must fail and say EXPECTED (a regular expression).
#   cmake -DEXPECTED=... "-DCOMMAND=a;b;c" -P must_fail.cmake
execute_process(COMMAND ${COMMAND} RESULT_VARIABLE result OUTPUT_VARIABLE out ERROR_VARIABLE err)
if(result EQUAL 0)
  message(FATAL_ERROR "succeeded, but must fail with: ${EXPECTED}")
endif()
string(REGEX REPLACE "[ \n]+" " " said "${out} ${err}")
if(NOT said MATCHES "${EXPECTED}")
  message(FATAL_ERROR "failed as it must, but without: ${EXPECTED}\nIt said:\n${out}${err}")
endif()
