"""docs/tutorial.md, command by command: what it says is run, and what it says comes out is looked for."""

import contextlib
import os
import re
import subprocess
import sys
import time
import urllib.request

import pytest
import yaml

import controlplane
import harness

PAGE = harness.ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
MARK = "---- end of step"


def steps():
    """(commands, expected lines) of each block for the shell; what a reader needs an account for is not run."""
    found = []
    for kind, text in BLOCK.findall(PAGE.read_text()):
        if kind == "sh":
            found.append((text, []))
        elif kind == "text":
            found[-1][1].extend(text.splitlines())
    return found


RESOURCE = "arn:aws:secretsmanager:*:*:secret:shop/*"


def script():
    """What is run. moto judges what a policy allows, but of resources it knows only "all"."""
    lines = ["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT"]
    for commands, _ in steps():
        lines += [commands.replace(RESOURCE, "*"), "echo", f"echo '{MARK}'"]
    return "\n".join(lines)


@contextlib.contextmanager
def fresh_vault(folder):
    """A development server as a reader starts one: nothing is set up in it."""
    address = f"127.0.0.1:{controlplane.free_port()}"
    program = controlplane.tool("vault")
    log = open(folder / "vault.log", "wb")
    process = subprocess.Popen([program, "server", "-dev", "-dev-root-token-id=root", "-dev-no-store-token",
                                f"-dev-listen-address={address}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://{address}/v1/sys/health", timeout=2).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < end, (folder / "vault.log").read_text()
                time.sleep(0.1)
        yield program, f"http://{address}"
    finally:
        process.kill()
        process.wait()
        log.close()


def tools(folder, **programs):
    """A folder for PATH with these programs under the names that people type."""
    folder.mkdir()
    for name, program in programs.items():
        (folder / name).symlink_to(program)
    return folder


@pytest.fixture
def workplace(tmp_path, gcp):
    """A folder that looks like a clone as far as the page cares; Google's hosts are those of the test server."""
    made = tmp_path / "clone"
    (made / "examples" / "tutorial").mkdir(parents=True)
    config = yaml.safe_load((harness.ROOT / "examples" / "tutorial" / "esod.yaml").read_text())
    for plugin in config["plugins"]:
        if plugin["name"] == "gcp":
            plugin["config"] = gcp.plugin_config()
    config["pluginPath"] = [str(harness.build_dir() / "lib/esod/plugins")]
    (made / "examples" / "tutorial" / "esod.yaml").write_text(yaml.safe_dump(config))
    (made / "key.json").write_text(gcp.key_file())
    gcp.put("shop-database", b'{"user":"shop","password":"from-google"}')
    return made


@pytest.mark.timeout(240)
def test_the_tutorial_does_what_it_says(cluster, control_plane, kubeconfig, esod_bin, workplace, aws, gcp, tmp_path):
    with fresh_vault(tmp_path) as (vault, address):
        path = tools(tmp_path / "bin", esod=esod_bin, vault=vault, kubectl=control_plane.conf["tools"]["kubectl"],
                     aws=os.path.join(os.path.dirname(sys.executable), "aws"))
        env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "VAULT_", "GOOGLE_"))}
        env.update(PATH=f"{path}:{env['PATH']}", HOME=str(tmp_path), KUBECONFIG=str(kubeconfig), VAULT_ADDR=address,
                   VAULT_TOKEN="root", AWS_ENDPOINT_URL=aws.url, AWS_ACCESS_KEY_ID=aws.admin.id,
                   AWS_SECRET_ACCESS_KEY=aws.admin.secret, AWS_EC2_METADATA_DISABLED="true", PROJECT=gcp.project)
        done = subprocess.run(["bash", "-c", script()], cwd=workplace, env=env, capture_output=True, text=True, timeout=200)
    log = workplace / "esod.log"
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{log.read_text()[-4000:] if log.exists() else ''}"
    outputs = done.stdout.split(MARK)
    for (commands, expected), output in zip(steps(), outputs):
        seen = iter(output.splitlines())
        for line in expected:
            assert any(line == s for s in seen), f"after\n{commands}\nthis is missing or out of order: {line}\n{output}"
