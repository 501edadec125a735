# cmake -DCC=cc -DNOW=plugin.h -DRELEASED=plugin.h -DOUT=directory -P tokens.cmake: fails unless a
# compiler sees the same in both headers, macros and all. Comments may be improved
# after a release, nothing else: what a plugin was compiled with is what it runs with.
cmake_minimum_required(VERSION 3.22)

function(read_tokens header file)
  execute_process(COMMAND ${CC} -std=c17 -x c -E -P -dD ${header} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX REPLACE "[ \t\n]+" "\n" text "${text}")
  file(WRITE ${file} "${text}")
endfunction()

read_tokens(${NOW} ${OUT}/now.txt)
read_tokens(${RELEASED} ${OUT}/released.txt)
execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${OUT}/now.txt ${OUT}/released.txt
                RESULT_VARIABLE differs ERROR_QUIET)
if(differs)
  message(FATAL_ERROR "${NOW} is not what was released as ${RELEASED}: only comments may change, "
                      "and what is new belongs to the next minor. Compare ${OUT}/now.txt and ${OUT}/released.txt")
endif()
