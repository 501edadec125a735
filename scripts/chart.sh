#!/usr/bin/env bash
# Packages the Helm chart, and renders plain manifests from it.
set -euo pipefail

usage() {
  cat <<'TXT'
usage: scripts/chart.sh [--output DIR] [--chart-only]

Puts the chart together from deploy/helm/esod, the definitions that `esod crds`
prints, and deploy/observability; then makes in DIR (default: build/dist)

  esod-VERSION.tgz      the chart, the same bytes for the same sources
  esod.yaml             plain manifests for all namespaces, with the definitions
  esod-namespaced.yaml  for one namespace, `apps`, with no right that reaches out of it
  esod-crds.yaml        the definitions alone

The chart's folder is left beside DIR, in chart/esod.

  --chart-only   render no manifests
  --help         this text

Needs a build: cmake --preset release && cmake --build build/release. Another one is
named by $ESOD_BUILD. Helm is $HELM, or the one that tests/servers/build makes.
TXT
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
dist=build/dist
chart_only=
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --chart-only) chart_only=1 ;;
    --output)
      [ $# -gt 1 ] || { echo "chart.sh: --output needs a folder" >&2; exit 2; }
      dist=$2
      shift
      ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

build=${ESOD_BUILD:-build/release}
esod=$build/bin/esod
if [ ! -x "$esod" ]; then
  echo "chart.sh: $esod is not built: run cmake --preset release && cmake --build build/release" >&2
  exit 1
fi
version=$(sed -n 's/^project(esod VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)

# In a folder of its own first: nobody sees half a chart.
mkdir -p "$dist" "$dist/../chart"
folder=$(cd "$dist/../chart" && pwd)
work=$(mktemp -d "$folder/.work-XXXXXX")
trap 'rm -rf "$work"' EXIT
cp -R deploy/helm/esod "$work/esod"
chart=$work/esod
sed -i "s/^version: .*/version: $version/; s/^appVersion: .*/appVersion: $version/" "$chart/Chart.yaml"
for file in prometheus-rules.yaml grafana-dashboard.json; do
  [ ! -f "deploy/observability/$file" ] || cp "deploy/observability/$file" "$chart/files/"
done

# A file for each definition, named after it.
mkdir -p "$chart/files/crds"
"$esod" crds >"$work/crds.yaml"
awk -v dir="$chart/files/crds" '
  /^---$/ { if (file) close(file); file = ""; next }
  !file && /^  name: / { file = dir "/" $2 ".yaml"; printf "%s", head > file; head = "" }
  !file { head = head $0 "\n"; next }
  { print > file }
' "$work/crds.yaml"

# What tar writes is the same whenever and by whomever it is written.
stamp=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
tar --sort=name --mtime="@$stamp" --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' --format=gnu \
  -C "$work" -cf - esod | gzip -9n >"$work/chart.tgz"
mv "$work/chart.tgz" "$dist/esod-$version.tgz"

if [ -z "$chart_only" ]; then
  [ -n "${HELM:-}" ] || tests/servers/build helm
  helm=${HELM:-$(tests/servers/build --path helm)}
  # No Helm will look after these, so nothing in them says that it does.
  render() {
    "$helm" template esod "$chart" --skip-tests "$@" | sed -e '/^# Source: /d' -e '/app.kubernetes.io\/managed-by: Helm$/d' \
      -e '/helm.sh\/chart: /d'
  }
  {
    printf '%s\n' '# esod for a whole cluster: kubectl apply --server-side -f esod.yaml' \
      'apiVersion: v1' 'kind: Namespace' 'metadata:' '  name: esod' '  labels:' \
      '    pod-security.kubernetes.io/enforce: restricted'
    render --namespace esod
  } >"$work/esod.yaml"
  {
    printf '%s\n' '# esod for one namespace, with no right that reaches out of it. Another name than apps:' \
      "# sed 's/: apps\$/: mine/' esod-namespaced.yaml | kubectl apply -f -" \
      '# The definitions (esod-crds.yaml) come from somebody who may write them.'
    render --namespace apps --set installCRDs=false --set scopedRBAC=true | sed 's/: "apps"$/: apps/'
  } >"$work/esod-namespaced.yaml"
  {
    printf '%s\n' '# What esod serves: kubectl apply --server-side -f esod-crds.yaml'
    cat "$work/crds.yaml"
  } >"$work/esod-crds.yaml"
  mv "$work"/esod.yaml "$work"/esod-namespaced.yaml "$work"/esod-crds.yaml "$dist/"
fi
rm -rf "$folder/esod"
mv "$chart" "$folder/esod"
echo "$dist/esod-$version.tgz"
