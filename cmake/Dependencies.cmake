# Everything here is in Debian and Ubuntu; scripts/deps.sh installs it.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.84)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.13)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd>=1.4)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)

find_path(LTDL_INCLUDE_DIR ltdl.h REQUIRED)
find_library(LTDL_LIBRARY ltdl REQUIRED)
add_library(ltdl INTERFACE IMPORTED)
set_target_properties(ltdl PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${LTDL_INCLUDE_DIR}"
                                      INTERFACE_LINK_LIBRARIES "${LTDL_LIBRARY}")

if(ESOD_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()
