#!/usr/bin/env bash
# Runs every test there is. Each part runs even when another one failed; the last
# line sums up.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

usage() {
  cat <<'TXT'
usage: scripts/test.sh [--quick] [--only PART]... [-k EXPRESSION]

Builds and tests everything: unit tests (plain and with sanitizers), end-to-end
tests against a real Kubernetes control plane on 127.0.0.1, valgrind, and, where
the acceptance cases are at hand, those. What is missing is installed or built
first: Debian packages, the servers (once, about 13 minutes) and a Python
environment, the latter two in ~/.cache/esod. With warm caches about 30 minutes.

  --quick        without the sanitizer builds
  --only PART    only this part (may be given again); the parts:
                   scripts   shellcheck
                   docs      the SDK's reference: everything has a comment, every link leads somewhere
                   unit      release build, unit tests
                   asan      unit tests with address and undefined-behaviour sanitizers
                   tsan      unit tests with the thread sanitizer
                   valgrind  a local run under valgrind
                   e2e       end-to-end tests
                   e2e-asan  some of them with address and undefined-behaviour sanitizers
                   e2e-tsan  some of them with the thread sanitizer
                   acceptance  black-box cases of ESOD_ACCEPTANCE (default: ../shared/acceptance)
  -k EXPRESSION  only the end-to-end tests that pytest's -k selects

Logs are in build/test-logs.
TXT
}

all="scripts docs unit asan tsan valgrind e2e e2e-asan e2e-tsan acceptance"
selected=
quick=
expression=
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --quick) quick=1 ;;
    --only | -k)
      [ $# -gt 1 ] || { usage >&2; exit 2; }
      if [ "$1" = -k ]; then
        expression=$2
      else
        case " $all " in *" $2 "*) selected="$selected $2" ;; *) usage >&2; exit 2 ;; esac
      fi
      shift
      ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
[ -n "$selected" ] || selected=$all
[ -z "$quick" ] || selected=$(for p in $selected; do case $p in *asan | *tsan) ;; *) echo "$p" ;; esac; done)

logs=$PWD/build/test-logs
rm -rf "$logs"
mkdir -p "$logs"
jobs=$(nproc 2>/dev/null || echo 2)
passed=0
failed=0
troubles=()

# Adds up a JUnit file or a report of the acceptance runner: "passed failed", then what failed.
count() {
  python3 - "$1" <<'PY'
import json, sys, xml.etree.ElementTree as tree
path, bad, good = sys.argv[1], [], 0
if path.endswith(".json"):
    report = json.load(open(path))
    good = report["passed"]
    bad = [c["id"] for c in report["cases"] if not c["ok"]]
    bad += ["the operator crashed %d times" % report["restarts"]] if report["restarts"] else []
else:
    for case in tree.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail":
            bad.append((case.get("classname") or "") + " " + case.get("name"))
        elif case.find("skipped") is None and case.get("status") not in ("disabled", "notrun"):
            good += 1
print(good, len(bad))
print("\n".join("    " + b.strip() for b in bad[:40]))
PY
}

# part NAME FUNCTION: runs it with its output in a log. A function leaves NAME.xml
# or NAME.json to be counted, otherwise it counts as one test.
part() {
  local name=$1 started=$SECONDS status=0 report='' good=0 bad=0 names=''
  printf '== %s\n' "$name"
  ("$2" "$name") >"$logs/$name.log" 2>&1 </dev/null || status=$?
  for report in "$logs/$name.xml" "$logs/$name.json" ''; do [ ! -e "$report" ] || break; done
  if [ -n "$report" ] && report=$(count "$report" 2>>"$logs/$name.log"); then
    read -r good bad <<<"${report%%$'\n'*}"
    names=${report#*$'\n'}
  elif [ "$status" -eq 0 ]; then
    good=1
  fi
  # A part that failed without any failed test, such as a build, is a failure too.
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
  passed=$((passed + good))
  failed=$((failed + bad))
  if [ "$bad" -eq 0 ]; then
    printf '   ok: %d passed (%d s)\n' "$good" $((SECONDS - started))
    return 0
  fi
  printf '   FAILED: %d passed, %d failed (%d s), see %s\n' "$good" "$bad" $((SECONDS - started)) "${logs#"$PWD"/}/$name.log"
  if [ -n "${names// /}" ]; then printf '%s\n' "$names"; else tail -n 15 "$logs/$name.log" | sed 's/^/    /'; fi
  troubles+=("$name: $bad failed, see ${logs#"$PWD"/}/$name.log${names:+$'\n'}$names")
  return 1
}

# prepare NAME FUNCTION: counts, and is mentioned, only when it fails.
prepare() {
  ("$2") >"$logs/$1.log" 2>&1 </dev/null && return
  printf '== %s\n   FAILED, see %s\n' "$1" "${logs#"$PWD"/}/$1.log"
  tail -n 15 "$logs/$1.log" | sed 's/^/    /'
  troubles+=("$1: see ${logs#"$PWD"/}/$1.log")
  failed=$((failed + 1))
}

build() {
  local preset=$1
  [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" || return
  cmake --build "build/$preset" -j "$jobs"
}

units() {
  ctest --test-dir "build/$2" -j "$jobs" --timeout 300 --no-tests=error --output-on-failure --output-junit "$logs/$1.xml"
}

run_deps() { scripts/deps.sh build test image; }
run_servers() {
  tests/servers/build etcd kube-apiserver kube-controller-manager kubectl vault helm seccomp-default prometheus promtool grafana-schema
}
run_venv() { scripts/venv.sh >"$logs/python"; }
run_scripts() {
  git ls-files -z scripts .ci tests deploy | xargs -0 grep -lE '^#!.*\b(ba)?sh\b' | xargs shellcheck -x
}
run_docs() { scripts/docs.sh; }
run_unit() { build release && units "$1" release; }
run_asan() { build asan && units "$1" asan; }
run_tsan() { build tsan && units "$1" tsan; }

run_valgrind() {
  valgrind --quiet --leak-check=full --show-leak-kinds=definite,indirect,possible --errors-for-leak-kinds=definite,indirect \
    --error-exitcode=99 build/release/bin/esod local examples/quickstart
}

# Two at a time, each with a control plane of its own: these tests wait more than they work.
end_to_end() {
  local name=$1 build=$2 status=0
  shift 2
  ESOD_BUILD=build/$build "$(cat "$logs/python")" -B -m pytest tests/e2e -n 2 --dist loadfile --durations=15 --junitxml="$logs/$name.xml" \
    ${expression:+-k "$expression"} "$@" || status=$?
  # Nothing selected by -k is fine, as long as some part ran something.
  if [ "$status" -eq 5 ] && [ -n "$expression" ]; then status=0; fi
  return "$status"
}
# Pods run what a cluster runs: the image.
run_e2e() {
  build release && scripts/image.sh --rootfs-only && ESOD_ROOTFS=$PWD/build/image/rootfs end_to_end "$1" release
}
run_e2e-asan() { build asan && end_to_end "$1" asan -m sanitized; }
run_e2e-tsan() { build tsan && end_to_end "$1" tsan -m sanitized; }

acceptance=${ESOD_ACCEPTANCE:-../shared/acceptance}
run_acceptance() {
  build release && timeout 1500 "$(cat "$logs/python")" -B tests/e2e/acceptance.py --folder "$acceptance" --report "$logs/$1.json"
}

needs_servers=
for name in $selected; do
  case $name in e2e* | acceptance) needs_servers=1 ;; esac
done
printf '== preparations\n'
prepare deps run_deps
if [ -n "$needs_servers" ]; then
  [ -x "$(tests/servers/build --path vault)" ] || printf '   building the test servers, about 13 minutes\n'
  prepare servers run_servers
  prepare venv run_venv
fi
for name in $selected; do
  if [ "$name" = acceptance ] && [ ! -f "$acceptance/run.py" ]; then
    printf '== acceptance\n   skipped: there is no %s/run.py\n' "$acceptance"
    continue
  fi
  part "$name" "run_$name" || true
done

if [ ${#troubles[@]} -gt 0 ]; then
  printf '\nWhat failed:\n'
  printf '%s\n' "${troubles[@]}"
fi
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
