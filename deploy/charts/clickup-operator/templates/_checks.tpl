{{/* Values that are each right, and do not go together: said before anything is installed. */}}
{{- define "clickup-operator.checks" -}}
{{- $v := .Values }}
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
{{- end }}
