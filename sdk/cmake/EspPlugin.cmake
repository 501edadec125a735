# esp_add_plugin(TARGET NAME name SOURCES file... [SCHEMAS file...] [USES library...])
#
# Builds NAME.so, a module that exports its entry and nothing else, whatever it
# links. Each schema is compiled in as a text that the sources declare:
#
#   schema.json  ->  extern const char NAME_schema[];
function(esp_add_plugin target)
  cmake_parse_arguments(PLUGIN "" "NAME" "SOURCES;SCHEMAS;USES" ${ARGN})
  add_library(${target} MODULE ${PLUGIN_SOURCES})
  target_link_libraries(${target} PRIVATE esp::plugin esp::toolkit ${PLUGIN_USES})
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so" OUTPUT_NAME ${PLUGIN_NAME}
                                             C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden)

  set(exports ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/esp-plugin.map)
  # The host loads lazily: let the linker find what is missing, and the loader
  # bind everything at once.
  target_link_options(${target} PRIVATE -Wl,-z,now -Wl,-z,relro -Wl,--version-script=${exports})
  set_target_properties(${target} PROPERTIES LINK_DEPENDS ${exports})
  # Clang leaves the sanitizers' own symbols to the program.
  if(NOT (CMAKE_C_COMPILER_ID MATCHES "Clang" AND "${CMAKE_C_FLAGS} ${ESOD_SANITIZE}" MATCHES "address|thread|undefined"))
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()

  foreach(schema ${PLUGIN_SCHEMAS})
    get_filename_component(stem ${schema} NAME_WE)
    string(MAKE_C_IDENTIFIER ${PLUGIN_NAME}_${stem} symbol)
    esod_embed(${target} ${schema} ${symbol})
  endforeach()
endfunction()
