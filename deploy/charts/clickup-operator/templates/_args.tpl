{{/*
The operator's arguments. What is as the operator has it by default is left out, so that a default which a later version
improves takes effect; a test holds values.yaml and these against `clickup-operator run --help`.
*/}}
{{- define "clickup-operator.args" -}}
{{- $v := .Values }}
- run
{{- include "clickup-operator.switch" (list "leader-elect" $v.leaderElection.enabled) }}
{{- if $v.leaderElection.enabled }}
{{- include "clickup-operator.flag" (list "leader-election-id" (include "clickup-operator.leaseName" .) "clickup-operator") }}
{{- include "clickup-operator.flag" (list "leader-election-namespace" $v.leaderElection.namespace "") }}
{{- include "clickup-operator.flag" (list "leader-election-lease-duration" $v.leaderElection.leaseDuration "15s") }}
{{- end }}
{{- include "clickup-operator.flag" (list "clickup-url" $v.clickup.url "https://api.clickup.com/api") }}
{{- include "clickup-operator.switch" (list "allow-insecure-http" $v.clickup.allowInsecureHttp) }}
{{- include "clickup-operator.flag" (list "ca-file" $v.clickup.caFile "") }}
{{- include "clickup-operator.flag" (list "proxy" $v.clickup.proxy "") }}
{{- include "clickup-operator.flag" (list "max-body" ($v.clickup.maxBody | int64) 67108864) }}
{{- include "clickup-operator.flag" (list "watch-namespaces" (join "," $v.watchNamespaces) "") }}
{{- include "clickup-operator.flag" (list "watch-label-selector" $v.watchLabelSelector "") }}
{{- include "clickup-operator.flag" (list "secret-access" $v.secretAccess "watch") }}
{{- include "clickup-operator.flag" (list "secret-poll-interval" $v.secretPollInterval "1m") }}
{{- include "clickup-operator.flag" (list "concurrency" ($v.concurrency | int64) 32) }}
{{- include "clickup-operator.flag" (list "budget-percent" ($v.budgetPercent | int64) 10) }}
{{- include "clickup-operator.flag" (list "status-heartbeat" $v.status.heartbeat "1h") }}
{{- include "clickup-operator.switch" (list "status-username" $v.status.username) }}
{{- include "clickup-operator.flag" (list "metrics-addr" $v.metrics.addr "0.0.0.0:8080") }}
{{- include "clickup-operator.flag" (list "health-addr" $v.health.addr "0.0.0.0:8081") }}
{{- include "clickup-operator.flag" (list "log-format" $v.log.format "json") }}
{{- include "clickup-operator.flag" (list "log-level" $v.log.level "info") }}
{{- include "clickup-operator.switch" (list "otel" $v.otel.enabled) }}
{{- with $v.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Where each flag has its value. */}}
{{- define "clickup-operator.valuesOfFlags" -}}
clickup-url: clickup.url
allow-insecure-http: clickup.allowInsecureHttp
ca-file: clickup.caFile
proxy: clickup.proxy
max-body: clickup.maxBody
watch-namespaces: watchNamespaces
watch-label-selector: watchLabelSelector
secret-access: secretAccess
secret-poll-interval: secretPollInterval
concurrency: concurrency
budget-percent: budgetPercent
status-heartbeat: status.heartbeat
status-username: status.username
leader-elect: leaderElection.enabled
leader-election-id: leaderElection.id
leader-election-namespace: leaderElection.namespace
leader-election-lease-duration: leaderElection.leaseDuration
metrics-addr: metrics.addr
health-addr: health.addr
log-format: log.format
log-level: log.level
otel: otel.enabled
{{- end }}

{{/* (list NAME VALUE DEFAULT) */}}
{{- define "clickup-operator.flag" -}}
{{- if ne (toString (index . 1)) (toString (index . 2)) }}
- {{ printf "--%s=%v" (index . 0) (index . 1) | quote }}
{{- end }}
{{- end }}

{{/* (list NAME WHETHER) */}}
{{- define "clickup-operator.switch" -}}
{{- if index . 1 }}
- --{{ index . 0 }}
{{- end }}
{{- end }}
