{{/* The user's constraints, or replicas apart as far as the cluster allows. */}}
{{- define "classifier-fleet.spread" -}}
topologySpreadConstraints:
{{- if .Values.topologySpreadConstraints }}
{{ toYaml .Values.topologySpreadConstraints | indent 2 }}
{{- else }}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "classifier-fleet.selector" $ | nindent 8 }}
{{- end }}
{{- end }}
{{- end -}}
