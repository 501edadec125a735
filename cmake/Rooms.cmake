# A room of core/ is one static library. What it may use is what it links:
# next to each room a throw-away module is linked from the room and its
# dependencies alone, with no symbol left open, so that a call that points
# upwards in the house does not link.
function(esod_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES" ${ARGN})
  add_library(es_${name} STATIC ${ROOM_SOURCES})
  target_include_directories(es_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(es_${name} PUBLIC ${ROOM_USES} PRIVATE esod_flags)

  add_library(es_${name}_layering MODULE ${PROJECT_SOURCE_DIR}/cmake/layering.c)
  target_link_libraries(es_${name}_layering PRIVATE esod_flags -Wl,--whole-archive es_${name}
                                                    -Wl,--no-whole-archive)
  target_link_options(es_${name}_layering PRIVATE -Wl,-z,defs)
  set_target_properties(es_${name}_layering PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/layering)
endfunction()

# A provider plugin: a module that includes only the SDK and exports one symbol.
# See esp_add_plugin() in sdk/cmake/EspPlugin.cmake for what it does.
function(esod_plugin name)
  cmake_parse_arguments(PLUGIN "" "" "SOURCES;SCHEMAS;USES" ${ARGN})
  esp_add_plugin(plugin_${name} NAME ${name} SOURCES ${PLUGIN_SOURCES} SCHEMAS ${PLUGIN_SCHEMAS}
                 USES esod_flags ${PLUGIN_USES})
  set_target_properties(plugin_${name} PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${ESOD_PLUGIN_SUBDIR})
  set_property(GLOBAL APPEND PROPERTY ESOD_PLUGIN_TARGETS plugin_${name})
  install(TARGETS plugin_${name} LIBRARY DESTINATION ${ESOD_PLUGIN_SUBDIR} COMPONENT plugin_${name})
endfunction()

# tests/unit/ROOM/THING_test.c: one program, one ctest entry.
function(esod_unit_test name)
  cmake_parse_arguments(TEST "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE esod_flags ${TEST_USES} PkgConfig::CMOCKA)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME unit/${name} COMMAND ${name})
  set_tests_properties(unit/${name} PROPERTIES TIMEOUT 120)
endfunction()
