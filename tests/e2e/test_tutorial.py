"""docs/tutorial.md, command by command, in a cluster that runs pods: what it says is run, and what it says comes out is
looked for."""

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from urllib.parse import urlsplit

import pytest
import yaml

import controlplane
import harness
import pages

PAGE = pages.Page(harness.ROOT / "docs" / "tutorial.md")
VALUES = "examples/tutorial/values.yaml"
RESOURCE = "arn:aws:secretsmanager:*:*:secret:shop/*"


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


@pytest.fixture
def clone_with_stand_ins(clone, aws, gcp):
    """The clone's values, with the servers that stand in for AWS and Google."""
    values = yaml.safe_load((harness.ROOT / VALUES).read_text())
    for plugin in values["plugins"]:
        if plugin == "gcp" or isinstance(plugin, dict) and plugin["name"] == "gcp":
            plugin["config"] = gcp.plugin_config()
    values["extraEnv"] = [{"name": "AWS_ENDPOINT_URL", "value": aws.url}, {"name": "AWS_EC2_METADATA_DISABLED", "value": "true"}]
    (clone / VALUES).parent.mkdir(parents=True)
    (clone / VALUES).write_text(yaml.safe_dump(values))
    (clone / "key.json").write_text(gcp.key_file())
    gcp.put("shop-database", b'{"user":"shop","password":"from-google"}')
    return clone


@pytest.mark.timeout(240)
def test_the_tutorial_does_what_it_says(pod_plane, definitions_of, typed, clone_with_stand_ins, aws, gcp, tmp_path):
    with fresh_vault(tmp_path) as (vault, address):
        definitions_of("esod", "esod")
        pod_plane.serve_pods("127.0.0.1", **{str(urlsplit(url).port): urlsplit(url).port for url in (address, aws.url, gcp.url)})
        env = typed(vault=vault, aws=os.path.join(os.path.dirname(sys.executable), "aws"))
        env = {k: v for k, v in env.items() if not k.startswith(("AWS_", "VAULT_", "GOOGLE_"))}
        env.update(VAULT_ADDR=address, VAULT_TOKEN="root", AWS_ENDPOINT_URL=aws.url, AWS_ACCESS_KEY_ID=aws.admin.id,
                   AWS_SECRET_ACCESS_KEY=aws.admin.secret, AWS_EC2_METADATA_DISABLED="true", PROJECT=gcp.project)
        # moto judges what a policy allows, but of resources it knows only "all".
        pages.follow(PAGE, clone_with_stand_ins, env, timeout=200, edit=lambda text: text.replace(RESOURCE, "*"))
