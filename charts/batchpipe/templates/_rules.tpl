{{/* What the operator may do with pipelines and what belongs to them: the same for one namespace and for all.
     Comments name the step of a reconciliation that needs the rule. Nothing here touches Secrets. */}}
{{- define "batchpipe.rules" -}}
rules:
  # controller: looks for pipelines and their changes; nothing but their status is written.
  - apiGroups: [batchpipe.dev]
    resources: [batchpipelines]
    verbs: [list, watch]
  # status: conditions, phase and numbers, by server-side apply.
  - apiGroups: [batchpipe.dev]
    resources: [batchpipelines/status]
    verbs: [patch]
  # apply, observe: producers and consumers. Children are read singly before they are made, because a list shows only
  # those with our label.
  - apiGroups: [apps]
    resources: [deployments]
    verbs: [get, list, watch, create, patch, delete]
  # observe: which pods are of our Deployments, and of which revision, since labels alone can be forged.
  - apiGroups: [apps]
    resources: [replicasets]
    verbs: [list, watch]
  # observe: addresses for asking for reports, and why pods do not start.
  - apiGroups: [""]
    resources: [pods]
    verbs: [list, watch]
  # apply: the pods' identity without a token; it goes with its pipeline and never before.
  - apiGroups: [""]
    resources: [serviceaccounts]
    verbs: [get, list, watch, create, patch]
  # apply: the address of an HTTP source.
  - apiGroups: [""]
    resources: [services]
    verbs: [get, list, watch, create, patch, delete]
  # apply: how many pods of a side may be taken away at once.
  - apiGroups: [policy]
    resources: [poddisruptionbudgets]
    verbs: [get, list, watch, create, patch, delete]
  # apply: who may reach the pods.
  - apiGroups: [networking.k8s.io]
    resources: [networkpolicies]
    verbs: [get, list, watch, create, patch, delete]
  # events: one for each transition; `patch` counts repetitions.
  - apiGroups: [events.k8s.io]
    resources: [events]
    verbs: [create, patch]
  # resolve: where a Strimzi cluster listens, and how its user logs in.
  - apiGroups: [kafka.strimzi.io]
    resources: [kafkas, kafkausers]
    verbs: [get]
  # apply: a missing topic of a Strimzi cluster is created; never altered nor deleted.
  - apiGroups: [kafka.strimzi.io]
    resources: [kafkatopics]
    verbs: [get, create]
{{- end -}}
