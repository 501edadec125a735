{{/* What can be said to be wrong before anything is installed. The first half needs the
     values alone. The second looks into the cluster with `lookup`, which finds nothing
     under `helm template` and `--dry-run=client`; what it finds wrong is told all at once.

     Helm ends with an error where `lookup` is refused, and names the template that asked.
     So those templates are named after the remedy. */}}

{{- define "esod.checkValues" -}}
{{- if and .Values.installCRDs (not (.Files.Glob "files/crds/*.yaml")) -}}
{{- fail "this is the source of the chart, without the definitions of the custom resources: run scripts/chart.sh and install build/dist/esod-VERSION.tgz, or set installCRDs=false" -}}
{{- end -}}
{{- if and .Values.metrics.listen.auth.enabled (not .Values.metrics.listen.secure.enabled) -}}
{{- fail "metrics.listen.auth.enabled: tokens are not sent over plain HTTP; set metrics.listen.secure.enabled=true as well" -}}
{{- end -}}
{{- if eq (int .Values.metrics.listen.port) (include "esod.livePort" . | int) -}}
{{- fail (printf "metrics.listen.port and livenessProbe.spec.port are both %s: one of the two could not be listened at; give each a port of its own" (include "esod.livePort" .)) -}}
{{- end -}}
{{- include "esod.checkLabels" . -}}
{{- include "esod.checkMounts" . -}}
{{- include "esod.checkPlugins" . -}}
{{- include "esod.checkExtraPlugins" . -}}
{{- end }}

{{- define "esod.checkLabels" -}}
{{- $v := .Values -}}
{{- $given := dict "commonLabels" $v.commonLabels "podLabels" $v.podLabels "global.podLabels" $v.global.podLabels -}}
{{- $own := include "esod.selectorLabels" . | fromYaml -}}
{{- range $value, $labels := $given -}}
{{- range $key, $label := $labels -}}
{{- if and (hasKey $own $key) (ne (toString $label) (get $own $key)) -}}
{{- fail (printf "%s: the pods are selected by %s, which is %s in this release; leave it out%s" $value $key (get $own $key) (eq $key "app.kubernetes.io/name" | ternary ", and set nameOverride for another name" "")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "esod.checkMounts" -}}
{{- range $i, $mount := .Values.extraVolumeMounts -}}
{{- $path := get $mount "mountPath" | toString | trimSuffix "/" -}}
{{- if or (eq $path "/etc/esod") (hasPrefix "/etc/esod/" $path) -}}
{{- fail (printf "extraVolumeMounts[%d] (%s): /etc/esod is where this chart mounts esod.yaml, read-only, so nothing can be mounted there; choose another folder, and give settings with config" $i $path) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* ---- the definitions ---- */}}

{{/* The names of those to install, one a line. */}}
{{- define "esod.definitions" -}}
{{- $switches := dict
  "clusterexternalsecrets" .Values.crds.createClusterExternalSecret
  "clustersecretstores" .Values.crds.createClusterSecretStore
  "secretstores" .Values.crds.createSecretStore
  "clusterpushsecrets" .Values.crds.createClusterPushSecret
  "pushsecrets" .Values.crds.createPushSecret -}}
{{- if .Values.installCRDs -}}
{{- range $path, $_ := .Files.Glob "files/crds/*.yaml" -}}
{{- $name := base $path | trimSuffix ".yaml" -}}
{{- $plural := splitList "." $name | first -}}
{{- if or (not (hasKey $switches $plural)) (get $switches $plural) }}
{{ $name }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "esod.findDefinitions (no right to read definitions? Let an administrator apply them, and set installCRDs=false)" -}}
{{- $root := . -}}{{- $theirs := dict -}}
{{- range include "esod.definitions" . | splitList "\n" | compact -}}
{{- $there := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" . -}}
{{- if $there -}}
{{- $notes := $there.metadata.annotations | default dict -}}
{{- $release := get $notes "meta.helm.sh/release-name" -}}{{- $where := get $notes "meta.helm.sh/release-namespace" -}}
{{- $helm := eq (get ($there.metadata.labels | default dict) "app.kubernetes.io/managed-by") "Helm" -}}
{{- if not (and $helm (eq $release $root.Release.Name) (eq $where $root.Release.Namespace)) -}}
{{- $owner := empty $release | ternary "applied without Helm" (printf "of Helm release %s in namespace %s" $release $where) -}}
{{- $_ := set $theirs $owner (append (get $theirs $owner | default list) .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $owner, $names := $theirs }}
{{ join ", " $names }}: already in the cluster, {{ $owner }}.
To use them as they are:
  --set installCRDs=false
To have this release keep them up to date from now on, first make them its own:
  kubectl annotate --overwrite crd {{ join " " $names }} meta.helm.sh/release-name={{ $root.Release.Name }} meta.helm.sh/release-namespace={{ $root.Release.Namespace }} helm.sh/resource-policy=keep
  kubectl label --overwrite crd {{ join " " $names }} app.kubernetes.io/managed-by=Helm
A release whose manifest holds definitions without that policy takes them along when it is uninstalled, and with them all ExternalSecrets and their Secrets (docs/migrating.md).
{{- end -}}
{{- end }}

{{/* ---- other operators ---- */}}

{{/* A flag's value in a container's arguments: (list ARGS "--namespace"). */}}
{{- define "esod.flag" -}}
{{- $name := index . 1 -}}
{{- range index . 0 }}{{ if hasPrefix (printf "%s=" $name) . }}{{ trimPrefix (printf "%s=" $name) . }}{{ end }}{{ end -}}
{{- end }}

{{/* As YAML: what the operator of a Deployment serves; empty if it is none, stopped, or being deleted. */}}
{{- define "esod.operatorOf" -}}
{{- $container := first .spec.template.spec.containers -}}
{{- $args := $container.args | default list -}}
{{- $notes := .metadata.annotations | default dict -}}
{{- $name := get (.metadata.labels | default dict) "app.kubernetes.io/name" -}}
{{- $theirs := or (eq $name "external-secrets") (regexMatch "external-secrets/external-secrets[:@]" $container.image) -}}
{{- if or (eq (int .spec.replicas) 0) .metadata.deletionTimestamp -}}
{{- else if hasKey $notes "esod.dev/lease" -}}
{{ toYaml (dict "what" "esod" "namespace" (get $notes "esod.dev/namespace") "class" (get $notes "esod.dev/controller-class") "lease" (get $notes "esod.dev/lease")) }}
{{- else if and $theirs (not (has (first (append $args "")) (list "webhook" "certcontroller"))) -}}
{{ toYaml (dict "what" "External Secrets Operator" "namespace" (include "esod.flag" (list $args "--namespace")) "class" (include "esod.flag" (list $args "--controller-class") | default "default") "lease" "") }}
{{- end -}}
{{- end }}

{{- define "esod.findOthers (no right to list Deployments? Serve one namespace with scopedRBAC=true and installCRDs=false, or set allowSeveral=true)" -}}
{{- $root := . -}}
{{- $ns := include "esod.onlyNamespace" . -}}{{- $class := .Values.controllerClass | default "default" -}}
{{- $home := include "esod.namespace" . -}}
{{- $lease := include "esod.lease" . -}}
{{- range (lookup "apps/v1" "Deployment" (include "esod.roleOnly" . | empty | ternary "" $home) "").items -}}
{{- $other := include "esod.operatorOf" . | fromYaml -}}
{{- $self := and (eq .metadata.name (include "esod.fullname" $root)) (eq .metadata.namespace $home) -}}
{{- if and $other (not $self) -}}
{{- $who := printf "Deployment %s in namespace %s (%s)" .metadata.name .metadata.namespace $other.what -}}
{{- if and (eq $other.class $class) (or (not $ns) (not $other.namespace) (eq $ns $other.namespace)) }}
{{ $who }} serves the same objects. Two operators undo each other's writes.
To change over from it, stop it first (docs/migrating.md):
  kubectl scale deployment {{ .metadata.name }} -n {{ .metadata.namespace }} --replicas=0
To run both, give each a namespace of its own (scopedNamespace, scopedRBAC) or, if every store names its controller, a controllerClass.
If you know that they share no objects, or that only one of them leads:
  --set allowSeveral=true
{{- else if and $lease (eq $other.lease $lease) (eq .metadata.namespace $home) }}
{{ $who }} elects its leader with the same Lease {{ $home }}/{{ $lease }}, so one of the two would never work.
Give this release a Lease of its own:
  --set leaderElectionID={{ include "esod.fullname" $root }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Objects that stand in no namespace are named after the release alone, so two releases
     of one name meet there. */}}
{{- define "esod.findNames (no right to read ClusterRoles? Serve one namespace with scopedRBAC=true)" -}}
{{- $name := include "esod.named" (list . "-controller") -}}
{{- $there := lookup "rbac.authorization.k8s.io/v1" "ClusterRole" "" $name -}}
{{- if $there -}}
{{- $notes := $there.metadata.annotations | default dict -}}
{{- $release := get $notes "meta.helm.sh/release-name" -}}{{- $where := get $notes "meta.helm.sh/release-namespace" -}}
{{- if not (and (eq $release .Release.Name) (eq $where .Release.Namespace)) -}}
ClusterRole {{ $name }} is there already, {{ empty $release | ternary "made without Helm" (printf "of Helm release %s in namespace %s" $release $where) }}: names without a namespace would meet.
Give this release another name, or its objects:
  --set fullnameOverride={{ .Release.Namespace | trunc 50 }}-{{ include "esod.name" . | trunc 10 | trimSuffix "-" }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "esod.check" -}}
{{- include "esod.checkValues" . -}}
{{- $found := list -}}
{{- if and .Values.createOperator (not .Values.allowSeveral) -}}
{{- $found = append $found (include "esod.findOthers (no right to list Deployments? Serve one namespace with scopedRBAC=true and installCRDs=false, or set allowSeveral=true)" . | trim) -}}
{{- end -}}
{{- $found = append $found (include "esod.findDefinitions (no right to read definitions? Let an administrator apply them, and set installCRDs=false)" . | trim) -}}
{{- if and .Values.rbac.create (not (include "esod.roleOnly" .)) -}}
{{- $found = append $found (include "esod.findNames (no right to read ClusterRoles? Serve one namespace with scopedRBAC=true)" . | trim) -}}
{{- end -}}
{{- with compact $found }}{{ fail (join "\n\n" .) }}{{ end -}}
{{- end }}
