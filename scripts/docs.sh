#!/usr/bin/env bash
# Writes the SDK's reference, from the comments of its headers and the pages of docs/sdk, as
# HTML to build/docs/sdk. Errors are: whatever has no comment, a link that leads nowhere,
# a sentence of the core that is not what the tests expect.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v doxygen >/dev/null; then
  echo "docs.sh: there is no doxygen; run scripts/deps.sh test" >&2
  exit 1
fi
version() { sed -n "s/^#define ESP_ABI_$1 \([0-9]*\).*/\1/p" sdk/include/esp/plugin.h; }

rm -rf build/docs
python3 scripts/docs.py quotes
python3 scripts/docs.py pages build/docs/pages build/docs/sdk
{
  cat docs/sdk/Doxyfile
  echo "PROJECT_NUMBER = $(version MAJOR).$(version MINOR)"
} | doxygen -
python3 scripts/docs.py comments build/docs/xml
echo "build/docs/sdk/index.html"
