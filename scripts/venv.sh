#!/usr/bin/env bash
# Makes the Python environment of the end-to-end tests, once, in the cache folder,
# and prints the path of its python.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
requirements=$here/../tests/e2e/requirements.txt
cache=${ESOD_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/esod}

mkdir -p "$cache"
exec 9>"$cache/.venv-lock"
flock 9
hash=$( (cat "$requirements" && python3 -c 'import sys; print(sys.version, sys.base_prefix)') | sha256sum | cut -c1-12)
venv=$cache/venv-$hash
if [ ! -e "$venv/.complete" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv" >&2
  "$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check -r "$requirements" >&2
  touch "$venv/.complete"
fi
printf '%s\n' "$venv/bin/python"
