# The Debian packages: esod, esod-plugin-NAME for each plugin, libesp-dev, and with
# debug symbols what goes with them. scripts/packages.sh makes them.
#
# A package is a group of install components. What it has beside what `cmake --install`
# installs (its copyright and changelog, what belongs to /etc) is in components that
# only packages have.
set(ESOD_MAINTAINER "esod maintainers <maintainers@esod.invalid>" CACHE STRING
    "Who answers for packages that are built here: Name <address>")
set(debian ${PROJECT_SOURCE_DIR}/deploy/debian)
set(systemd ${PROJECT_SOURCE_DIR}/deploy/systemd)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME esod)
set(CPACK_PACKAGE_VENDOR esod)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # each package has its own
set(CPACK_PACKAGE_CONTACT "${ESOD_MAINTAINER}")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_VERBATIM_VARIABLES ON)
# Into /usr, wherever this tree would be installed otherwise, and into /etc.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
    WORLD_READ WORLD_EXECUTE)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# Programs are stripped; their symbols are packages of their own, NAME-dbgsym.
set(CPACK_DEBIAN_DEBUGINFO_PACKAGE ON)

# What a plugin needs is not a version of esod but an ABI: of its major (esod loads no
# other), and of the minor that it says it cannot do without.
set(abi_package esod-plugin-abi-${ESP_VERSION_MAJOR})

# Words, in lines as package managers show them.
function(fill ret text)
  string(REGEX MATCHALL "[^ \n]+" words "${text}")
  set(line "")
  set(lines "")
  foreach(word ${words})
    string(LENGTH "${line} ${word}" length)
    if(length GREATER 76)
      string(APPEND lines "${line}\n")
      set(line "")
    endif()
    string(APPEND line " ${word}")
    string(STRIP "${line}" line)
  endforeach()
  set(${ret} "${lines}${line}" PARENT_SCOPE)
endfunction()

# esod_package(NAME SECTION section SUMMARY text ABOUT text COMPONENTS component...)
function(esod_package name)
  cmake_parse_arguments(PACKAGE "" "SECTION;SUMMARY;ABOUT" "COMPONENTS" ${ARGN})
  string(TOUPPER ${name} upper)
  # Written when it is packaged, since the changelog has a date.
  set(notes deb-${name})
  install(CODE "set(package ${name})
    set(version ${PROJECT_VERSION})
    set(maintainer [[${ESOD_MAINTAINER}]])
    set(debian [[${debian}]])" COMPONENT ${notes} EXCLUDE_FROM_ALL)
  install(SCRIPT ${PROJECT_SOURCE_DIR}/cmake/PackageNotes.cmake COMPONENT ${notes} EXCLUDE_FROM_ALL)
  foreach(component ${PACKAGE_COMPONENTS} ${notes})
    list(APPEND CPACK_COMPONENTS_ALL ${component})
    string(TOUPPER ${component} component)
    set(CPACK_COMPONENT_${component}_GROUP ${name} PARENT_SCOPE)
  endforeach()
  set(CPACK_COMPONENTS_ALL ${CPACK_COMPONENTS_ALL} PARENT_SCOPE)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name} PARENT_SCOPE)
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${PACKAGE_SECTION} PARENT_SCOPE)
  fill(about "${PACKAGE_ABOUT}")
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${PACKAGE_SUMMARY}\n${about}" PARENT_SCOPE)
endfunction()

# The first paragraph of a page, without its links, and without semicolons, which would part
# it where CMake hands it on.
function(first_paragraph ret file)
  file(READ ${file} text)
  string(REGEX REPLACE "^#[^\n]*\n+" "" text "${text}")
  string(FIND "${text}" "\n\n" end)
  string(SUBSTRING "${text}" 0 ${end} text)
  string(REGEX REPLACE "\\[([^]]*)\\]\\([^)]*\\)" "\\1" text "${text}")
  string(REPLACE "`" "" text "${text}")
  string(REPLACE ";" "," text "${text}")
  set(${ret} "${text}" PARENT_SCOPE)
endfunction()

# needs_minor of a plugin, as its sources say it.
function(needed_minor ret folder)
  set(${ret} 0 PARENT_SCOPE)
  file(GLOB sources ${folder}/*.c)
  foreach(source ${sources})
    file(STRINGS ${source} line REGEX "\\.needs_minor = [0-9]+")
    if(line MATCHES "\\.needs_minor = ([0-9]+)")
      set(${ret} ${CMAKE_MATCH_1} PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

# ---- esod ----

install(FILES ${systemd}/esod.service DESTINATION lib/systemd/system COMPONENT deb-esod-system EXCLUDE_FROM_ALL)
install(FILES ${systemd}/esod.default DESTINATION /etc/default RENAME esod COMPONENT deb-esod-system EXCLUDE_FROM_ALL)
install(FILES ${debian}/esod.yaml DESTINATION /etc/esod COMPONENT deb-esod-system EXCLUDE_FROM_ALL)
# Where Debian's zsh looks; elsewhere it is site-functions.
install(FILES ${PROJECT_BINARY_DIR}/completion/esod.zsh DESTINATION share/zsh/vendor-completions RENAME _esod
        COMPONENT deb-esod-system EXCLUDE_FROM_ALL)

esod_package(esod
  SECTION admin
  SUMMARY "External Secrets operator for Kubernetes, with providers as plugins"
  ABOUT "It reads secrets where they are kept (a vault, a cloud's secret manager, another cluster) and keeps Kubernetes
Secrets in step with them. This package has the program, a service for a cluster that it does not run in, and the
documentation. The providers are packages of their own, esod-plugin-NAME."
  COMPONENTS esod doc deb-esod-system)
set(CPACK_DEBIAN_ESOD_PACKAGE_PROVIDES "${abi_package} (= ${ESP_VERSION})")
set(CPACK_DEBIAN_ESOD_PACKAGE_RECOMMENDS "ca-certificates, tzdata")
set(CPACK_DEBIAN_ESOD_PACKAGE_CONTROL_EXTRA ${debian}/conffiles ${debian}/postinst ${debian}/prerm ${debian}/postrm)

# ---- its plugins ----

get_property(plugins GLOBAL PROPERTY ESOD_PLUGIN_TARGETS)
list(SORT plugins)
foreach(plugin ${plugins})
  string(REGEX REPLACE "^plugin_" "" name ${plugin})
  set(folder ${PROJECT_SOURCE_DIR}/plugins/${name})
  first_paragraph(about ${folder}/README.md)
  needed_minor(minor ${folder})
  string(TOUPPER esod-plugin-${name} upper)
  esod_package(esod-plugin-${name}
    SECTION admin
    SUMMARY "${name} plugin of esod, the External Secrets operator"
    ABOUT "${about}"
    COMPONENTS ${plugin})
  set(CPACK_DEBIAN_${upper}_PACKAGE_DEPENDS "${abi_package} (>= ${ESP_VERSION_MAJOR}.${minor})")
  set(CPACK_DEBIAN_${upper}_PACKAGE_ENHANCES esod)
  list(APPEND suggested esod-plugin-${name})
endforeach()
list(JOIN suggested ", " CPACK_DEBIAN_ESOD_PACKAGE_SUGGESTS)

# ---- what plugins are built with ----

esod_package(libesp-dev
  SECTION libdevel
  SUMMARY "build provider plugins for esod, the External Secrets operator"
  ABOUT "The header of the plugin ABI, a toolkit to link in, esp-check, which tries a plugin against every promise of the
ABI, packages for CMake and pkg-config, and a template to begin with in /usr/share/doc/esod/sdk/template."
  COMPONENTS sdk)
set(CPACK_DEBIAN_LIBESP-DEV_PACKAGE_RECOMMENDS "cmake | pkg-config, libjansson-dev, libssl-dev")
set(CPACK_DEBIAN_LIBESP-DEV_PACKAGE_SUGGESTS "esod")

include(CPack)
