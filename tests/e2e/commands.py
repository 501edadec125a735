"""Running a command of esod that ends by itself."""

import os
import subprocess

import pytest

from harness import SANITIZER, without_notes


@pytest.fixture
def esod(esod_bin, tmp_path):
    """esod(*args, code=0) runs a command that ends by itself."""
    def run(*args, code=0, env=None, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        p = subprocess.run([esod_bin, *args], text=True, timeout=60, cwd=tmp_path,
                           env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **(env or {})}, **options)
        assert not SANITIZER.search(p.stderr or ""), p.stderr
        assert p.returncode == code, f"exit code {p.returncode}\n{p.stdout}\n{p.stderr}"
        p.stderr = without_notes(p.stderr)
        return p

    return run


def complaint(p):
    """What a command says that could not do its work: one sentence, and nothing on stdout."""
    assert p.stdout == ""
    assert p.stderr.startswith("esod: ") and p.stderr.count("\n") == 1, p.stderr
    return p.stderr[len("esod: "):-1]
