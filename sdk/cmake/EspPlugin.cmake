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

# esp_add_check(TARGET [SPEC file] [KEYS key...])
#
# A CTest entry, esp-check/TARGET, in which esp-check tries every promise of the ABI on
# the plugin that TARGET builds (or imports: a module that another build system made).
#
#   SPEC  YAML or JSON, what users write under spec.provider.NAME: stores are opened with it
#   KEYS  keys that such a store holds
#
# Call include(CTest) or enable_testing() before. esp-check comes with the SDK; another one
# is named with -Desp_CHECK=.
function(esp_add_check target)
  cmake_parse_arguments(CHECK "" "SPEC" "KEYS" ${ARGN})
  if(DEFINED BUILD_TESTING AND NOT BUILD_TESTING)
    message(STATUS "esp-check/${target}: left out, because BUILD_TESTING is off")
    return()
  endif()
  # In the tree that builds esp-check it is a target, perhaps a later one; add_test knows.
  set(program esp-check)
  if(DEFINED esp_CHECK)
    set(program ${esp_CHECK})
    if(NOT program)
      message(FATAL_ERROR "esp_add_check(${target}): there is no esp-check beside the SDK of ${esp_DIR}; "
                          "install its component sdk as a whole, name one with -Desp_CHECK=FILE, or switch the tests "
                          "off with -DBUILD_TESTING=OFF")
    endif()
  endif()

  set(arguments)
  if(CHECK_SPEC)
    get_filename_component(spec ${CHECK_SPEC} ABSOLUTE)
    list(APPEND arguments --spec ${spec})
  endif()
  foreach(key ${CHECK_KEYS})
    list(APPEND arguments --key ${key})
  endforeach()
  add_test(NAME esp-check/${target} COMMAND ${program} ${arguments} $<TARGET_FILE:${target}>)
  set_tests_properties(esp-check/${target} PROPERTIES TIMEOUT 300)
endfunction()
