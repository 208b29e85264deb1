{{/* Base of all names. At most 47 characters, so that suffixes keep names a label's length. */}}
{{- define "batchpipe.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 47 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 47 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 47 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Base of cluster-wide names: releases of the same name in two namespaces do not meet. */}}
{{- define "batchpipe.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "batchpipe.fullname" .) -}}
{{- end -}}

{{/* What tells this release's operator pods from all others; never changes during an upgrade. The network policies of
     pipelines let in pods of this name. */}}
{{- define "batchpipe.selectorLabels" -}}
app.kubernetes.io/name: batchpipe-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "batchpipe.labels" -}}
{{ include "batchpipe.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: batchpipe
app.kubernetes.io/managed-by: {{ .Release.Service }}
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
{{- .Values.watchNamespaces | default (list .Release.Namespace) | uniq | join "," -}}
{{- end -}}
{{- end -}}

{{/* Whom the roles are given to. */}}
{{- define "batchpipe.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "batchpipe.serviceAccountName" . }}
    namespace: {{ .Release.Namespace }}
{{- end -}}
