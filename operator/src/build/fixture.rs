//! Pipelines for tests, as the steps before would hand them over.

use batchpipe_api::{
    pipeline::BatchPipeline,
    spec::{
        kafka::Tls,
        secret::{CaKey, CertificateKey},
    },
    validate::check_text,
};

use crate::{
    pipeline::{Pipeline, validate},
    resolve::{ResolvedKafka, cluster},
    settings::Settings,
};

/// The example of the documentation.
pub(crate) const TELEMETRY: &str = include_str!("../../../examples/telemetry.yaml");
/// Every option that goes with Strimzi and HTTP.
pub(crate) const EVERYTHING: &str = include_str!("../../tests/pipelines/everything.yaml");
/// Files on both ends.
pub(crate) const FILES: &str = include_str!("../../tests/pipelines/files.yaml");
/// Kafka on both ends.
pub(crate) const REBATCH: &str = include_str!("../../tests/pipelines/rebatch.yaml");
/// The beginning of a pipeline that needs a side.
pub(crate) const KAFKA_ONLY: &str = "apiVersion: batchpipe.dev/v1alpha1\nkind: BatchPipeline\n\
    metadata: {name: demo}\nspec:\n  kafka: {bootstrapServers: \"kafka:9093\"}\n";

/// An object as the API server would hand it over.
pub(crate) fn object(text: &str) -> BatchPipeline {
    let mut object =
        check_text(text).unwrap_or_else(|violations| panic!("{violations:?} in {text}"));
    object.metadata.namespace = Some("default".to_owned());
    object.metadata.uid = Some("11111111-2222-3333-4444-555555555555".to_owned());
    object.metadata.generation = Some(1);
    object
}

/// What its Kafka is resolved to; Strimzi's with a certificate for the user.
pub(crate) fn resolved(object: &BatchPipeline) -> ResolvedKafka {
    let kafka = &object.spec.kafka;
    let cluster = cluster::of(kafka);
    let Some(strimzi) = &kafka.strimzi else {
        return ResolvedKafka {
            bootstrap_servers: kafka.bootstrap_servers.clone().unwrap(),
            tls: kafka.tls.clone(),
            sasl: kafka.sasl.clone(),
            cluster,
            complaint: None,
        };
    };
    let secret = format!("{cluster}-cluster-ca-cert");
    let certificate = strimzi.user.clone().map(|secret| CertificateKey {
        secret,
        certificate_key: "user.crt".to_owned(),
        private_key_key: "user.key".to_owned(),
    });
    ResolvedKafka {
        bootstrap_servers: format!("{cluster}-kafka-bootstrap.default.svc:9093"),
        tls: Some(Tls { ca: Some(CaKey { secret, key: "ca.crt".to_owned() }), certificate }),
        sasl: None,
        cluster,
        complaint: None,
    }
}

/// An operator with everything that can be set.
pub(crate) fn settings() -> Settings {
    Settings {
        workload_image: "batchpipe:test".to_owned(),
        operator_namespace: "batchpipe-system".to_owned(),
        monitoring_namespace: Some("monitoring".to_owned()),
        watch_namespaces: vec!["default".to_owned()],
    }
}

/// A pipeline that has passed the real validation.
pub(crate) fn pipeline(text: &str) -> Pipeline {
    let object = object(text);
    validate(&object, resolved(&object), &settings()).unwrap()
}
