{{/* What the schema cannot see, values that do not go together above all: said before anything is installed. */}}
{{- define "clickup-operator.checks" -}}
{{- $v := .Values }}
{{- if contains ":" (splitList "/" $v.image.repository | last) }}
{{- fail (printf "image.repository is %s: the tag belongs in image.tag, a digest in image.digest" $v.image.repository) }}
{{- end }}
{{- if and (gt (int $v.replicas) 1) (not $v.leaderElection.enabled) }}
{{- fail (printf "replicas is %d and leaderElection.enabled false: all Pods would check every token. Set leaderElection.enabled=true, or replicas=1" (int $v.replicas)) }}
{{- end }}
{{- if and $v.podMonitor.enabled $v.serviceMonitor.enabled }}
{{- fail "podMonitor.enabled and serviceMonitor.enabled: every Pod would be scraped twice. Leave one of them" }}
{{- end }}
{{- if and (hasPrefix "http://" $v.clickup.url) (not $v.clickup.allowInsecureHttp) }}
{{- fail (printf "clickup.url is %s: everybody on the way could read the tokens. Write https, or clickup.allowInsecureHttp=true for a test" $v.clickup.url) }}
{{- end }}
{{- if ne (len $v.watchNamespaces) (len (uniq $v.watchNamespaces)) }}
{{- fail "watchNamespaces names a namespace twice" }}
{{- end }}
{{- if eq (include "clickup-operator.port" $v.metrics.addr) (include "clickup-operator.port" $v.health.addr) }}
{{- fail (printf "metrics.addr and health.addr have the same port, %s: give each one of its own" (include "clickup-operator.port" $v.health.addr)) }}
{{- end }}
{{- if and $v.updateStrategy (ne (dig "type" "RollingUpdate" $v.updateStrategy) "Recreate") (not $v.leaderElection.enabled) }}
{{- fail "updateStrategy has the new Pod start beside the old one, and leaderElection.enabled is false: both would check every token. Leave updateStrategy empty, or set leaderElection.enabled=true" }}
{{- end }}
{{- range list (list "leaderElection.leaseDuration" $v.leaderElection.leaseDuration 3 600 "3s to 10m") (list "secretPollInterval" $v.secretPollInterval 1 86400 "1s to 24h") }}
{{- $seconds := include "clickup-operator.seconds" (index . 1) | int }}
{{- if or (lt $seconds (index . 2)) (gt $seconds (index . 3)) }}
{{- fail (printf "%s is %s: write a duration from %s" (index . 0) (index . 1) (index . 4)) }}
{{- end }}
{{- end }}
{{- $values := include "clickup-operator.valuesOfFlags" . | fromYaml }}
{{- range $v.extraArgs }}
{{- $flag := splitList "=" . | first }}
{{- with get $values (trimPrefix "--" $flag) }}
{{- fail (printf "extraArgs has %s: set the value %s instead, which more than the argument may be made from, such as rights and ports" $flag .) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Of a duration such as 1h30m. */}}
{{- define "clickup-operator.seconds" -}}
{{- $seconds := 0 }}
{{- range $unit, $of := dict "h" 3600 "m" 60 "s" 1 }}
{{- $seconds = regexFind (printf "[0-9]+%s" $unit) $ | trimSuffix $unit | atoi | mul $of | add $seconds }}
{{- end }}
{{- $seconds }}
{{- end }}
