# What esod tells about itself, as files: FOLDER/man and FOLDER/completion. A page that esod no
# longer has goes.
file(REMOVE_RECURSE ${FOLDER}/man ${FOLDER}/completion)
file(MAKE_DIRECTORY ${FOLDER}/man ${FOLDER}/completion)

function(write_output file)
  execute_process(COMMAND ${ARGN} OUTPUT_FILE ${file} RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "${ARGN}: ${failed}")
  endif()
endfunction()

execute_process(COMMAND ${ESOD} __manual OUTPUT_VARIABLE pages RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${ESOD} cannot name the pages of its manual: ${failed}")
endif()
string(REGEX MATCHALL "[^\n]+" pages "${pages}")
foreach(page ${pages})
  write_output(${FOLDER}/man/${page} ${ESOD} __manual ${page})
  # Beside the page itself, so that it is there to be read.
  write_output(${FOLDER}/man/${page}.gz gzip -9nc ${FOLDER}/man/${page})
endforeach()
foreach(shell bash zsh fish)
  write_output(${FOLDER}/completion/esod.${shell} ${ESOD} completion ${shell})
endforeach()
