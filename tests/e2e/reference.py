"""External Secrets Operator as far as a cluster shows it: a chart that installs objects of the names, labels and values
that the reference's has, whose programs never run.

Written from what its chart (2.9.0) leaves in a cluster; none of it is copied.
"""

import re

import yaml

LABELS = {"app.kubernetes.io/name": "external-secrets", "app.kubernetes.io/instance": "{{ .Release.Name }}"}
IMAGE = "ghcr.io/external-secrets/external-secrets:v2.9.0"
VALUES = {"installCRDs": True, "replicaCount": 1, "leaderElect": False, "concurrent": 1, "log": {"level": "info"},
          "crds": {"annotations": {}}, "webhook": {"create": True, "replicaCount": 1}, "certController": {"create": True}}


def deployment(suffix, replicas, *args):
    labels = {**LABELS, "app.kubernetes.io/name": "external-secrets" + suffix}
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "{{ .Release.Name }}" + suffix, "namespace": "{{ .Release.Namespace }}", "labels": labels},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "external-secrets", "image": IMAGE, "args": list(args)}],
                         # Nobody has this image: its pods wait for a node for ever.
                         "nodeSelector": {"example.com/runs": "external-secrets"}}}}}


def webhook(name, resource):
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": name, "labels": {"external-secrets.io/component": "webhook"}},
            "webhooks": [{"name": f"validate.{resource[:-1]}.external-secrets.io", "sideEffects": "None",
                          "admissionReviewVersions": ["v1"], "failurePolicy": "Fail", "timeoutSeconds": 5,
                          "rules": [{"apiGroups": ["external-secrets.io"], "apiVersions": ["v1"], "resources": [resource],
                                     "operations": ["CREATE", "UPDATE", "DELETE"]}],
                          "clientConfig": {"service": {"namespace": "{{ .Release.Namespace }}",
                                                       "name": "{{ .Release.Name }}-webhook", "path": "/validate"}}}]}


def definition(crd):
    """As the reference's: without the rules that stand in for a webhook here. (And without descriptions: Helm is slow enough.)"""
    def plain(of):
        if isinstance(of, dict):
            return {k: plain(v) for k, v in of.items() if k != "x-kubernetes-validations" and not (k == "description" and isinstance(v, str))}
        return [plain(v) for v in of] if isinstance(of, list) else of
    made = plain(crd)
    made["metadata"] = {"name": crd["metadata"]["name"], "labels": {"external-secrets.io/component": "controller"}}
    return made


def when(condition, *objects):
    text = yaml.safe_dump_all(objects, width=1000)
    # What Helm shall fill in stands in quotes, where it need not be YAML; a number must not.
    return f"{{{{- if {condition} }}}}\n" + re.sub(r"'(\{\{ \.Values[^']*\}\})'", r"\1", text) + "{{- end }}\n"


def write_chart(folder, crds):
    """The chart, in this folder; `crds` is the file with what `esod crds` prints."""
    (folder / "templates").mkdir(parents=True)
    (folder / "files").mkdir()
    (folder / "Chart.yaml").write_text(yaml.safe_dump({"apiVersion": "v2", "name": "external-secrets", "version": "2.9.0",
                                                       "appVersion": "v2.9.0"}))
    (folder / "values.yaml").write_text(yaml.safe_dump(VALUES))
    for crd in yaml.safe_load_all(crds.read_text()):
        (folder / "files" / f"{crd['metadata']['name']}.yaml").write_text(yaml.safe_dump(definition(crd)))
    (folder / "templates" / "crds.yaml").write_text("""{{- if .Values.installCRDs }}
{{- range $path, $_ := .Files.Glob "files/*.yaml" }}
{{- $crd := $.Files.Get $path | fromYaml }}
{{- $_ := set $crd.metadata "annotations" $.Values.crds.annotations }}
---
{{ toYaml $crd }}
{{- end }}
{{- end }}
""")
    (folder / "templates" / "controller.yaml").write_text(when("true", deployment("", "{{ .Values.replicaCount }}", "--concurrent=1")))
    (folder / "templates" / "cert-controller.yaml").write_text(
        when(".Values.certController.create", deployment("-cert-controller", 1, "certcontroller")))
    (folder / "templates" / "webhook.yaml").write_text(when(
        ".Values.webhook.create", deployment("-webhook", "{{ .Values.webhook.replicaCount }}", "webhook"),
        webhook("secretstore-validate", "secretstores"), webhook("externalsecret-validate", "externalsecrets")))
    return folder
