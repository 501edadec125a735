# A plugin as its author has it: installs the SDK into an empty folder, copies PROJECT out of
# the tree, builds NAME.so with what is there and nothing else (WAY: cmake with find_package,
# or make with pkg-config and a bare compiler), and uses the plugin: its own checks, the
# operations one by one (LOADER), and a Secret made of the project's manifests (ESOD).
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(source ${STAGE}/source)
set(prefix ${STAGE}/sdk)
file(REMOVE_RECURSE ${STAGE})
file(COPY ${PROJECT}/ DESTINATION ${source} PATTERN build EXCLUDE)
run(${CMAKE_COMMAND} --install ${BUILD} --component sdk --prefix ${prefix})

if(WAY STREQUAL cmake)
  set(build ${STAGE}/build)
  run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${source} -B ${build} -DCMAKE_PREFIX_PATH=${prefix}
      -DCMAKE_C_COMPILER=${CC} -DCMAKE_C_FLAGS=${FLAGS} -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_FLAGS=${FLAGS})
  run(${CMAKE_COMMAND} --build ${build})
  run(${CMAKE_COMMAND} --install ${build})
  # Where an esod that is installed there looks for it.
  set(FILE ${prefix}/lib/esod/plugins/${NAME}.so)
  run(${CMAKE_CTEST_COMMAND} --test-dir ${build} --no-tests=error --output-on-failure)
else()
  set(build ${source})
  set(FILE ${source}/${NAME}.so)
  set(make ${MAKE} -C ${source} CC=${CC} "CFLAGS=-Werror ${FLAGS}" PKG_CONFIG=${PKG_CONFIG}
           PKG_CONFIG_PATH=${prefix}/${LIBDIR}/pkgconfig)
  run(${make})
  run(${make} check)
endif()

run(${LOADER} ${FILE} ${NAME})
include(${CMAKE_CURRENT_LIST_DIR}/exports.cmake)

run(${ESOD} local --plugin ${FILE} -o ${STAGE}/secrets ${source}/manifests)
file(READ ${STAGE}/secrets/default/greeting.yaml secret)
if(NOT secret MATCHES "\n  text: SGVsbG8sIHdvcmxk\n") # "Hello, world"
  message(FATAL_ERROR "the Secret is\n${secret}")
endif()
