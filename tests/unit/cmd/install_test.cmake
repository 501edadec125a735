# Installs into a folder of its own, moves it, and runs what is there.
set(place ${BUILD}/tests/installed)
file(REMOVE_RECURSE ${place} ${place}-moved)

function(run expected)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE rc OUTPUT_VARIABLE out ERROR_VARIABLE err)
  if(NOT rc EQUAL 0)
    message(FATAL_ERROR "${ARGN}: ${rc}\n${out}\n${err}")
  endif()
  if(NOT "${out}" MATCHES "${expected}")
    message(FATAL_ERROR "${ARGN}: no \"${expected}\" in\n${out}\n${err}")
  endif()
endfunction()

foreach(component esod plugin_fake sdk doc)
  run("" ${CMAKE_COMMAND} --install ${BUILD} --prefix ${place} --component ${component})
endforeach()
file(RENAME ${place} ${place}-moved)
set(place ${place}-moved)

set(doc ${place}/${DOCDIR})
foreach(file bin/esod bin/esp-check lib/esod/plugins/fake.so include/esp/plugin.h share/man/man1/esod.1.gz share/man/man1/esp-check.1.gz
             share/man/man5/esod.yaml.5.gz share/bash-completion/completions/esod ${DOCDIR}/README.md ${DOCDIR}/docs/configuration.md
             ${DOCDIR}/deploy/esod.yaml ${DOCDIR}/deploy/helm/esod/values.yaml)
  if(NOT EXISTS ${place}/${file})
    message(FATAL_ERROR "${file} is not installed")
  endif()
endforeach()
run("${place}/lib/esod/plugins/fake.so" ${place}/bin/esod plugins)
run("${place}/lib/esod/plugins/fake.so" ${place}/bin/esod plugins --config ${doc}/deploy/esod.yaml)
run("0 failed" ${place}/bin/esp-check ${place}/lib/esod/plugins/fake.so --quick)
run("password: s3cr3t" ${place}/bin/esod local --show-values ${doc}/examples/quickstart)

file(REMOVE_RECURSE ${place})
