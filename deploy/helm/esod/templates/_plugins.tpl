{{/* What esod.yaml says about plugins, and the volumes that bring those of others. */}}

{{/* Those of esod's own image. A test compares the list with what is built. */}}
{{- define "esod.imagePlugins" -}}
aws fake gcp kubernetes vault webhook
{{- end }}

{{/* Those that can act as a service account of the cluster (TokenRequest). */}}
{{- define "esod.tokenPlugins" -}}
aws gcp kubernetes vault
{{- end }}

{{- define "esod.pluginFolder" -}}
/usr/lib/esod/extra/{{ . }}
{{- end }}

{{/* Where the plugin of an entry of extraPlugins is in the pod. */}}
{{- define "esod.extraPluginPath" -}}
{{- $file := .file | default (printf "%s.so" .name) -}}
{{- if .path }}{{ .path }}
{{- else if and .image (eq (.install | default "initContainer") "imageVolume") -}}
{{ include "esod.pluginFolder" .name }}/{{ trimPrefix "/" $file }}
{{- else -}}
{{ include "esod.pluginFolder" .name }}/{{ empty .image | ternary (trimPrefix "/" $file) (base $file) }}
{{- end }}
{{- end }}

{{/* The entries of esod.yaml's list, as YAML; empty: no list, so that every plugin of the
     image is loaded. With plugins of others a list is needed for their settings, and then
     the image's own are named in it: optional, which is what they are without a list. */}}
{{- define "esod.pluginList" -}}
{{- $list := list -}}
{{- if kindIs "slice" .Values.plugins -}}
{{- $list = .Values.plugins -}}
{{- else if .Values.extraPlugins -}}
{{- range splitList " " (include "esod.imagePlugins" .) -}}
{{- $list = append $list (dict "name" . "optional" true) -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraPlugins -}}
{{- $entry := omit . "name" "image" "imagePullPolicy" "install" "command" "file" "volume" "path" -}}
{{- $list = append $list (merge (dict "path" (include "esod.extraPluginPath" .)) $entry) -}}
{{- end -}}
{{- if or (kindIs "slice" .Values.plugins) $list }}{{ toYaml $list }}{{ end }}
{{- end }}

{{/* "yes" if a plugin that is on may ask for tokens of service accounts. Nobody knows that
     of a plugin of somebody else. */}}
{{- define "esod.usesTokens" -}}
{{- if not (kindIs "slice" .Values.plugins) }}yes{{ end -}}
{{- if .Values.extraPlugins }}yes{{ end -}}
{{- $known := splitList " " (include "esod.imagePlugins" .) -}}
{{- $users := splitList " " (include "esod.tokenPlugins" .) -}}
{{- range (kindIs "slice" .Values.plugins | ternary .Values.plugins list) -}}
{{- $name := kindIs "string" . | ternary . (kindIs "map" . | ternary (get (kindIs "map" . | ternary . dict) "name") "") -}}
{{- if or (has $name $users) (not (has $name $known)) }}yes{{ end -}}
{{- end -}}
{{- end }}

{{- define "esod.checkPlugins" -}}
{{- $seen := dict -}}
{{- range $i, $p := (kindIs "slice" .Values.plugins | ternary .Values.plugins list) -}}
{{- $name := kindIs "map" $p | ternary (get (kindIs "map" $p | ternary $p dict) "name" | default (get (kindIs "map" $p | ternary $p dict) "path")) $p | toString -}}
{{- if hasKey $seen $name }}{{ fail (printf "plugins[%d] (%s): it is named twice; a plugin is loaded once, with one entry" $i $name) }}{{ end -}}
{{- $_ := set $seen $name true -}}
{{- end -}}
{{- end }}

{{/* Each says what is wrong with an entry of extraPlugins, or nothing. */}}
{{- define "esod.checkExtraPlugins" -}}
{{- $names := dict -}}
{{- range $i, $p := .Values.extraPlugins -}}
{{- $at := printf "extraPlugins[%d] (%s)" $i $p.name -}}
{{- $ways := 0 -}}
{{- range list "image" "volume" "path" }}{{ if hasKey $p . }}{{ $ways = add1 $ways }}{{ end }}{{ end -}}
{{- if hasKey $names $p.name }}{{ fail (printf "%s: there are two with this name; a plugin is named once" $at) }}{{ end -}}
{{- $_ := set $names $p.name true -}}
{{- if ne (int $ways) 1 -}}
{{- fail (printf "%s: where does it come from? Give one of image (an image that holds it), volume (a volume of the pod), and path (a file that is there already, from extraVolumeMounts or your own image)" $at) -}}
{{- end -}}
{{- if and (eq ($p.install | default "initContainer") "imageVolume") (not $p.sha256) -}}
{{- fail (printf "%s: install: imageVolume needs sha256, since images are mounted noexec, and esod loads from a copy of its own only what is pinned; `sha256sum` of the file prints it. Or use install: initContainer" $at) -}}
{{- end -}}
{{- if and (not $p.image) (or $p.install $p.command $p.imagePullPolicy) -}}
{{- fail (printf "%s: install, command and imagePullPolicy are for a plugin that comes in an image" $at) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "esod.pluginVolumes" -}}
{{- range .Values.extraPlugins }}
{{- if and .image (eq (.install | default "initContainer") "imageVolume") }}
- name: plugin-{{ .name }}
  image:
    reference: {{ .image | quote }}
    pullPolicy: {{ .imagePullPolicy | default "IfNotPresent" }}
{{- else if .image }}
- name: plugin-{{ .name }}
  emptyDir: {sizeLimit: 256Mi}
{{- else if .volume }}
- name: plugin-{{ .name }}
  {{- toYaml .volume | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- define "esod.pluginMounts" -}}
{{- range .Values.extraPlugins }}
{{- if not .path }}
- {name: plugin-{{ .name }}, mountPath: {{ include "esod.pluginFolder" .name }}, readOnly: true}
{{- end }}
{{- end }}
{{- end }}

{{/* Containers that copy a plugin out of its image. They see nothing of the pod but the
     empty folder that they copy to, and run as strictly as esod itself. */}}
{{- define "esod.pluginInitContainers" -}}
{{- $root := . -}}
{{- range .Values.extraPlugins }}
{{- if and .image (ne (.install | default "initContainer") "imageVolume") }}
- name: plugin-{{ .name }}
  image: {{ .image | quote }}
  imagePullPolicy: {{ .imagePullPolicy | default "IfNotPresent" }}
  command:
    {{- toYaml (.command | default (list "cp" (.file | default (printf "/%s.so" .name)) (printf "%s/" (include "esod.pluginFolder" .name)))) | nindent 4 }}
  terminationMessagePolicy: FallbackToLogsOnError
  {{- with include "esod.securityContext" (list $root $root.Values.securityContext) }}
  securityContext:
    {{- . | nindent 4 }}
  {{- end }}
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {memory: 64Mi}
  volumeMounts:
    - {name: plugin-{{ .name }}, mountPath: {{ include "esod.pluginFolder" .name }}}
{{- end }}
{{- end }}
{{- end }}
