# What Debian wants in /usr/share/doc/PACKAGE, written while a package is made: the copyright,
# and a changelog whose date is SOURCE_DATE_EPOCH, if that is set. file(INSTALL) knows of
# DESTDIR, all else does not.
set(doc $ENV{DESTDIR}/usr/share/doc/${package})
file(INSTALL ${debian}/copyright DESTINATION /usr/share/doc/${package})

string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE ${doc}/changelog
"esod (${version}) unstable; urgency=medium

  * Version ${version}; built from the source tree.

 -- ${maintainer}  ${date}
")
execute_process(COMMAND gzip -9nf ${doc}/changelog RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "gzip cannot write ${doc}/changelog.gz: ${failed}")
endif()
file(CHMOD ${doc}/changelog.gz PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)

set(overrides ${debian}/${package}.lintian-overrides)
if(EXISTS ${overrides})
  file(INSTALL ${overrides} DESTINATION /usr/share/lintian/overrides RENAME ${package})
endif()

# Debug symbols of programs and plugins have packages. Those of static libraries have none,
# and would tell where they were built.
file(GLOB archives $ENV{DESTDIR}/usr/lib/*.a)
foreach(archive ${archives})
  execute_process(COMMAND strip --strip-debug --enable-deterministic-archives ${archive} RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "strip cannot work on ${archive}: ${failed}")
  endif()
endforeach()
