{{/* esod.yaml, and what else the daemon's command line says. */}}

{{/* TLS certificates are looked for only where something is mounted: without a folder esod
     makes a certificate of its own, as the values promise, and with an empty one it would
     have none. */}}
{{- define "esod.metricsCertDir" -}}
{{- $secure := .Values.metrics.listen.secure -}}
{{- $mounted := not (empty $secure.secretName) -}}
{{- range .Values.extraVolumeMounts -}}
{{- if or (eq .mountPath $secure.certDir) (hasPrefix (printf "%s/" .mountPath) $secure.certDir) }}{{ $mounted = true }}{{ end -}}
{{- end -}}
{{- if and $secure.enabled $mounted }}{{ $secure.certDir }}{{ end }}
{{- end }}

{{- define "esod.config" -}}
{{- $v := .Values -}}
{{- $c := deepCopy $v.config -}}
{{- $_ := set $c "concurrent" (int $v.concurrent) -}}
{{- $_ := set $c "logLevel" $v.log.level -}}
{{- $_ := set $c "logTime" $v.log.timeEncoding -}}
{{- $_ := set $c "metricsAddr" (printf ":%d" (int $v.metrics.listen.port)) -}}
{{- $_ := set $c "liveAddr" (printf "%s:%s" $v.livenessProbe.spec.address (include "esod.livePort" .)) -}}
{{- with include "esod.onlyNamespace" . }}{{ $_ := set $c "namespace" . }}{{ end -}}
{{- with $v.controllerClass }}{{ $_ := set $c "controllerClass" . }}{{ end -}}
{{- with $v.storeRequeueInterval }}{{ $_ := set $c "storeRequeueInterval" . }}{{ end -}}
{{- if not $v.processSecretStore }}{{ $_ := set $c "enableSecretStoreReconciler" false }}{{ end -}}
{{- if not (include "esod.clusterStores" .) }}{{ $_ := set $c "enableClusterStoreReconciler" false }}{{ end -}}
{{- if not $v.processPushSecret }}{{ $_ := set $c "enablePushSecretReconciler" false }}{{ end -}}
{{- if not $v.processClusterExternalSecret }}{{ $_ := set $c "enableClusterExternalSecretReconciler" false }}{{ end -}}
{{- if not $v.processClusterPushSecret }}{{ $_ := set $c "enableClusterPushSecretReconciler" false }}{{ end -}}
{{- if $v.genericTargets.enabled }}{{ $_ := set $c "unsafeAllowGenericTargets" true }}{{ end -}}
{{- if $v.extendedMetricLabels }}{{ $_ := set $c "enableExtendedMetricLabels" true }}{{ end -}}
{{- if include "esod.elects" . -}}
{{- $_ := set $c "enableLeaderElection" true -}}
{{- $_ := set $c "leaderElectionID" (include "esod.leaseName" .) -}}
{{- range list "leaderElectionLeaseDuration" "leaderElectionRenewDeadline" "leaderElectionRetryPeriod" -}}
{{- $value := index $v . -}}
{{- if $value }}{{ $_ := set $c . $value }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if $v.metrics.listen.secure.enabled -}}
{{- $_ := set $c "metricsSecure" true -}}
{{- with include "esod.metricsCertDir" . -}}
{{- $_ := set $c "metricsCertDir" . -}}
{{- $_ := set $c "metricsCertName" (base $v.metrics.listen.secure.certFile) -}}
{{- $_ := set $c "metricsKeyName" (base $v.metrics.listen.secure.keyFile) -}}
{{- end -}}
{{- end -}}
{{- if $v.metrics.listen.auth.enabled }}{{ $_ := set $c "metricsAuth" true }}{{ end -}}
{{- with include "esod.pluginList" . }}{{ $_ := set $c "plugins" (fromYamlArray .) }}{{ end -}}
{{ toYaml $c }}
{{- end }}

{{/* Flags of External Secrets Operator for what esod does not do. It refuses flags that it
     does not know, so these are left out, and NOTES says so. */}}
{{- define "esod.droppedArgs" -}}
enable-cluster-generator-reconciler enable-generator-state generator-gc-grace-period
{{- end }}

{{- define "esod.args" -}}
- run
{{- $dropped := splitList " " (include "esod.droppedArgs" .) }}
{{- range $flag, $value := .Values.extraArgs }}
{{- if has $flag $dropped }}
{{- else if or (kindIs "invalid" $value) (eq (toString $value) "") }}
- --{{ $flag }}
{{- else }}
- {{ printf "--%s=%s" $flag (kindIs "float64" $value | ternary ($value | toJson) (toString $value)) | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Seconds of a duration such as 1h2m3s, rounded up. */}}
{{- define "esod.seconds" -}}
{{- $units := dict "h" 3600.0 "m" 60.0 "s" 1.0 "ms" 0.001 -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll "[0-9.]+(ms|h|m|s)" . -1 -}}
{{- $unit := regexFind "[a-z]+" . -}}
{{- $sum = addf $sum (mulf (trimSuffix $unit . | float64) (get $units $unit)) -}}
{{- end -}}
{{- ceil $sum | int }}
{{- end }}

{{/* Kubernetes kills what has not ended by then, so it is longer than esod's own grace. */}}
{{- define "esod.terminationGrace" -}}
{{- $own := include "esod.seconds" (.Values.config.shutdownGrace | default "10s") | int -}}
{{- $given := .Values.terminationGracePeriodSeconds -}}
{{- if and $given (le (int $given) $own) -}}
{{- fail (printf "terminationGracePeriodSeconds: %d is not longer than config.shutdownGrace (%d seconds), so passes would be killed in the middle; give more, or leave it out" (int $given) $own) -}}
{{- end -}}
{{- $given | default (add $own 10) }}
{{- end }}
