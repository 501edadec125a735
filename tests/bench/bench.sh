#!/usr/bin/env bash
# Measures esod against a real API server on this machine and prints a table.
#   tests/bench/bench.sh [--n 1000,10000] [--json FILE] [--phases cold,idle,...]
# See bench.py --help. Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

case " $* " in *" --help "* | *" -h "*) exec python3 -B tests/bench/bench.py --help ;; esac
build=${ESOD_BUILD:-build/release}
if [ "$build" = build/release ]; then
  [ -f build/release/build.ninja ] || cmake --preset release >&2
  cmake --build build/release >&2
fi
tests/servers/build
cache=${ESOD_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/esod}
go=$(tests/servers/build --go)
(cd tests/bench/limit && GOTOOLCHAIN=local "$go" build -trimpath -o "$cache/bin/bench-limit" .)
ESOD_BUILD=$build exec python3 -B tests/bench/bench.py --limit "$cache/bin/bench-limit" "$@"
