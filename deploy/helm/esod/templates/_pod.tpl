{{/* The pod. By default it is what the Pod Security profile "restricted" asks for, with a
     root file system that nobody writes to. */}}

{{- define "esod.podSpec" -}}
serviceAccountName: {{ include "esod.serviceAccountName" . }}
automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
terminationGracePeriodSeconds: {{ include "esod.terminationGrace" . }}
{{- with .Values.imagePullSecrets | default .Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "esod.securityContext" (list . .Values.podSecurityContext) }}
securityContext:
  {{- . | nindent 2 }}
{{- end }}
{{- if .Values.hostNetwork }}
hostNetwork: true
{{- end }}
{{- if and (kindIs "bool" .Values.hostUsers) (semverCompare ">= 1.33-0" .Capabilities.KubeVersion.Version) }}
hostUsers: {{ .Values.hostUsers }}
{{- end }}
{{- include "esod.placement" . }}
{{- with include "esod.initContainers" . }}
initContainers:
  {{- . | nindent 2 }}
{{- end }}
containers:
  {{- include "esod.container" . | nindent 2 }}
  {{- with .Values.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumes:
  - name: config
    configMap: {name: {{ include "esod.fullname" . }}}
  {{- with .Values.metrics.listen.secure.secretName }}
  - name: metrics-tls
    secret: {secretName: {{ . }}}
  {{- end }}
  {{- with include "esod.pluginVolumes" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.podSpecExtra }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "esod.initContainers" -}}
{{- include "esod.pluginInitContainers" . | trim }}
{{- with .Values.extraInitContainers }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end }}

{{/* Where the pod runs, and how it finds names. */}}
{{- define "esod.placement" -}}
{{- $v := .Values }}
{{- with $v.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- range $key, $value := dict
  "dnsConfig" $v.dnsConfig
  "hostAliases" ($v.hostAliases | default $v.global.hostAliases)
  "nodeSelector" ($v.nodeSelector | default $v.global.nodeSelector)
  "affinity" ($v.affinity | default $v.global.affinity)
  "tolerations" ($v.tolerations | default $v.global.tolerations)
  "priorityClassName" $v.priorityClassName
  "schedulerName" $v.schedulerName
  "runtimeClassName" $v.runtimeClassName }}
{{- if $value }}
{{ toYaml (dict $key $value) }}
{{- end }}
{{- end }}
{{- with $v.topologySpreadConstraints | default $v.global.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  {{- $selector := dict "labelSelector" (dict "matchLabels" (include "esod.selectorLabels" $ | fromYaml)) }}
  - {{ toYaml (merge (deepCopy .) $selector) | nindent 4 | trim }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "esod.container" -}}
- name: {{ .Chart.Name }}
  image: {{ include "esod.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args:
    {{- include "esod.args" . | nindent 4 }}
  {{- with .Values.extraEnv }}
  env:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - {name: metrics, containerPort: {{ .Values.metrics.listen.port }}, protocol: TCP}
    - {name: live, containerPort: {{ include "esod.livePort" . }}, protocol: TCP}
  {{- if .Values.livenessProbe.enabled }}
  livenessProbe:
    {{- omit .Values.livenessProbe.spec "address" "port" | toYaml | nindent 4 }}
  {{- end }}
  {{- if .Values.readinessProbe.enabled }}
  readinessProbe:
    {{- toYaml .Values.readinessProbe.spec | nindent 4 }}
  {{- end }}
  # Why it ended, in `kubectl describe pod` too.
  terminationMessagePolicy: FallbackToLogsOnError
  {{- with include "esod.securityContext" (list . .Values.securityContext) }}
  securityContext:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with .Values.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    - {name: config, mountPath: /etc/esod, readOnly: true}
    {{- if .Values.metrics.listen.secure.secretName }}
    - {name: metrics-tls, mountPath: {{ .Values.metrics.listen.secure.certDir }}, readOnly: true}
    {{- end }}
    {{- with include "esod.pluginMounts" . | trim }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with .Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
