"""esod render: what a template makes of given values."""

import base64
import json

import pytest
import yaml

from commands import complaint, esod  # noqa: F401

pytestmark = pytest.mark.sanitized

EXTERNAL_SECRET = """
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: db
  namespace: team
spec:
  secretStoreRef: {name: store}
  target:
    name: db-login
    creationPolicy: Merge
    template:
      type: example.com/db
      metadata:
        labels: {user: "{{ .user | lower }}"}
      data:
        dsn: "postgres://{{ .user }}:{{ .password }}@db"
      templateFrom:
        - configMap: {name: texts, items: [{key: app.conf}, {key: more, templateAs: KeysAndValues}]}
        - secret: {name: hidden, items: [{key: t}]}
        - literal: "note: for {{ .user }}"
          target: Annotations
  data: []
"""
TEXTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: texts}
data:
  app.conf: "user={{ .user }}\\n"
  more: "a: '{{ .user }}1'\\nb: two"
"""
HIDDEN = """
apiVersion: v1
kind: Secret
metadata: {name: hidden, namespace: team}
stringData: {t: "<{{ .password }}>"}
"""
PUSH_SECRET = """
apiVersion: external-secrets.io/v1alpha1
kind: PushSecret
metadata: {name: push}
spec:
  secretStoreRefs: [{name: store}]
  selector: {secret: {name: source}}
  template: {data: {dsn: "{{ .user }}@db"}, metadata: {labels: {a: b}}}
"""
RENDERED = {"app.conf": "user=Bob\n", "a": "Bob1", "b": "two", "t": "<hunter2>", "dsn": "postgres://Bob:hunter2@db"}


@pytest.fixture
def files(tmp_path):
    """files(NAME=text) puts files where the command runs."""
    def put(**texts):
        for name, text in texts.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
    put(es_yaml=EXTERNAL_SECRET + "---" + TEXTS, hidden_yaml=HIDDEN, values_yaml="user: Bob\npassword: hunter2\n")
    return put


ALL = ["render", "es.yaml", "--values", "values.yaml", "--from", "hidden.yaml"]


def test_a_secret_with_its_values_hidden(esod, files):
    p = esod(*ALL)
    assert yaml.safe_load(p.stdout) == {
        "apiVersion": "v1", "kind": "Secret", "type": "example.com/db",
        "metadata": {"name": "db-login", "namespace": "team", "labels": {"user": "bob"}, "annotations": {"note": "for Bob"}},
        "data": {k: f"(hidden, {len(v)} bytes)" for k, v in RENDERED.items()}}
    assert "hunter2" not in p.stdout + p.stderr


def test_values_as_text(esod, files):
    made = yaml.safe_load(esod(*ALL, "--show-values").stdout)
    assert made["stringData"] == RENDERED and "data" not in made


def test_json_for_programs(esod, files):
    made = json.loads(esod(*ALL, "-o", "json", "--show-values").stdout)
    assert {k: base64.b64decode(v).decode() for k, v in made["data"].items()} == RENDERED


def test_where_values_come_from(esod, files):
    """Files in their order, what is set goes over them, wherever it stands."""
    files(b64_yaml="user: Qm9i\npassword: aHVudGVyMg==\n", t_txt="{{ .user }} {{ .password }} {{ .cert }}", cert_pem="a=b\nc")
    files(secret_yaml="apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {user: QW5u}\nstringData: {password: two}\n")
    pem = ["--set-file", "cert=cert.pem"]
    assert esod("render", "t.txt", "--values", "b64.yaml", "--base64", *pem).stdout == "Bob hunter2 a=b\nc"
    assert esod("render", "t.txt", "--set", "user=x=y", "--values=values.yaml", *pem).stdout == "x=y hunter2 a=b\nc"
    assert esod("render", "t.txt", "--values=values.yaml", "--values=secret.yaml", *pem).stdout == "Ann two a=b\nc"
    assert esod("render", "-", "--set=user=x", input="{{ .user }}!").stdout == "x!"


def test_bytes_that_are_no_text(esod, files):
    files(bin_yaml="user: Bob\n", es2_yaml=EXTERNAL_SECRET.split("templateFrom")[0].replace("dsn:", "raw: '{{ .raw | b64dec }}'\n        dsn:"))
    made = yaml.safe_load(esod("render", "es2.yaml", "--values", "values.yaml", "--set", "raw=/w==", "--show-values").stdout)
    assert made["data"] == {"raw": "/w=="} and made["stringData"] == {"dsn": RENDERED["dsn"]}


def test_a_push_secret(esod, files):
    """Its template adds to what the source has."""
    files(ps_yaml=PUSH_SECRET)
    made = yaml.safe_load(esod("render", "ps.yaml", "--set", "user=Bob", "--show-values").stdout)
    assert made["metadata"] == {"name": "push", "namespace": "default", "labels": {"a": "b"}}
    assert made["stringData"] == {"user": "Bob", "dsn": "Bob@db"}


def test_several_of_one_file(esod, files):
    files(two_yaml=PUSH_SECRET + "---" + PUSH_SECRET.replace("name: push", "name: other"))
    p = esod("render", "two.yaml", "--set", "user=Bob")
    assert [d["metadata"]["name"] for d in yaml.safe_load_all(p.stdout)] == ["push", "other"]
    items = json.loads(esod("render", "two.yaml", "--set", "user=Bob", "-o", "json").stdout)["items"]
    assert [d["metadata"]["name"] for d in items] == ["push", "other"]


def test_an_object_of_another_kind(esod, files):
    files(app_yaml="""
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: app}
spec:
  target:
    manifest: {apiVersion: argoproj.io/v1alpha1, kind: Application}
    template: {templateFrom: [{target: spec.source, literal: "repo: https://{{ .password }}@git\\ndepth: 3"}]}
""")
    shown = yaml.safe_load(esod("render", "app.yaml", "--values", "values.yaml", "--show-values").stdout)
    assert shown["kind"] == "Application" and shown["spec"] == {"source": {"repo": "https://hunter2@git", "depth": 3}}
    hidden = esod("render", "app.yaml", "--values", "values.yaml").stdout
    assert yaml.safe_load(hidden)["spec"] == {"source": {"repo": "(hidden, 19 bytes)", "depth": "(hidden)"}}


def test_the_delimiters_of_the_configuration(esod, files):
    files(t_txt="{{ [[ .user ]] }}", esod_yaml="templateLeftDelimiter: '[['\ntemplateRightDelimiter: ']]'\n")
    assert esod("render", "t.txt", "--set=user=x", "--config", "esod.yaml").stdout == "{{ x }}"
    assert esod("render", "t.txt", "--set=user=x", "--template-left-delimiter=[[", "--template-right-delimiter=]]").stdout == "{{ x }}"


PREFIX = "es.yaml:2: ExternalSecret db: could not apply template: "
FAILURES = {
    "a missing value": (["--set", "user=x", "--from", "hidden.yaml"], PREFIX + "error fetching templateFrom data: could not execute "
                        "template: unable to execute template at key t: template: t:1:4: executing \"t\" at <.password>: map has no "
                        "entry for key \"password\""),
    "a missing object": (["--values", "values.yaml"], PREFIX + 'error fetching templateFrom data: secrets "hidden" not found'),
}


@pytest.mark.parametrize("args, sentence", FAILURES.values(), ids=FAILURES)
def test_what_cannot_be_rendered(esod, files, args, sentence):
    assert complaint(esod("render", "es.yaml", *args, code=1)) == sentence


def test_line_and_column_of_a_text(esod, files):
    files(app_conf="one\ntwo {{ .user }} {{ .usr }}\n", bad_conf="one\n{{ if .user }}")
    assert complaint(esod("render", "app.conf", "--set=user=x", code=1)) == (
        'could not execute template: unable to execute template at key app.conf: template: app.conf:2:19: executing "app.conf" at '
        '<.usr>: map has no entry for key "usr"')
    assert complaint(esod("render", "bad.conf", "--set=user=x", code=1)) == (
        "could not execute template: unable to parse template at key bad.conf: template: bad.conf:2: unexpected EOF")


def test_values_do_not_show_in_errors(esod, files):
    files(t_txt="{{ fail .password }}")
    p = esod("render", "t.txt", "--values", "values.yaml", code=1)
    assert complaint(p).endswith("error calling fail: ***")


INPUT = {
    "a number": ("values.yaml", "user: x\nport: 5432\n", "values.yaml:2: the value of port is no text, and templates see texts only: quote it"),
    "a list": ("values.yaml", "- a\n", "values.yaml:1: values are a map of keys to texts, or a Secret"),
    "no YAML": ("values.yaml", "a: [", "values.yaml:2: did not find expected node content while parsing a flow node"),
    "a Secret that is none": ("values.yaml", "apiVersion: v1\nkind: Secret\ndata:\n  a: '*'\n", "values.yaml:4: the value of a is no base64 at byte 0"),
    "no source": ("hidden.yaml", "apiVersion: apps/v1\nkind: Deployment\n", "hidden.yaml:1: templateFrom reads ConfigMaps and Secrets only"),
    "no name": ("hidden.yaml", "apiVersion: v1\nkind: Secret\n", "hidden.yaml:1: metadata.name is missing"),
}


@pytest.mark.parametrize("name, text, sentence", INPUT.values(), ids=INPUT)
def test_input_that_is_wrong(esod, files, name, text, sentence):
    files(**{name.replace(".", "_"): text})
    assert complaint(esod(*ALL, code=2)) == sentence


def test_a_manifest_that_is_none(esod, files):
    files(store_yaml="apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {name: s}\n")
    assert complaint(esod("render", "store.yaml", code=1)) == (
        "store.yaml:1: unsupported template kind SecretStore: only ExternalSecrets and PushSecrets have one")
    files(es_yaml="apiVersion: external-secrets.io/v1\nkind: [")
    assert complaint(esod("render", "es.yaml", code=1)) == "es.yaml:3: did not find expected node content while parsing a flow node"
    files(es_yaml="apiVersion: external-secrets.io/v1\nkind: ExternalSecret\n")
    assert complaint(esod("render", "es.yaml", code=1)) == "es.yaml:1: metadata.name is missing"
