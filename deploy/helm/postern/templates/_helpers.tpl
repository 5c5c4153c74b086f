{{/* The subset of the template language that is allowed here is in docs/kubernetes.md; test/helm executes it. */}}

{{- define "postern.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 50 characters: suffixes such as -control follow, and names of services have 63. */}}
{{- define "postern.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "postern.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "postern.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "postern.selectorLabels" -}}
app.kubernetes.io/name: {{ include "postern.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "postern.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "postern.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "postern.metadata" -}}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "postern.labels" . | nindent 2 }}
{{- end -}}

{{- define "postern.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "postern.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "postern.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "postern.controlScheme" -}}
{{- if .Values.control.tls.existingSecret }}https{{ else }}http{{ end -}}
{{- end -}}

{{/* The default is right for kubectl port-forward. */}}
{{- define "postern.controlOrigin" -}}
{{- default (printf "%s://localhost:8081" (include "postern.controlScheme" .)) .Values.control.origin -}}
{{- end -}}

{{/* YAML 1.1 reads on and off as booleans. quote would write large numbers as 1e+06, toJson does not. */}}
{{- define "postern.text" -}}
{{- if kindIs "string" . -}}
{{- quote . -}}
{{- else if kindIs "bool" . -}}
{{- ternary "on" "off" . | quote -}}
{{- else -}}
{{- toJson . | quote -}}
{{- end -}}
{{- end -}}

{{/* Not empty where several pods share one database. eq compares values of one type, and Helm reads numbers as two types. */}}
{{- define "postern.isShared" -}}
{{- if not (eq (toJson .Values.replicas) "1") -}}yes{{- end -}}
{{- end -}}

{{/* The environment of the process. Secrets are files: only their paths are here. */}}
{{- define "postern.environment" -}}
POSTERN_DATA: /data/postern
POSTERN_KEY_FILE: /keys/vault.key
POSTERN_LISTEN: ":8080"
POSTERN_CONTROL_LISTEN: ":8081"
POSTERN_CONTROL_ORIGIN: {{ include "postern.controlOrigin" . | quote }}
{{- with .Values.origin }}
POSTERN_ORIGIN: {{ quote . }}
{{- end }}
{{- with .Values.tls }}
{{- if .existingSecret }}
POSTERN_TLS_CERT: {{ printf "/etc/postern/tls/%s" .keys.certificate | quote }}
POSTERN_TLS_KEY: {{ printf "/etc/postern/tls/%s" .keys.privateKey | quote }}
{{- with .keys.clientCa }}
POSTERN_TLS_CLIENT_CA: {{ printf "/etc/postern/tls/%s" . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.control.tls }}
{{- if .existingSecret }}
POSTERN_CONTROL_TLS_CERT: {{ printf "/etc/postern/control-tls/%s" .keys.certificate | quote }}
POSTERN_CONTROL_TLS_KEY: {{ printf "/etc/postern/control-tls/%s" .keys.privateKey | quote }}
{{- end }}
{{- end }}
{{- if .Values.credentials.existingSecret }}
POSTERN_SECRETS_DIR: /etc/postern/credentials
{{- end }}
{{- with .Values.oidc }}
{{- if .existingSecret }}
{{- with .keys.clientSecret }}
POSTERN_OIDC_CLIENT_SECRET_FILE: {{ printf "/etc/postern/oidc/%s" . | quote }}
{{- end }}
{{- with .keys.clientKey }}
POSTERN_OIDC_CLIENT_KEY_FILE: {{ printf "/etc/postern/oidc/%s" . | quote }}
{{- end }}
{{- with .keys.providers }}
POSTERN_OIDC_PROVIDERS_FILE: {{ printf "/etc/postern/oidc/%s" . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.vault }}
{{- if .existingSecret }}
{{- with .keys.token }}
POSTERN_VAULT_TOKEN_FILE: {{ printf "/etc/postern/vault/%s" . | quote }}
{{- end }}
{{- with .keys.secretId }}
POSTERN_VAULT_SECRET_ID_FILE: {{ printf "/etc/postern/vault/%s" . | quote }}
{{- end }}
{{- end }}
{{- with .kubernetes.role }}
POSTERN_VAULT_KUBERNETES_ROLE: {{ quote . }}
POSTERN_VAULT_KUBERNETES_TOKEN_FILE: /etc/postern/token/token
{{- end }}
{{- end }}
{{- with .Values.database }}
{{- if .url }}
{{- if .existingSecret }}
POSTERN_DATABASE_URL: {{ printf "%s%spassword_file=/etc/postern/database/%s" .url (ternary "&" "?" (contains "?" .url)) .keys.password | quote }}
{{- else }}
POSTERN_DATABASE_URL: {{ quote .url }}
{{- end }}
{{- end }}
{{- if .directUrl }}
{{- if .existingSecret }}
POSTERN_DATABASE_DIRECT_URL: {{ printf "%s%spassword_file=/etc/postern/database/%s" .directUrl (ternary "&" "?" (contains "?" .directUrl)) .keys.password | quote }}
{{- else }}
POSTERN_DATABASE_DIRECT_URL: {{ quote .directUrl }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.valkey }}
{{- if .url }}
{{- if .existingSecret }}
POSTERN_VALKEY_URL: {{ printf "%s%spassword_file=/etc/postern/valkey/%s" .url (ternary "&" "?" (contains "?" .url)) .keys.password | quote }}
{{- else }}
POSTERN_VALKEY_URL: {{ quote .url }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.runner.address }}
POSTERN_RUNNER: {{ quote . }}
POSTERN_RUNNER_TOKEN_FILE: {{ printf "/etc/postern/runner/%s" $.Values.runner.keys.token | quote }}
{{- end }}
{{- range $name, $value := .Values.settings }}
POSTERN_{{ $name }}: {{ include "postern.text" $value }}
{{- end }}
{{- end -}}

{{/* Pod Security "restricted" for a container. */}}
{{- define "postern.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
    - ALL
{{- end -}}

{{- define "postern.scrapeSecret" -}}
{{- required "serviceMonitor.enabled needs serviceMonitor.existingSecret: Postern shows metrics only to callers with metrics:read." .Values.serviceMonitor.existingSecret -}}
{{- end -}}

{{/* What several pods need to be one installation. */}}
{{- define "postern.needsShared" -}}
{{- if include "postern.isShared" . -}}
{{- if not (and .Values.database.url .Values.key.existingSecret) -}}
{{- fail "replicas above 1 needs database.url and key.existingSecret: all pods use one database, and the same key." -}}
{{- end -}}
{{- if .Values.persistence.existingClaim -}}
{{- fail "replicas above 1 needs persistence.existingClaim to be empty: each pod has a volume of its own." -}}
{{- end -}}
{{- end -}}
{{- if and .Values.database.directUrl (not .Values.database.url) -}}
{{- fail "database.directUrl needs database.url: both are URLs of the same database." -}}
{{- end -}}
{{- end -}}

{{/* Where callers reach a gateway that is published. */}}
{{- define "postern.needsOrigin" -}}
{{- if or .Values.ingress.enabled .Values.httpRoute.enabled -}}
{{- if not .Values.origin -}}
{{- fail "ingress.enabled and httpRoute.enabled need origin: the URL at which callers reach the gateway, such as https://gateway.example.com." -}}
{{- end -}}
{{- end -}}
{{- end -}}
