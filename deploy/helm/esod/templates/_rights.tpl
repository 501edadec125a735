{{/* What esod has to be allowed, and nothing else: as `esod preflight --rights` says it. */}}

{{/* Where it works: in one namespace, or in all. */}}
{{- define "esod.rulesOfObjects" -}}
{{- $patch := .Values.processPushSecret | ternary ", get, patch" "" -}}
# What people ask for. The patch is for finalizers; stores have one while a PushSecret
# may have to delete from them.
- apiGroups: [external-secrets.io]
  resources: [externalsecrets{{ if .Values.processPushSecret }}, pushsecrets{{ end }}]
  verbs: [list, watch, get, patch]
{{- if .Values.processSecretStore }}
- apiGroups: [external-secrets.io]
  resources: [secretstores]
  verbs: [list, watch{{ $patch }}]
{{- end }}
- apiGroups: [external-secrets.io]
  resources: [externalsecrets/status{{ if .Values.processSecretStore }}, secretstores/status{{ end }}{{ if .Values.processPushSecret }}, pushsecrets/status{{ end }}]
  verbs: [update, patch]
{{- if .Values.openshiftFinalizers }}
# Owner references that block deletion, where the admission plugin
# OwnerReferencesPermissionEnforcement is on (OpenShift).
- apiGroups: [external-secrets.io]
  resources: [externalsecrets/finalizers]
  verbs: [update]
{{- end }}
# The Secrets that are made, and those that hold stores' credentials.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, update, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
# Certificate authorities of stores, and templates.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch{{ if .Values.genericTargets.enabled }}, create, update, delete{{ end }}]
{{- if and .Values.genericTargets.enabled .Values.genericTargets.resources }}
# The kinds that target.manifest may name.
{{- range .Values.genericTargets.resources }}
- apiGroups: [{{ .apiGroup | quote }}]
  resources: {{ toJson .resources }}
  verbs: {{ toJson .verbs }}
{{- end }}
{{- end }}
{{- if include "esod.usesTokens" . }}
# Plugins that log in as a service account of the cluster.
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, list, watch]
{{- if .Values.rbac.serviceAccountTokenCreate }}
- apiGroups: [""]
  resources: [serviceaccounts/token]
  verbs: [create]
{{- end }}
{{- end }}
{{- end }}

{{/* What stands in no namespace. */}}
{{- define "esod.rulesOfCluster" -}}
{{- if include "esod.clusterStores" . }}
- apiGroups: [external-secrets.io]
  resources: [clustersecretstores]
  verbs: [list, watch{{ if .Values.processPushSecret }}, get, patch{{ end }}]
- apiGroups: [external-secrets.io]
  resources: [clustersecretstores/status]
  verbs: [update, patch]
{{- end }}
{{- if include "esod.clusterExternalSecrets" . }}
# ClusterExternalSecrets, and the ExternalSecrets that they keep in namespaces.
- apiGroups: [external-secrets.io]
  resources: [clusterexternalsecrets]
  verbs: [list, watch, get, patch]
- apiGroups: [external-secrets.io]
  resources: [clusterexternalsecrets/status]
  verbs: [update, patch]
- apiGroups: [external-secrets.io]
  resources: [externalsecrets]
  verbs: [create, update, delete]
# For the finalizer that namespaces have while such an ExternalSecret is there.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get, patch]
{{- if .Values.openshiftFinalizers }}
- apiGroups: [external-secrets.io]
  resources: [clusterexternalsecrets/finalizers]
  verbs: [update]
{{- end }}
{{- end }}
{{- if include "esod.clusterPushSecrets" . }}
# ClusterPushSecrets, and the PushSecrets that they keep in namespaces.
- apiGroups: [external-secrets.io]
  resources: [clusterpushsecrets]
  verbs: [list, watch]
- apiGroups: [external-secrets.io]
  resources: [clusterpushsecrets/status]
  verbs: [update, patch]
- apiGroups: [external-secrets.io]
  resources: [pushsecrets]
  verbs: [create, update, delete]
{{- if .Values.openshiftFinalizers }}
- apiGroups: [external-secrets.io]
  resources: [clusterpushsecrets/finalizers]
  verbs: [update]
{{- end }}
{{- end }}
{{- if not (include "esod.onlyNamespace" .) }}
# Which namespaces a ClusterSecretStore is open for, and which are being deleted.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- else if include "esod.clusterStores" . }}
# Whether a ClusterSecretStore is open for the namespace.
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: [{{ include "esod.onlyNamespace" . | quote }}]
  verbs: [get]
{{- end }}
{{- if .Values.metrics.listen.auth.enabled }}
# Whose token it is, and whether they may read /metrics.
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
{{- end }}
{{- end }}

{{/* A role with its binding to the service account:
     (dict "root" $ "suffix" "-controller" "namespace" NS-OR-EMPTY "rules" TEXT). */}}
{{- define "esod.role" -}}
{{- $kind := empty .namespace | ternary "ClusterRole" "Role" -}}
{{- $name := include "esod.named" (list .root .suffix) }}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  name: {{ $name }}
  {{- with .namespace }}
  namespace: {{ . | quote }}
  {{- end }}
  labels:
    {{- include "esod.labels" .root | nindent 4 }}
rules:
  {{- .rules | trim | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  name: {{ $name }}
  {{- with .namespace }}
  namespace: {{ . | quote }}
  {{- end }}
  labels:
    {{- include "esod.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "esod.serviceAccountName" .root }}
    namespace: {{ include "esod.namespace" .root | quote }}
{{- end }}
