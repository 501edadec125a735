#!/usr/bin/env python3
"""Runs the black-box acceptance cases that this project claims to pass.

    tests/e2e/acceptance.py --folder ../shared/acceptance [--cases GLOB,...] [--report FILE]

The cases come from a folder with run.py and cases/ (its README.md says more);
which of them are run is in acceptance-cases.txt. ESOD_BUILD names the build.
"""
import argparse
import fnmatch
import os
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
    ids = [f"{c['area']}/{c['name']}" for f in sorted((folder / "cases").glob("*.yaml"))
           for c in yaml.load(f.read_text(), Loader=loader) or []]
    lost = [p for p in wanted if not fnmatch.filter(ids, p)]
    if lost:
        sys.exit(f"acceptance: no case fits {', '.join(lost)}")
    return [i for i in ids if any(fnmatch.fnmatch(i, p) for p in wanted) and not any(fnmatch.fnmatch(i, p) for p in unwanted)]


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
            operator = harness.Operator(esod, plane.kubeconfig, tmp, loglevel="info")
            operator.write_config()
            command = [sys.executable, "-B", str(tmp / "cases" / "run.py"), "--kubeconfig", str(plane.kubeconfig),
                       "--crds", str(crds), "--operator", f"'{esod}' run --config '{operator.config_path}'",
                       "--metrics-url", f"http://127.0.0.1:{operator.metrics_port}/metrics",
                       "--cases", ",".join(chosen), "--parallel", str(args.parallel), "--keep"]
            if args.report:
                command += ["--report", str(args.report.resolve())]
            return subprocess.run(command, check=False).returncode
        finally:
            if plane:
                plane.stop()


if __name__ == "__main__":
    sys.exit(main())
