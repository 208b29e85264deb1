{{/* Base of all names. At most 47 characters, so that suffixes keep names a label's length; of dots, which a release's
     name may have, a label has none. */}}
{{- define "batchpipe.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := .Values.fullnameOverride -}}
{{- if and (not $full) (contains $name .Release.Name) -}}
{{- $full = .Release.Name -}}
{{- end -}}
{{- $full | default (printf "%s-%s" .Release.Name $name) | replace "." "-" | trunc 47 | trimAll "-" -}}
{{- end -}}

{{/* The Service's name, which no digit may begin. */}}
{{- define "batchpipe.serviceName" -}}
{{- $fullname := include "batchpipe.fullname" . -}}
{{- ternary (printf "metrics-%s" $fullname) (printf "%s-metrics" $fullname) (regexMatch "^[0-9]" $fullname) -}}
{{- end -}}

{{/* Base of cluster-wide names: releases of the same name in two namespaces do not meet. */}}
{{- define "batchpipe.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "batchpipe.fullname" .) -}}
{{- end -}}

{{/* What tells this release's operator pods from all others; never changes during an upgrade. The network policies of
     pipelines let in pods of this name. */}}
{{- define "batchpipe.selectorLabels" -}}
app.kubernetes.io/name: batchpipe-operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "batchpipe.labels" -}}
{{ include "batchpipe.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: batchpipe
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* What every pod of every pipeline carries; set by the operator. */}}
{{- define "batchpipe.workloadLabels" -}}
app.kubernetes.io/name: batchpipe
app.kubernetes.io/managed-by: batchpipe-operator
{{- end -}}

{{- define "batchpipe.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "batchpipe.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* An image reference, from a list of the image's values and the default tag. */}}
{{- define "batchpipe.image" -}}
{{- $image := index . 0 -}}
{{- $name := $image.repository -}}
{{- if $image.registry -}}
{{- $name = printf "%s/%s" $image.registry $name -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name ($image.tag | default (index . 1)) -}}
{{- end -}}
{{- end -}}

{{/* Namespaces that are looked after, comma separated; empty: all. */}}
{{- define "batchpipe.watchNamespaces" -}}
{{- if not .Values.clusterWide -}}
{{- .Values.watchNamespaces | default (list .Release.Namespace) | join "," -}}
{{- else if .Values.watchNamespaces -}}
{{- printf "watchNamespaces: %s is set, and clusterWide looks after all namespaces; leave one of them out, for example by --set watchNamespaces=null" (.Values.watchNamespaces | toJson) | fail -}}
{{- end -}}
{{- end -}}

{{/* Whom the roles are given to. */}}
{{- define "batchpipe.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "batchpipe.serviceAccountName" . | quote }}
    namespace: {{ .Release.Namespace | quote }}
{{- end -}}
