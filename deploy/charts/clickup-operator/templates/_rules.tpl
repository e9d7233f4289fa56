{{/* What the operator needs where its connections are, and no more: a test finds each verb in the API server's audit log. */}}
{{- define "clickup-operator.rules" -}}
# Lists are streamed through a watch, so there is no "list".
- apiGroups: [clickup-operator.dev]
  resources: [clickupconnections]
  verbs: [watch]
- apiGroups: [clickup-operator.dev]
  resources: [clickupconnections/status]
  verbs: [patch]
{{- if eq .Values.secretAccess "get" }}
# The token, by name, and nothing else.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
{{- else }}
# get: the token, by name, in the namespace of the connection that names it. watch: metadata only, to notice edits.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, watch]
{{- end }}
{{- if not .Values.watchNamespaces }}
# Metadata only, and only while a connection selects by labels the namespaces that it is shared with.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [watch]
{{- end }}
# patch: the same Event again becomes a series.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/* (list ROOT KIND NAME): binds this role to the operator. */}}
{{- define "clickup-operator.binding" -}}
{{- $root := index . 0 -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ index . 1 }}
  name: {{ index . 2 | quote }}
subjects:
  - kind: ServiceAccount
    name: {{ include "clickup-operator.serviceAccountName" $root | quote }}
    namespace: {{ $root.Release.Namespace | quote }}
{{- end }}
