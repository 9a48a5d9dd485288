{{/* What the operator does in each namespace whose fleets it keeps. It can grant gateways no right that it has not got itself, so it may
read fleets and write Leases too. Secrets, pods and other workloads it need not see. */}}
{{- define "classifier-fleet.rules" -}}
- apiGroups: [classifierfleet.dev]
  resources: [classifierfleets]
  verbs: [get, list, watch, patch]
- apiGroups: [classifierfleet.dev]
  resources: [classifierfleets/status]
  verbs: [update]
# Where the API server asks who may let an owner's deletion wait for what it owns (OwnerReferencesPermissionEnforcement).
- apiGroups: [classifierfleet.dev]
  resources: [classifierfleets/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* kind, name, namespace ("" for none) and context: metadata, roleRef and subject of a binding to the role of the same name. */}}
{{- define "classifier-fleet.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels: {{- include "classifier-fleet.labels" .context | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ .kind }}, name: {{ .name }}}
subjects:
  - kind: ServiceAccount
    name: {{ include "classifier-fleet.serviceAccount" .context }}
    namespace: {{ .context.Release.Namespace }}
{{- end -}}
