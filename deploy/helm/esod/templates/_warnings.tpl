{{/* Flags on which more than the process itself depends, and the values that do the same. */}}
{{- define "esod.valuesOfFlags" -}}
namespace: scopedNamespace
controller-class: controllerClass
enable-leader-election: leaderElect
leader-election-id: leaderElectionID
leader-election-namespace: config.leaderElectionNamespace
enable-secret-store-reconciler: processSecretStore
enable-cluster-store-reconciler: processClusterStore
enable-push-secret-reconciler: processPushSecret
enable-cluster-external-secret-reconciler: processClusterExternalSecret
enable-cluster-push-secret-reconciler: processClusterPushSecret
unsafe-allow-generic-targets: genericTargets.enabled
metrics-addr: metrics.listen.port
metrics-secure: metrics.listen.secure.enabled
metrics-auth: metrics.listen.auth.enabled
live-addr: livenessProbe.spec.port
plugin: plugins
shutdown-grace: config.shutdownGrace
config: config
{{- end }}

{{/* What is allowed and may be regretted, a line each. */}}
{{- define "esod.warnings" -}}
{{- $v := .Values -}}
{{- if and (gt (int $v.replicaCount) 1) (not $v.leaderElect) }}
replicaCount is {{ $v.replicaCount }} and leaderElect is false: a leader is elected all the same, since two that work on the same objects do all work twice. One works, the others stand by.
{{- end -}}
{{- if eq (int $v.concurrent) 1 }}
concurrent is 1: one object at a time, of all kinds together. esod's own default is 24.
{{- end -}}
{{- $unmade := list -}}
{{- range $kind, $served := dict "SecretStore" $v.processSecretStore "ClusterSecretStore" (include "esod.clusterStores" .)
    "PushSecret" $v.processPushSecret "ClusterExternalSecret" (include "esod.clusterExternalSecrets" .) "ClusterPushSecret" (include "esod.clusterPushSecrets" .) -}}
{{- if and $served (eq (toString (index $v.crds (printf "create%s" $kind))) "false") }}{{ $unmade = append $unmade (printf "crds.create%s" $kind) }}{{ end -}}
{{- end -}}
{{- if and $unmade $v.createOperator }}
The kind is served, and its definition is not installed: {{ join ", " $unmade }}. Unless somebody else has installed it, esod waits for it and is not ready; switch off the kind too (processPushSecret, ...).
{{- end -}}
{{- $reference := include "esod.isReferenceImage" ($v.global.repository | default $v.image.repository | default "esod") -}}
{{- if and $v.image.tag (ne $v.image.tag .Chart.AppVersion) (not $v.image.digest) (not $reference) $v.createOperator }}
image.tag is {{ $v.image.tag }}, and this chart is of {{ .Chart.AppVersion }}: image, chart and definitions go together. Leave it out if it comes from values of another operator.
{{- end -}}
{{- if and $v.controllerClass $v.createOperator }}
controllerClass is {{ $v.controllerClass }}: stores without spec.controller are served as well, also by other operators.
{{- end -}}
{{- $valueOf := include "esod.valuesOfFlags" . | fromYaml -}}
{{- range $flag, $_ := $v.extraArgs -}}
{{- with get $valueOf $flag }}
extraArgs.{{ $flag }}: set {{ . }} instead. Rights, ports and checks of this chart follow the values; they do not see flags.
{{- end -}}
{{- end -}}
{{- $known := splitList " " (include "esod.imagePlugins" .) -}}
{{- range (kindIs "slice" $v.plugins | ternary $v.plugins list) -}}
{{- $name := kindIs "map" . | ternary (get (kindIs "map" . | ternary . dict) "name") (toString .) -}}
{{- if and $name (not (contains "/" $name)) (not (has $name $known)) }}
plugins: {{ $name }} is none of those in esod's own image ({{ join ", " $known }}). Unless yours has it, the pod will not start; a plugin from another image belongs in extraPlugins.
{{- end -}}
{{- if and (kindIs "map" .) (eq (get (kindIs "map" . | ternary . dict) "isolation") "none") }}
plugins: {{ $name | default (get . "path") }} runs inside esod (isolation: none): it can read every Secret that esod can.
{{- end -}}
{{- end -}}
{{- if eq (default "" $v.config.isolation) "none" }}
config.isolation is none: every plugin runs inside esod, and can read every Secret that esod can.
{{- end -}}
{{- range $v.extraPlugins -}}
{{- if not .sha256 }}
extraPlugins: {{ .name }} is not pinned: whoever replaces the file has what its stores hold. `esod plugins verify` prints the line for sha256.
{{- end -}}
{{- if eq (default "" .isolation) "none" }}
extraPlugins: {{ .name }} runs inside esod (isolation: none): it can read every Secret that esod can.
{{- end -}}
{{- end -}}
{{- if $v.extraPlugins }}
extraPlugins: stores with their providers are refused until the definitions know them. Again after each upgrade that installs definitions: kubectl exec -n {{ include "esod.namespace" . }} deployment/{{ include "esod.fullname" . }} -- esod crds --config /etc/esod/esod.yaml | kubectl apply --server-side --force-conflicts -f -
{{- end -}}
{{- if $v.genericTargets.enabled }}
genericTargets is on: values stand in the clear in ConfigMaps and other objects, and whoever may read these reads them.
{{- end -}}
{{- if and (kindIs "slice" $v.plugins) (not $v.plugins) (not $v.extraPlugins) $v.createOperator }}
plugins is empty: no store can work.
{{- end -}}
{{- if and (not $v.rbac.create) $v.createOperator }}
rbac.create is false: somebody else has to give the service account {{ include "esod.serviceAccountName" . }} its rights, or esod does not become ready. `esod preflight --rights` prints them.
{{- end -}}
{{- if and (not $v.serviceAccount.create) $v.createOperator }}
serviceAccount.create is false: without a service account {{ include "esod.serviceAccountName" . }} in namespace {{ include "esod.namespace" . }} there is no pod.
{{- end -}}
{{- if and (not $v.serviceAccount.automount) $v.createOperator }}
serviceAccount.automount is false: unless extraVolumes bring a token, esod cannot log in to the cluster.
{{- end -}}
{{- if and $v.podDisruptionBudget.enabled (eq (int $v.replicaCount) 1) (eq (toString (get $v.podDisruptionBudget "minAvailable")) "1") (not (hasKey $v.podDisruptionBudget "maxUnavailable")) }}
podDisruptionBudget.minAvailable is 1 and so is replicaCount: the node of the pod cannot be drained. Set replicaCount=2.
{{- end -}}
{{- if and $v.networkPolicy.enabled (not $v.networkPolicy.egress) }}
networkPolicy.egress names nothing, so ports 53, 443 and 6443 are open and no others: a Vault at 8200, say, is out of reach.
{{- end -}}
{{- range $name, $kind := dict "serviceMonitor" "ServiceMonitor" "prometheusRule" "PrometheusRule" -}}
{{- if and (index $v $name).enabled (not (include "esod.renders" (list $ (printf "monitoring.coreos.com/v1/%s" $kind) (index $v $name) $name))) }}
{{ $name }}.enabled: the cluster does not know {{ $kind }} (monitoring.coreos.com/v1), so none was made. Install the Prometheus operator and upgrade this release.
{{- end -}}
{{- end -}}
{{- end }}
