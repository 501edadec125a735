#!/usr/bin/env bash
# From a fresh clone to synced Secrets, without a cluster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log=build/quickstart.log
mkdir -p build

step() {
  printf '%-28s' "$1"
  shift
  local started=$SECONDS
  if ! "$@" >"$log" 2>&1; then
    printf 'failed\n\n' && tail -n 30 "$log" >&2
    printf '\nThe whole output is in %s\n' "$log" >&2
    exit 1
  fi
  printf 'done (%d s)\n' $((SECONDS - started))
}

jobs=$(nproc 2>/dev/null || echo 2)
step "Installing what is missing" scripts/deps.sh build
[ -f build/release/build.ninja ] || step "Configuring" cmake --preset release
step "Building" cmake --build build/release -j "$jobs"

cat <<'TXT'

examples/quickstart holds a store with made-up secrets and ExternalSecrets that
ask for some of them. The same controllers that run in a cluster make of it:

$ build/release/bin/esod local --show-values examples/quickstart

TXT
build/release/bin/esod local --show-values examples/quickstart
cat <<'TXT'

Next: edit a file in examples/quickstart and run that line again, or read README.md.
TXT
