"""target.template on a real API server: what it is made of is followed, and what it may not do."""

import time

import pytest

from harness import decoded, version, wait_for

pytestmark = pytest.mark.sanitized

SECRET_VALUE = "tr0ub4dor-and-3"


def config_map(cluster, space, text, name="texts"):
    return cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": space.name},
                          "data": {"url": text}})


def from_map(name="texts"):
    return {"template": {"templateFrom": [{"configMap": {"name": name, "items": [{"key": "url"}]}}]}}


def test_what_a_template_is_made_of_is_followed(operator, cluster, space):
    """Every interval is an hour."""
    space.store({"pw": "hunter2"})
    config_map(cluster, space, "db://x:{{ .pw }}@one")
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hidden", "namespace": space.name},
                   "stringData": {"t": "<{{ .pw }}>"}})
    space.external_secret("es", data={"pw": "pw"}, target=from_map())
    space.external_secret("other", data={"pw": "pw"}, target={"template": {"templateFrom": [
        {"secret": {"name": "hidden", "items": [{"key": "t"}]}}]}})
    space.synced("es", {"url": "db://x:hunter2@one"})
    _, other = space.synced("other", {"t": "<hunter2>"})
    config_map(cluster, space, "db://x:{{ .pw }}@two")
    space.synced("es", {"url": "db://x:hunter2@two"}, timeout=5)
    assert version(cluster.get("Secret", "other", space.name)) == version(other)
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hidden", "namespace": space.name},
                   "stringData": {"t": "[{{ .pw }}]"}})
    space.synced("other", {"t": "[hunter2]"}, timeout=5)


def test_a_source_that_comes_late_breaks_and_goes(operator, cluster, space):
    space.store({"pw": "hunter2"})
    space.external_secret("es", data={"pw": "pw"}, target=from_map())
    assert space.failed("es") == ('could not update secret: could not apply template: error fetching templateFrom data: configmaps "texts" '
                              "not found")
    config_map(cluster, space, "{{ .pw }}")
    space.synced("es", {"url": "hunter2"})
    config_map(cluster, space, "{{ .absent }}")
    assert space.failed("es").endswith('executing "url" at <.absent>: map has no entry for key "absent"')
    cluster.delete("ConfigMap", "texts", space.name)
    wait_for(lambda: space.failed("es").endswith('configmaps "texts" not found'))
    assert decoded(cluster.get("Secret", "es", space.name)) == {"url": b"hunter2"}
    config_map(cluster, space, "again {{ .pw }}")
    space.synced("es", {"url": "again hunter2"})


def test_what_changed_while_esod_was_away(operator, cluster, space):
    """And what did not is not written."""
    space.store({"pw": "hunter2"})
    for name in ("moved", "same"):
        config_map(cluster, space, "one {{ .pw }}", name)
    time.sleep(1.1)  # times of writes are whole seconds
    for name in ("moved", "same"):
        space.external_secret(name, data={"pw": "pw"}, target=from_map(name))
    for name in ("moved", "same"):
        space.synced(name, {"url": "one hunter2"})
    operator.stop()
    before = [version(cluster.get(kind, "same", space.name)) for kind in ("ExternalSecret", "Secret")]
    config_map(cluster, space, "two {{ .pw }}", "moved")
    operator.start()
    space.synced("moved", {"url": "two hunter2"})
    time.sleep(1)
    assert [version(cluster.get(kind, "same", space.name)) for kind in ("ExternalSecret", "Secret")] == before


def test_no_value_shows_in_what_is_said(operator, cluster, space):
    """A template may quote its values, in an error of its own words or of a function."""
    space.store({"pw": SECRET_VALUE})
    for name, text in {"words": "{{ fail (printf \"got %s\" .pw) }}", "json": "{{ .pw | mustFromJson }}", "number": "{{ index .pw .pw }}",
                       "pem": "{{ jwkPublicKeyPem .pw }}"}.items():
        space.external_secret(name, data={"pw": "pw"}, target={"template": {"data": {"k": text}}})
        assert space.failed(name).startswith(
            "could not update secret: could not apply template: could not execute template: unable to execute template at key k: template: k:1:")
        said = wait_for(lambda name=name: cluster.events(space.name, name, "UpdateFailed"))
        assert SECRET_VALUE not in str(said) + space.failed(name)
    assert SECRET_VALUE not in operator.log


COSTLY = {
    '{{ range until 100000 }}{{ printf "%01000d" 1 }}{{ end }}': "the result is above 4194304 bytes",
    '{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}': "exceeded maximum template depth (130)",
    "{{ range until 100000 }}{{ $x := until 100000 }}{{ end }}": "the template needs more than 64 MiB of memory",
}


def test_what_costs_too_much_hurts_nobody_else(operator, cluster, space):
    space.store({"pw": "hunter2"})
    for i, text in enumerate(COSTLY):
        space.external_secret(f"es-{i}", data={"pw": "pw"}, target={"template": {"data": {"k": text}}})
    space.external_secret("fine", data={"pw": "pw"}, target={"template": {"data": {"k": "{{ .pw }}"}}})
    space.synced("fine", {"k": "hunter2"})
    for i, why in enumerate(COSTLY.values()):
        said = space.failed(f"es-{i}")
        assert said.startswith("could not update secret: could not apply template: could not execute template: ") and said.endswith(why)
    assert set(space.secrets()) == {"fine"}


def test_other_delimiters(make_operator, cluster, space):
    make_operator(templateLeftDelimiter="[[", templateRightDelimiter="]]").start()
    space.store({"doc": '{"pw": "hunter2"}'})
    space.external_secret("es", dataFrom=[{"extract": {"key": "doc"}, "rewrite": [{"transform": {"template": "my_{{ .value }}"}}]}],
                          target={"template": {"data": {"k": "[[ .my_pw ]] {{ .other }}"}}})
    space.synced("es", {"k": "hunter2 {{ .other }}"})
