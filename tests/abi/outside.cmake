# Installs the SDK into an empty folder, builds the template project with what is there
# and nothing else (WAY: with find_package, or with pkg-config and a bare compiler), and
# runs the plugin.
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${STAGE})
file(MAKE_DIRECTORY ${STAGE}/plugin)
run(${CMAKE_COMMAND} --install ${BUILD} --component sdk --prefix ${STAGE}/sdk)

if(WAY STREQUAL cmake)
  run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${PROJECT} -B ${STAGE}/plugin -DCMAKE_PREFIX_PATH=${STAGE}/sdk
      -DCMAKE_C_COMPILER=${CC} -DCMAKE_C_FLAGS=${FLAGS})
  run(${CMAKE_COMMAND} --build ${STAGE}/plugin)
else()
  # Without esp_add_plugin() the schema is the author's own affair.
  run(${CMAKE_COMMAND} -DINPUT=${PROJECT}/schema.json -DOUTPUT=${STAGE}/plugin/schema.c -DSYMBOL=hello_schema
      -P ${STAGE}/sdk/${LIBDIR}/cmake/esp/Embed.cmake)
  set(ENV{PKG_CONFIG_PATH} ${STAGE}/sdk/${LIBDIR}/pkgconfig)
  execute_process(COMMAND ${PKG_CONFIG} --cflags --libs "esp >= 1.0" OUTPUT_VARIABLE flags
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  run(${CC} -std=c17 ${FLAGS} -shared ${PROJECT}/hello.c ${STAGE}/plugin/schema.c ${flags} -o ${STAGE}/plugin/hello.so)
endif()

set(FILE ${STAGE}/plugin/hello.so)
run(${LOADER} ${FILE})
include(${CMAKE_CURRENT_LIST_DIR}/exports.cmake)
