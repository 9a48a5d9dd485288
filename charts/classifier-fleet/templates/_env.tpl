{{/* The operator's variables. POD_IP comes first: monitor.address may name it. */}}
{{- define "classifier-fleet.env" -}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
# Also where the container shares the node's network, and with it the node's name.
- name: HOSTNAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: CLASSIFIERFLEET_MONITOR_LISTEN
  value: {{ printf "%s:%v" .Values.monitor.address .Values.monitor.port | quote }}
- name: CLASSIFIERFLEET_GATEWAY_IMAGE
  value: {{ include "classifier-fleet.image" (dict "image" .Values.gatewayImage "version" .Chart.AppVersion) | quote }}
{{- include "classifier-fleet.setting" (list "CLASSIFIERFLEET_NAMESPACES" (join "," .Values.watchNamespaces)) }}
{{- include "classifier-fleet.setting" (list "CLASSIFIERFLEET_CLUSTER" .Values.clusterName) }}
{{- include "classifier-fleet.setting" (list "CLASSIFIERFLEET_SAMPLE_SECONDS" .Values.operator.sampleSeconds) }}
{{- include "classifier-fleet.setting" (list "CLASSIFIERFLEET_IDLE_SAMPLE_SECONDS" .Values.operator.idleSampleSeconds) }}
{{- include "classifier-fleet.setting" (list "CLASSIFIERFLEET_OFFERING_CLOSED_SECONDS" .Values.operator.offeringClosedSeconds) }}
{{- include "classifier-fleet.setting" (list "CLASSIFIERFLEET_CONCURRENCY" .Values.operator.concurrency) }}
{{- include "classifier-fleet.setting" (list "LOG_FORMAT" .Values.operator.logFormat) }}
{{- include "classifier-fleet.setting" (list "LOG_LEVEL" .Values.operator.logLevel) }}
{{- include "classifier-fleet.setting" (list "AWS_REGION" .Values.aws.region) }}
{{- include "classifier-fleet.setting" (list "AWS_ENDPOINT_URL" .Values.aws.endpoints.all) }}
{{- include "classifier-fleet.setting" (list "AWS_ENDPOINT_URL_EC2" .Values.aws.endpoints.ec2) }}
{{- include "classifier-fleet.setting" (list "AWS_ENDPOINT_URL_SQS" .Values.aws.endpoints.sqs) }}
{{- include "classifier-fleet.setting" (list "AWS_ENDPOINT_URL_S3" .Values.aws.endpoints.s3) }}
{{- with .Values.tracing }}
{{- if .otlpEndpoint }}
{{- include "classifier-fleet.setting" (list "OTEL_EXPORTER_OTLP_ENDPOINT" .otlpEndpoint) }}
{{- include "classifier-fleet.setting" (list "OTEL_TRACES_SAMPLER" "parentbased_traceidratio") }}
{{- include "classifier-fleet.setting" (list "OTEL_TRACES_SAMPLER_ARG" .samplingRatio) }}
{{- end }}
{{- end }}
{{- if .Values.prices }}
{{- include "classifier-fleet.setting" (list "CLASSIFIERFLEET_PRICE_FILE" "/etc/classifierfleet/prices.yaml") }}
{{- end }}
{{- with .Values.aws.credentialsSecret }}
{{- if .name }}
{{- include "classifier-fleet.secret" (list "AWS_ACCESS_KEY_ID" .name .accessKeyIdKey) }}
{{- include "classifier-fleet.secret" (list "AWS_SECRET_ACCESS_KEY" .name .secretAccessKeyKey) }}
{{- include "classifier-fleet.secret" (list "AWS_SESSION_TOKEN" .name .sessionTokenKey) }}
{{- end }}
{{- end }}
{{- with .Values.operator.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A variable and its value, if it has one. */}}
{{- define "classifier-fleet.setting" -}}
{{- $value := index . 1 -}}
{{- if not (or (kindIs "invalid" $value) (eq (toString $value) "")) }}
- name: {{ index . 0 }}
  value: {{ toString $value | quote }}
{{- end }}
{{- end -}}

{{/* A variable, and the Secret and key that it comes from, if there is a key. */}}
{{- define "classifier-fleet.secret" -}}
{{- if index . 2 }}
- name: {{ index . 0 }}
  valueFrom: {secretKeyRef: {name: {{ index . 1 }}, key: {{ index . 2 }}}}
{{- end }}
{{- end -}}
