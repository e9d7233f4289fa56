{{- define "clickup-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
43 characters, so that names with an ending, such as "-service-binding", fit into 63. A longer one is cut, and ends with a
digest of all of it: two that begin alike stay two.
*/}}
{{- define "clickup-operator.fullname" -}}
{{- $name := include "clickup-operator.name" . }}
{{- $made := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- $full := default $made .Values.fullnameOverride }}
{{- if gt (len $full) 43 }}
{{- $full = printf "%s-%s" (trunc 34 $full | trimSuffix "-") (sha256sum $full | trunc 8) }}
{{- end }}
{{- $full }}
{{- end }}

{{- define "clickup-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "clickup-operator.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.create is false: name an account that exists in serviceAccount.name" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "clickup-operator.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag }}
{{- if .Values.image.digest }}
{{- printf "%s:%s@%s" .Values.image.repository $tag .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository $tag }}
{{- end }}
{{- end }}

{{- define "clickup-operator.leaseName" -}}
{{- default (include "clickup-operator.fullname" .) .Values.leaderElection.id }}
{{- end }}

{{- define "clickup-operator.leaseNamespace" -}}
{{- default .Release.Namespace .Values.leaderElection.namespace }}
{{- end }}

{{/* What selects the Pods; never changes between versions. */}}
{{- define "clickup-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "clickup-operator.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "clickup-operator.labels" -}}
{{- $labels := include "clickup-operator.selectorLabels" . | fromYaml }}
{{- $_ := set $labels "app.kubernetes.io/version" .Chart.AppVersion }}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .Release.Service }}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") }}
{{- toYaml (merge $labels .Values.commonLabels) }}
{{- end }}

{{/*
Labels and annotations of an object's metadata: include "clickup-operator.meta" (list . LABELS ANNOTATIONS), both of them
maps beyond the common ones. The chart's own labels win, its own annotations give way.
*/}}
{{- define "clickup-operator.meta" -}}
{{- $root := index . 0 -}}
labels:
  {{- toYaml (merge (include "clickup-operator.labels" $root | fromYaml) (index . 1)) | nindent 2 }}
{{- with merge (deepCopy (index . 2)) $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "clickup-operator.port" -}}
{{- . | splitList ":" | last }}
{{- end }}
