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
# two people who build the same commit get the same bytes. A debugger wants to find
# the files, and so a build for it keeps their names.
target_compile_options(esod_flags INTERFACE
  $<$<NOT:$<CONFIG:Debug>>:-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.>
  $<$<NOT:$<CONFIG:Debug>>:-ffile-prefix-map=${CMAKE_BINARY_DIR}=./build>)

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
