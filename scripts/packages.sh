#!/usr/bin/env bash
# Makes the Debian packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TXT'
usage: scripts/packages.sh [--lint] [NAME]...

Makes Debian packages of what is in build/release, which is built first if need be:

  build/dist/esod_VERSION_ARCH.deb               the program, a systemd unit, man pages, completion, documentation
  build/dist/esod-plugin-NAME_VERSION_ARCH.deb   one for each plugin
  build/dist/libesp-dev_VERSION_ARCH.deb         what plugins are built with
  build/dist/*-dbgsym_VERSION_ARCH.ddeb          debug symbols for each of them

The same build makes the same packages, to the byte: times are those of SOURCE_DATE_EPOCH, by default the
commit's. NAME is a package, esod-plugin-vault for example: only those are made, and the others stay as they are.

Who answers for them is said when the tree is configured: cmake --preset release -DESOD_MAINTAINER='Name <address>'.

  --lint   let lintian look at them; every error or warning is a failure
TXT
}

fail() { echo "packages.sh: $1" >&2; exit 1; }

lint=
names=()
for arg in "$@"; do
  case $arg in
    --lint) lint=1 ;;
    --help | -h) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *) names+=("$arg") ;;
  esac
done

for tool in cpack dpkg-deb dpkg-shlibdeps file objcopy gzip; do
  command -v "$tool" >/dev/null || fail "there is no $tool; run scripts/deps.sh build packages"
done
[ -z "$lint" ] || command -v lintian >/dev/null || fail "there is no lintian; run scripts/deps.sh lint"

epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || true)}
[ -n "$epoch" ] || fail "this is no git checkout: set SOURCE_DATE_EPOCH, the seconds since 1970 that the packages are to be dated with"

[ -f build/release/build.ninja ] || cmake --preset release
cmake --build build/release

config=build/release/CPackConfig.cmake
mapfile -t all < <(sed -n 's/^set(CPACK_COMPONENT_.*_GROUP "\(.*\)")$/\1/p' "$config" | sort -u)
for name in "${names[@]}"; do
  [[ " ${all[*]} " == *" $name "* ]] || fail "there is no package $name; they are ${all[*]}"
done

# A package is a group of components; the configuration has their names in capitals. What begins with deb- looks at
# what the others have installed, so it comes last.
components() {
  sed -n "s/^set(CPACK_COMPONENT_\([^ ]*\)_GROUP \"$1\")\$/\1/p" "$config" | tr '[:upper:]' '[:lower:]' | sort -r | paste -sd ';'
}

wanted=("${names[@]}")
[ ${#wanted[@]} -gt 0 ] || wanted=("${all[@]}")

# Each by itself, all at the same time: that is mostly waiting for small programs.
dist=build/dist
work=build/packages
rm -rf "$work"
mkdir -p "$work"
export SOURCE_DATE_EPOCH=$epoch

# CPack's packages of symbols name their files in md5sums as they lay here, and not as they are installed.
mend() {
  local tree=$1.tree
  dpkg-deb --raw-extract "$1" "$tree"
  sed -i 's|  /.*-dbgsym/|  |' "$tree/DEBIAN/md5sums"
  dpkg-deb --root-owner-group --build "$tree" "$1"
}

pack() {
  cpack --config "$config" -B "$work/$1" -D "CPACK_COMPONENTS_ALL=$(components "$1")"
  mend "$work/$1/"*.ddeb
}

packing=()
for name in "${wanted[@]}"; do
  pack "$name" >"$work/$name.log" 2>&1 &
  packing+=("$!:$name")
done
failed=
for job in "${packing[@]}"; do
  wait "${job%%:*}" || { failed=1; tail -n 30 "$work/${job#*:}.log" >&2; }
done
[ -z "$failed" ] || fail "cpack failed, see above and $work"
mkdir -p "$dist"
if [ ${#names[@]} -eq 0 ]; then rm -f "$dist"/*.deb "$dist"/*.ddeb; fi
made=$(basename -a "$work"/*/*.deb)
mv "$work"/*/*.deb "$work"/*/*.ddeb "$dist"
rm -rf "$work"
cd "$dist"
# shellcheck disable=SC2086 # no package has a blank in its name
[ -z "$lint" ] || lintian --allow-root --fail-on error,warning $made
for file in $made; do echo "$dist/$file"; done
