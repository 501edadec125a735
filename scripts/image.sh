#!/usr/bin/env bash
# Makes the container image without a container engine: what an image is made of
# are folders, and tar files of them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TXT'
usage: scripts/image.sh [--plugins "NAME..."] [--rootfs-only] [--output DIR] [--build DIR]
                        [--name NAME] [--source URL]

Builds esod and makes an image of it: the program, its plugins, the libraries
they link, certificate authorities and time zones. No shell, no package manager.

  --plugins "NAME..."  only these plugins (default: all; "" for none)
  --rootfs-only        no archive, only the folders that it would be made of
  --output DIR         where they go (default: build)
  --build DIR          the build tree (default: build/release; built if it is not)
  --name NAME          what it is called, with the registry (default: esod)
  --source URL         where the source is, for the image's label
  --help               this text

  DIR/image/layers/{base,core,plugin-NAME}    the layers
  DIR/image/rootfs                            what a container sees
  DIR/dist/esod-VERSION-ARCH.oci.tar          the image, an OCI archive

It is the same byte for byte for whoever builds the same commit with the same
packages: its times are those of SOURCE_DATE_EPOCH, by default the commit's.
The last line is the image's digest.
TXT
}

fail() {
  printf 'image.sh: %s\n' "$*" >&2
  exit 1
}

out=build
build=build/release
name=esod
source=
archive=1
known=(plugins/*/CMakeLists.txt)
known=("${known[@]#plugins/}")
known=("${known[@]%/CMakeLists.txt}")
plugins=${known[*]}
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --rootfs-only) archive= ;;
    --plugins | --output | --build | --name | --source)
      [ $# -gt 1 ] || { usage >&2; exit 2; }
      case $1 in
        --plugins) plugins=${2//,/ } ;;
        --output) out=$2 ;;
        --build) build=$2 ;;
        --name) name=$2 ;;
        --source) source=$2 ;;
      esac
      shift
      ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
for plugin in $plugins; do
  case " ${known[*]} " in *" $plugin "*) ;; *) fail "there is no plugin $plugin; there are: ${known[*]}" ;; esac
done
# A colon is a registry's port, and so a slash is behind it.
if ! [[ $name =~ ^([a-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*$ ]]; then
  fail "--name $name: give the name without a tag, in lower-case letters, digits, and . _ - / between them"
fi

if ! command -v dpkg-query >/dev/null; then
  fail "this is neither Debian nor Ubuntu, whose packages the image is made of; deploy/image/Dockerfile builds it anywhere"
fi
scripts/deps.sh build image
[ -f "$build/build.ninja" ] || cmake --preset release -B "$build" -DESOD_TESTS=OFF >/dev/null
if grep -q '^ESOD_SANITIZE:STRING=..*' "$build/CMakeCache.txt"; then
  fail "$build is built with sanitizers, which are not for use: give another one with --build"
fi
targets=(esod esod-plugin-runner)
for plugin in $plugins; do targets+=("plugin_$plugin"); done
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cmake --build "$build" -j "$(nproc 2>/dev/null || echo 2)" --target "${targets[@]}" >"$log" 2>&1 ||
  { cat "$log" >&2; fail "the build failed, see above"; }

version=$(sed -n 's/^project(esod VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
arch=$(dpkg --print-architecture)
# A tree that came without git says itself when it was made, and of what.
revision=${ESOD_REVISION:-$(git rev-parse HEAD 2>/dev/null || true)}
if [ -z "${ESOD_REVISION:-}" ] && [ -n "$(git status --porcelain --untracked-files=no 2>/dev/null)" ]; then revision=$revision-modified; fi
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || true)}
if [ -n "$archive" ] && ! [[ $epoch =~ ^[0-9]+$ ]]; then
  fail "this is no git checkout: set SOURCE_DATE_EPOCH, the seconds since 1970 that the image is to be dated with"
fi

image=$out/image
layers=$image/layers
rm -rf "$image"
mkdir -p "$layers"
install_part() {
  DESTDIR=$(realpath "$layers")/$1 cmake --install "$build" --prefix /usr --strip --component "$2" >"$log" 2>&1 ||
    { cat "$log" >&2; fail "cmake --install failed, see above"; }
}
install_part core esod
# What is installed for people (manual pages, completion) has no use here.
find "$layers/core/usr" -mindepth 1 -maxdepth 1 ! -name bin ! -name libexec -exec rm -r {} +
mkdir -p "$layers/core/usr/share/doc/esod"
cp LICENSE "$layers/core/usr/share/doc/esod/copyright"
for plugin in $plugins; do install_part "plugin-$plugin" "plugin_$plugin"; done
# A Dockerfile names every layer; one that is left out is an empty folder to it.
for plugin in "${known[@]}"; do mkdir -p "$layers/plugin-$plugin"; done
python3 -B deploy/image/rootfs.py "$layers"

mkdir "$image/rootfs"
for layer in base core "${known[@]/#/plugin-}"; do
  cp -a "$layers/$layer/." "$image/rootfs/"
done
echo "$image/rootfs"
[ -n "$archive" ] || exit 0

mkdir -p "$out/dist"
file=$out/dist/esod-$version-$arch.oci.tar
digest=$(python3 -B deploy/image/archive.py "$layers" "$file" "name=$name" "version=$version" "arch=$arch" "created=$epoch" \
  "revision=$revision" "source=$source")
echo "$file: $(($(stat -c %s "$file") / 1024)) KiB"
echo "$digest"
