#!/usr/bin/env bash
# Installs what building and testing esod needs, on Debian and Ubuntu: only what
# is missing, so it may be run again at any time.
set -euo pipefail

usage() {
  cat <<'TXT'
usage: scripts/deps.sh [--print] [build|test|image|packages|lint|go]...

  build    compiler, build tools and libraries (the default)
  test     what scripts/test.sh uses on top of that
  image    what scripts/image.sh puts into the image
  packages what scripts/packages.sh makes Debian packages with
  lint     lintian, for scripts/packages.sh --lint
  go       a Go to build the test servers with; any version will do

  --print  name the missing packages, install nothing
TXT
}

build="gcc g++ cmake ninja-build pkg-config libc6-dev libcurl4-openssl-dev libjansson-dev libyaml-dev libssl-dev
  libltdl-dev libcrypt-dev libpcre2-dev libmicrohttpd-dev libzstd-dev libseccomp-dev libcmocka-dev"
packages="dpkg-dev binutils file gzip"
test="python3 openssl valgrind shellcheck doxygen git ca-certificates make cargo nghttp2-server crun skopeo umoci mandoc zsh
  fish systemd systemd-container util-linux $packages"
image="python3 ca-certificates tzdata"

have_package() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Some things count as there when the program is, wherever it came from.
have() {
  case $1 in
    gcc | g++ | cmake | make | cargo | valgrind | shellcheck | doxygen | git | openssl | pkg-config | python3)
      command -v "$1" >/dev/null
      ;;
    ninja-build) command -v ninja >/dev/null ;;
    golang-go) command -v go >/dev/null ;;
    *) have_package "$1" ;;
  esac
}

only_print=
sets=
for arg in "$@"; do
  case $arg in
    --help | -h) usage; exit 0 ;;
    --print) only_print=1 ;;
    build | test | image | packages | lint | go) sets="$sets $arg" ;;
    *) usage >&2; exit 2 ;;
  esac
done

wanted=
for set in ${sets:-build}; do
  case $set in
    build) wanted="$wanted $build" ;;
    test)
      wanted="$wanted $test"
      # The distribution's Python comes without the part that makes environments.
      python3 -c 'import ensurepip' 2>/dev/null || wanted="$wanted python3-venv"
      ;;
    image) wanted="$wanted $image" ;;
    packages) wanted="$wanted $packages" ;;
    lint) wanted="$wanted lintian" ;;
    go) wanted="$wanted golang-go" ;;
  esac
done

missing=()
for package in $wanted; do
  have "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ -n "$only_print" ]; then
  printf '%s\n' "${missing[@]}"
  exit 0
fi

if ! command -v apt-get >/dev/null; then
  echo "deps.sh: this is neither Debian nor Ubuntu; please install what these packages hold: ${missing[*]}" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "deps.sh: missing: ${missing[*]}" >&2
    echo "deps.sh: neither root nor sudo; as root run: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "installing: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1; }
if ! { apt update && apt install --no-install-recommends "${missing[@]}"; }; then
  tail -n 20 "$log" >&2
  echo "deps.sh: apt-get failed, see above" >&2
  exit 1
fi
