#!/usr/bin/env bash
# Makes the Debian packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TXT'
usage: scripts/packages.sh [--lint]

Makes Debian packages of what is in build/release, which is built first if need be:

  build/dist/esod_VERSION_ARCH.deb               the program, a systemd unit, man pages, completion, documentation
  build/dist/esod-plugin-NAME_VERSION_ARCH.deb   one for each plugin
  build/dist/libesp-dev_VERSION_ARCH.deb         what plugins are built with
  build/dist/*-dbgsym_VERSION_ARCH.ddeb          debug symbols for each of them

The same build makes the same packages, to the byte: times are those of SOURCE_DATE_EPOCH, by default the
commit's.

  --lint   let lintian look at them; every error or warning is a failure
TXT
}

fail() { echo "packages.sh: $1" >&2; exit 1; }

lint=
case ${1-} in
  '') ;;
  --lint) lint=1 ;;
  --help | -h) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac

for tool in cpack dpkg-deb dpkg-shlibdeps strip gzip; do
  command -v "$tool" >/dev/null || fail "there is no $tool; run scripts/deps.sh build packages"
done
[ -z "$lint" ] || command -v lintian >/dev/null || fail "there is no lintian; run scripts/deps.sh lint"

epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || true)}
[ -n "$epoch" ] || fail "this is no git checkout: set SOURCE_DATE_EPOCH, the seconds since 1970 that the packages are to be dated with"

[ -f build/release/build.ninja ] || cmake --preset release
cmake --build build/release

dist=build/dist
mkdir -p "$dist"
rm -f "$dist"/*.deb "$dist"/*.ddeb
log=build/packages.log
if ! SOURCE_DATE_EPOCH=$epoch cpack --config build/release/CPackConfig.cmake -B build/packages >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  fail "cpack failed, see $log"
fi
mv build/packages/*.deb build/packages/*.ddeb "$dist"
rm -rf build/packages
[ -z "$lint" ] || lintian --allow-root --fail-on error,warning "$dist"/*.deb
ls -1 "$dist"/*.deb
