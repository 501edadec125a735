# One interface target carries how every C file of the project is compiled.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

add_library(esod_flags INTERFACE)
target_compile_definitions(esod_flags INTERFACE _GNU_SOURCE)
target_compile_options(esod_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                            -Wstrict-prototypes -Wvla -Wformat=2)
if(ESOD_WERROR)
  target_compile_options(esod_flags INTERFACE -Werror)
endif()

# Neither the program nor its debug information names the folder it was built in:
# two people who build the same commit get the same bytes. Names are as seen from the
# build folder, which is what a compiler cache makes of them too, and where a debugger
# that is started there finds the files. A debug build keeps their full names.
file(RELATIVE_PATH source_from_build ${CMAKE_BINARY_DIR} ${PROJECT_SOURCE_DIR})
if(NOT source_from_build MATCHES "^[./]+$")
  set(source_from_build .) # built outside of the source
endif()
string(REGEX REPLACE "/$" "" source_from_build ${source_from_build})
target_compile_options(esod_flags INTERFACE
  $<$<NOT:$<CONFIG:Debug>>:-ffile-prefix-map=${PROJECT_SOURCE_DIR}=${source_from_build}>
  $<$<NOT:$<CONFIG:Debug>>:-ffile-prefix-map=${CMAKE_BINARY_DIR}=.>
  $<$<NOT:$<CONFIG:Debug>>:-ffile-prefix-map=${CMAKE_BINARY_DIR}/=>)

if(ESOD_SANITIZE)
  target_compile_options(esod_flags INTERFACE -fsanitize=${ESOD_SANITIZE} -fno-omit-frame-pointer
                                              -fno-sanitize-recover=all)
  target_link_options(esod_flags INTERFACE -fsanitize=${ESOD_SANITIZE})
  # Not the compiler's -Werror business: instrumented code trips flow warnings.
  target_compile_options(esod_flags INTERFACE -Wno-maybe-uninitialized -Wno-stringop-overflow
                                              -Wno-format-truncation)
else()
  target_compile_options(esod_flags INTERFACE -fstack-protector-strong -fstack-clash-protection
                                              $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
  target_link_options(esod_flags INTERFACE -Wl,-z,relro -Wl,-z,now -Wl,--as-needed)
endif()
