#!/usr/bin/env python3
"""Runs the black-box acceptance cases that this project claims to pass.

    tests/e2e/acceptance.py --folder ../shared/acceptance [--cases GLOB,...] [--report FILE]

The cases come from a folder with run.py and cases/ (its README.md says more);
which of them are run is in acceptance-cases.txt. ESOD_BUILD names the build.
Cases that need a setting of the operator run in a second round, with that setting.
"""
import argparse
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "servers")]

import controlplane  # noqa: E402
import harness  # noqa: E402


def patterns(path):
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    return [p for p in lines if p and p[0] != "!"], [p[1:] for p in lines if p.startswith("!")]


def choose(folder, wanted, unwanted):
    """The ids of the cases; a pattern that fits none is a mistake in the list."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    needs = {f"{c['area']}/{c['name']}": c.get("needs", []) for f in sorted((folder / "cases").glob("*.yaml"))
             for c in yaml.load(f.read_text(), Loader=loader) or []}
    lost = [p for p in wanted if not fnmatch.filter(needs, p)]
    if lost:
        sys.exit(f"acceptance: no case fits {', '.join(lost)}")
    return {i: n for i, n in needs.items()
            if any(fnmatch.fnmatch(i, p) for p in wanted) and not any(fnmatch.fnmatch(i, p) for p in unwanted)}


SETTINGS = {"generic-targets": "unsafeAllowGenericTargets"}  # what a case may need, and the setting that gives it


def plugins():
    """The names of all plugins that are built: the cases choose among them by their stores."""
    return sorted(p.stem for p in (harness.build_dir() / "lib/esod/plugins").glob("*.so"))


def rounds(chosen):
    """(capability or None, the ids of the cases) for each run of the operator."""
    special = {i: need for i, needs in chosen.items() for need in needs if need in SETTINGS}
    for need in (None, *SETTINGS):
        ids = [i for i in chosen if special.get(i) == need]
        if ids:
            yield need, ids


def run(command):
    """Shows what the runner says; (exit code, passed, failed)."""
    counts = (0, 0)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as runner:
        for line in runner.stdout:
            print(line, end="", flush=True)
            found = re.match(r"(\d+) passed, (\d+) failed$", line)
            if found:
                counts = int(found[1]), int(found[2])
    return runner.returncode, *counts


def one_report(parts):
    """The runner's reports of several rounds, added up."""
    whole = {"passed": 0, "failed": 0, "skipped": [], "restarts": 0, "seconds": 0, "cases": []}
    for part in parts:
        for key, value in json.loads(part.read_text()).items():
            whole[key] = whole[key] + value if key in whole else value
    whole["cases"].sort(key=lambda c: c["id"])
    return whole


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--cases", help="comma-separated globs over area/name instead of acceptance-cases.txt")
    parser.add_argument("--report", type=Path, help="where the runner's JSON report goes")
    parser.add_argument("--parallel", type=int, default=8)
    parser.add_argument("--list", action="store_true", help="only name the cases")
    args = parser.parse_args()

    chosen = choose(args.folder, *((args.cases.split(","), []) if args.cases else patterns(HERE / "acceptance-cases.txt")))
    if args.list:
        print("\n".join(chosen))
        return 0
    esod = harness.build_dir() / "bin" / "esod"
    plane = None
    with tempfile.TemporaryDirectory(prefix="esod-acceptance-") as tmp:
        tmp = Path(tmp)
        # The runner makes certificates beside itself, and the folder may be read-only.
        shutil.copytree(args.folder, tmp / "cases", copy_function=shutil.copyfile)
        for path in [tmp / "cases", *(tmp / "cases").rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        crds = tmp / "crds.yaml"
        with open(crds, "wb") as out:
            subprocess.run([esod, "crds"], check=True, stdout=out, timeout=60)
        try:
            plane = controlplane.ControlPlane(controlplane.temporary_state())
            plane.start(crds=crds, owner_pid=os.getpid(), hours=1, remove=True)
            results, reports = [], []
            for need, ids in rounds(chosen):
                settings = {SETTINGS[need]: True} if need else {}
                operator = harness.Operator(esod, plane.kubeconfig, tmp, loglevel="info", plugins=plugins(), **settings)
                operator.write_config()
                reports.append(tmp / f"report-{len(reports)}.json")
                results.append(run([
                    sys.executable, "-B", str(tmp / "cases" / "run.py"), "--kubeconfig", str(plane.kubeconfig),
                    "--crds", str(crds), "--operator", f"'{esod}' run --config '{operator.config_path}'",
                    "--metrics-url", f"http://127.0.0.1:{operator.metrics_port}/metrics", "--have", need or "",
                    "--cases", ",".join(ids), "--parallel", str(args.parallel), "--keep", "--report", str(reports[-1])]))
            if args.report:
                args.report.write_text(json.dumps(one_report([r for r in reports if r.exists()]), indent=1))
            if len(results) > 1:
                print(f"# {len(results)} rounds with different settings\n{sum(r[1] for r in results)} passed, "
                      f"{sum(r[2] for r in results)} failed")
            return max(r[0] for r in results)
        finally:
            if plane:
                plane.stop()


if __name__ == "__main__":
    sys.exit(main())
