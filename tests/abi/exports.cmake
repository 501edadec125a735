# cmake -DNM=nm -DFILE=plugin.so -P exports.cmake: fails unless the plugin exports its
# entry and nothing else.
execute_process(COMMAND ${NM} -D --defined-only ${FILE} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(STRIP "${symbols}" symbols)
if(NOT symbols MATCHES "^[0-9a-f]+ T esp_plugin_entry_v1$")
  message(FATAL_ERROR "${FILE} exports\n${symbols}")
endif()
