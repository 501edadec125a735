{{/* Values of External Secrets Operator's chart that are taken and do nothing. Their
     defaults stand in files/ignored.yaml: only what was set to something else is told. */}}

{{/* A line for each value below (list PATH VALUE DEFAULT) that is not the default. */}}
{{- define "esod.differing" -}}
{{- $path := index . 0 -}}{{- $value := index . 1 -}}{{- $default := index . 2 -}}
{{- if and (kindIs "map" $value) (kindIs "map" $default) (or $default (not $value)) -}}
{{- range $key, $below := $value }}
{{- include "esod.differing" (list (printf "%s.%s" $path $key) $below (get $default $key)) }}
{{- end }}
{{- else if and (ne (toJson $value) (toJson $default)) (or $value $default (kindIs "bool" $value)) }}
{{ $path }}
{{- end }}
{{- end }}

{{/* All of them, as lines "webhook.replicaCount (esod has no webhook ...)". */}}
{{- define "esod.ignored" -}}
{{- $root := . -}}
{{- range (.Files.Get "files/ignored.yaml" | fromYaml).ignored -}}
{{- $why := .why -}}
{{- range $key, $default := .values -}}
{{- range include "esod.differing" (list $key (index $root.Values $key) $default) | splitList "\n" | compact }}
{{ . }} ({{ $why }})
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $what := list .Values.image.repository .Values.global.repository | compact -}}
{{- if include "esod.isReferenceImage" $what }}
image.repository ({{ $what }} is another operator's image; esod is used instead)
{{- end -}}
{{- end -}}
{{- if include "esod.isReferenceImage" (.Values.global.repository | default .Values.image.repository | default "esod") -}}
{{- range $key := list "tag" "digest" -}}
{{- if index $root.Values.image $key }}
image.{{ $key }} (it is of another operator's image)
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.image.flavour }}
image.flavour (esod's image has one flavour)
{{- end -}}
{{- if .Values.crds.conversion.enabled }}
crds.conversion.enabled (no version needs conversion)
{{- end -}}
{{- if .Values.enableHTTP2 }}
enableHTTP2 (metrics are served over HTTP/1.1)
{{- end -}}
{{- $dropped := splitList " " (include "esod.droppedArgs" .) -}}
{{- range $flag, $value := .Values.extraArgs -}}
{{- if has $flag $dropped }}
extraArgs.{{ $flag }} (esod does not serve generators)
{{- end -}}
{{- end -}}
{{- end }}
