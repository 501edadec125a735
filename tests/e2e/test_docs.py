"""All pages: links lead somewhere, commands are run, manifests are taken. `pages.py` says how a page is read."""

import os
import subprocess
from urllib.parse import unquote

import pytest
import yaml

import harness
import pages
import said_in_sources as said

PAGES = {p.name: p for p in pages.all_pages()}

# Who runs the commands of a page.
HERE = {"docs/commands.md"}
ELSEWHERE = {
    "docs/install.md": "test_install_pages.py",
    "docs/upgrading.md": "test_install_pages.py",
    "docs/migrating.md": "test_install_pages.py",
    "docs/tutorial.md": "test_tutorial.py",
    "sdk/template/README.md": "test_template.py",
    "examples/plugins/cpp/README.md": "test_template.py",
    "examples/plugins/rust/README.md": "test_template.py",
}


def reader(path, home, **more):
    """The environment of somebody who has these folders of programs."""
    return {"HOME": str(home), "PATH": f"{path}:{os.environ['PATH']}", "LANG": "C.UTF-8", **more}


# ---- pages as such

def test_links_lead_somewhere():
    lost = []
    for page in PAGES.values():
        for target, line in page.links():
            path, _, fragment = unquote(target).partition("#")
            to = (page.path.parent / path).resolve() if path else page.path
            known = PAGES.get(str(to.relative_to(harness.ROOT))) if to.is_relative_to(harness.ROOT) else None
            if not to.exists():
                lost.append(f"{page.name}:{line}: {target}: there is no such file")
            elif fragment and (not known or fragment not in known.anchors()):
                lost.append(f"{page.name}:{line}: {target}: no heading of {path or 'this page'} has this anchor")
    assert not lost, "\n".join(lost)


def test_pages_can_be_found_from_the_first():
    """Whoever begins with README.md gets to all of docs/."""
    seen, ahead = set(), ["README.md"]
    while ahead:
        page = PAGES[ahead.pop()]
        if page.name in seen:
            continue
        seen.add(page.name)
        for target, _ in page.links():
            to = (page.path.parent / target.partition("#")[0]).resolve()
            name = str(to.relative_to(harness.ROOT)) if to.is_relative_to(harness.ROOT) else None
            if name in PAGES:
                ahead.append(name)
    hidden = {name for name in PAGES if name.startswith(("docs/", "deploy/"))} - seen
    assert not hidden, f"no page that README.md leads to has a link to these: {sorted(hidden)}"


def test_all_commands_are_run_or_excused():
    wanted = {name for name, page in PAGES.items() if page.steps()}
    assert wanted == HERE | set(ELSEWHERE), "a page with sh blocks has to be in one of the two lists"
    silent = [f"{page.name}:{b.line}" for page in PAGES.values() for b in page.blocks("console") if not b.excuse]
    assert not silent, f"these console blocks do not say why they are not run: {silent}"


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if page.manifests()])
def test_the_manifests_of_a_page_are_taken(name, cluster, space, kubeconfig, control_plane):
    objects = PAGES[name].manifests()
    for o in objects:
        o["metadata"].pop("namespace", None)
    done = subprocess.run([control_plane.conf["tools"]["kubectl"], "--kubeconfig", str(kubeconfig), "-n", space.name, "apply",
                           "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"],
                          input=yaml.safe_dump_all(objects), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


# ---- their commands

@pytest.fixture
def programs(esod_bin, control_plane, tmp_path):
    """A folder for PATH with what a reader has installed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, program in {"esod": esod_bin, "kubectl": control_plane.conf["tools"]["kubectl"]}.items():
        (folder / name).symlink_to(program)
    return folder


def test_commands(cluster, kubeconfig, programs, tmp_path):
    (tmp_path / "externalsecret.yaml").write_text(yaml.safe_dump(harness.external_secret(
        "default", "db-login", "vault", {"user": "user", "password": "password"}, target={"template": {"data": {
            "dsn": "postgres://{{ .user }}:{{ .password }}@db"}}})))
    (tmp_path / "values.yaml").write_text("password: secrets\n")
    pages.follow(PAGES["docs/commands.md"], tmp_path, reader(programs, tmp_path, KUBECONFIG=str(kubeconfig)), timeout=60)


# ---- docs/troubleshooting.md

def explained():
    """The page's words, with its marks and line breaks taken out."""
    text = PAGES["docs/troubleshooting.md"].path.read_text().replace("\\|", "|")
    return " ".join(text.split())


def missing(texts, page):
    return sorted(t for t in texts if not all(piece.strip(" :") in page for piece in said.fixed_pieces(t)))


def test_every_reason_is_explained():
    page, reasons = explained(), said.reasons()
    assert {"SecretSyncedError", "InvalidProviderConfig", "Errored", "UpdateFailed"} <= reasons
    assert not sorted(r for r in reasons if f"`{r}`" not in page)


@pytest.mark.parametrize("texts, known", [
    (said.messages, "could not get secret data from provider"),
    (lambda: said.causes("controller", "secret"), "could not execute template: "),
    (said.log_lines, "the pass failed and will be repeated"),
    (said.findings, "not installed: %s"),
    (lambda: said.causes("preflight"), "%s: others have set fields of it differently (%s): --force-conflicts takes them over"),
    (said.chart_refusals, "%s serves the same objects. Two operators undo each other's writes."),
], ids=["messages", "causes", "log lines", "preflight", "crds --apply", "chart"])
def test_every_message_is_explained(texts, known):
    assert known in texts()
    assert not missing(texts(), explained())


def rules(of):
    """The messages of all rules in a definition; of those that are put together, what they begin with."""
    if isinstance(of, dict):
        for rule in of.get("x-kubernetes-validations") or []:
            yield rule["message"]
    for value in of.values() if isinstance(of, dict) else of if isinstance(of, list) else ():
        yield from rules(value)


def test_every_rule_of_the_definitions_is_explained(crds):
    found = {m.partition("; there are:")[0] for crd in yaml.safe_load_all(crds.read_text()) for m in rules(crd["spec"]["versions"])}
    assert "either data or dataFrom should be specified" in found
    assert not missing(found, explained())


def test_every_alert_leads_to_its_section():
    anchors = PAGES["docs/troubleshooting.md"].anchors()
    rules = yaml.safe_load((harness.ROOT / "deploy" / "observability" / "prometheus-rules.yaml").read_text())
    alerts = {rule["alert"]: rule["annotations"]["runbook_url"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    assert "EsodDown" in alerts
    for alert, url in alerts.items():
        page, _, anchor = url.partition("#")
        assert (page, anchor) == ("docs/troubleshooting.md", alert.lower()) and anchor in anchors, f"{alert}: {url}"
