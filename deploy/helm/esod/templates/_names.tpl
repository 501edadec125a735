{{/* Names, labels, and the few facts that several templates ask for. */}}

{{- define "esod.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "esod.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $whole := .Values.fullnameOverride | default (contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name)) -}}
{{- $whole | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* A name with a suffix that still is a DNS label: (list . "-metrics"). */}}
{{- define "esod.named" -}}
{{- $suffix := index . 1 -}}
{{- include "esod.fullname" (index . 0) | trunc (sub 63 (len $suffix) | int) | trimSuffix "-" }}{{ $suffix }}
{{- end }}

{{- define "esod.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace }}
{{- end }}

{{- define "esod.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "esod.fullname" .) "default") }}
{{- end }}

{{- define "esod.selectorLabels" -}}
app.kubernetes.io/name: {{ include "esod.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "esod.ownLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "esod.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* With labels of whoever installs it, which may say otherwise; each key once: (list . MAP). */}}
{{- define "esod.labelsWith" -}}
{{- $root := index . 0 -}}
{{- mergeOverwrite (include "esod.ownLabels" $root | fromYaml) ($root.Values.commonLabels | default dict) (index . 1 | default dict) | toYaml }}
{{- end }}

{{- define "esod.labels" -}}
{{- include "esod.labelsWith" (list . dict) }}
{{- end }}

{{/* The one namespace that is served; empty: all. */}}
{{- define "esod.onlyNamespace" -}}
{{- .Values.scopedNamespace | default (.Values.scopedRBAC | ternary (include "esod.namespace" .) "") }}
{{- end }}

{{/* ClusterSecretStores reach over namespaces, so rights of one namespace end them. */}}
{{- define "esod.clusterStores" -}}
{{- if and .Values.processClusterStore (not .Values.scopedRBAC) }}yes{{ end }}
{{- end }}

{{/* Cluster-wide objects that keep others in namespaces want to see all of these. */}}
{{- define "esod.clusterExternalSecrets" -}}
{{- if and .Values.processClusterExternalSecret (not (include "esod.onlyNamespace" .)) }}yes{{ end }}
{{- end }}

{{- define "esod.clusterPushSecrets" -}}
{{- if and .Values.processClusterPushSecret .Values.processPushSecret (not (include "esod.onlyNamespace" .)) }}yes{{ end }}
{{- end }}

{{/* Nothing that is served reaches out of one namespace: a Role will do. */}}
{{- define "esod.roleOnly" -}}
{{- if and (include "esod.onlyNamespace" .) (not (include "esod.clusterStores" .)) }}yes{{ end }}
{{- end }}

{{/* Two that work on the same objects repair what the other has just written, so more
     than one replica always elects a leader. */}}
{{- define "esod.elects" -}}
{{- if or .Values.leaderElect (gt (int .Values.replicaCount) 1) }}yes{{ end }}
{{- end }}

{{- define "esod.leaseName" -}}
{{- .Values.leaderElectionID | default "external-secrets-controller" }}
{{- end }}

{{/* The Lease by which replicas agree; empty: they do not. */}}
{{- define "esod.lease" -}}
{{- if include "esod.elects" . }}{{ include "esod.leaseName" . }}{{ end }}
{{- end }}

{{/* A Service's name has no dots, which a release's may have. */}}
{{- define "esod.serviceName" -}}
{{- include "esod.named" (list . "-metrics") | replace "." "-" }}
{{- end }}

{{/* The image. Values of External Secrets Operator name that operator's image, in which
     there is no esod: that name is passed over, with its tag and digest, and NOTES says so. */}}
{{- define "esod.isReferenceImage" -}}
{{- if regexMatch "(^|/)external-secrets/external-secrets$" . }}yes{{ end }}
{{- end }}

{{- define "esod.image" -}}
{{- $repository := .Values.global.repository | default .Values.image.repository | default "esod" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}{{- $digest := .Values.image.digest -}}
{{- if include "esod.isReferenceImage" $repository -}}
{{- $repository = "esod" -}}{{- $tag = .Chart.AppVersion -}}{{- $digest = "" -}}
{{- end -}}
{{- $repository }}:{{ $tag }}{{ with $digest }}@{{ . }}{{ end }}
{{- end }}

{{- define "esod.livePort" -}}
{{- $port := .Values.livenessProbe.spec.httpGet.port -}}
{{- kindIs "string" $port | ternary .Values.livenessProbe.spec.port $port | int }}
{{- end }}

{{/* "yes" if objects of a kind that is not Kubernetes' own are to be made:
     (list . "monitoring.coreos.com/v1/ServiceMonitor" .Values.serviceMonitor "serviceMonitor"). */}}
{{- define "esod.renders" -}}
{{- $root := index . 0 -}}{{- $kind := index . 1 -}}{{- $values := index . 2 -}}
{{- $there := $root.Capabilities.APIVersions.Has $kind -}}
{{- if not $values.enabled -}}
{{- else if or $there (eq $values.renderMode "alwaysRender") -}}yes
{{- else if eq $values.renderMode "failIfMissing" -}}
{{- fail (printf "%s.enabled: the cluster does not know %s; install the Prometheus operator first, or set %s.renderMode to skipIfMissing or alwaysRender" (index . 3) $kind (index . 3)) -}}
{{- end -}}
{{- end }}

{{/* OpenShift chooses users and groups itself, and refuses pods that do. */}}
{{- define "esod.securityContext" -}}
{{- $root := index . 0 -}}{{- $context := omit (index . 1) "enabled" -}}
{{- $adapt := $root.Values.global.compatibility.openshift.adaptSecurityContext -}}
{{- if or (eq $adapt "force") (and (eq $adapt "auto") ($root.Capabilities.APIVersions.Has "security.openshift.io/v1")) -}}
{{- $context = omit $context "fsGroup" "runAsUser" "runAsGroup" -}}
{{- end -}}
{{- if and (index . 1).enabled $context }}{{ toYaml $context }}{{ end }}
{{- end }}
