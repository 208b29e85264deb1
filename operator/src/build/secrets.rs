//! Which keys of which Secrets each side reads. Pure; names only.

use std::collections::{BTreeMap, BTreeSet};

use batchpipe_api::{
    report::Role,
    spec::{
        kafka::{Sasl, Tls},
        secret::SecretKey,
        sink::HttpSink,
        source::{HttpSource, KafkaSource},
    },
};

use crate::pipeline::Pipeline;

/// Keys by the name of their Secret.
pub(super) type Secrets = BTreeMap<String, BTreeSet<String>>;

/// Every key that one side reads, and no other.
pub(super) fn secrets(pipeline: &Pipeline, role: Role) -> Secrets {
    let spec = &pipeline.spec;
    let mut secrets = Secrets::new();
    cluster(&mut secrets, spec.kafka.tls.as_ref(), spec.kafka.sasl.as_ref());
    match role {
        Role::Producer => {
            let source = spec.producer.as_ref().map(|producer| &producer.source);
            http_source(&mut secrets, source.and_then(|it| it.http.as_ref()));
            kafka_source(&mut secrets, source.and_then(|it| it.kafka.as_ref()));
        }
        Role::Consumer => {
            let sink = spec.consumer.as_ref().map(|consumer| &consumer.sink);
            http_sink(&mut secrets, sink.and_then(|it| it.http.as_ref()));
        }
    }
    secrets
}

fn cluster(secrets: &mut Secrets, tls: Option<&Tls>, sasl: Option<&Sasl>) {
    if let Some(ca) = tls.and_then(|tls| tls.ca.as_ref()) {
        add(secrets, &ca.secret, &ca.key);
    }
    if let Some(pair) = tls.and_then(|tls| tls.certificate.as_ref()) {
        add(secrets, &pair.secret, &pair.certificate_key);
        add(secrets, &pair.secret, &pair.private_key_key);
    }
    add_key(secrets, sasl.map(|sasl| &sasl.password));
}

fn http_source(secrets: &mut Secrets, source: Option<&HttpSource>) {
    if let Some(certificate) = source.and_then(|source| source.tls.as_ref()) {
        add(secrets, &certificate.secret, "tls.crt");
        add(secrets, &certificate.secret, "tls.key");
    }
    add_key(secrets, source.and_then(|source| source.bearer_token.as_ref()));
}

fn kafka_source(secrets: &mut Secrets, source: Option<&KafkaSource>) {
    if let Some(source) = source {
        cluster(secrets, source.tls.as_ref(), source.sasl.as_ref());
    }
}

fn http_sink(secrets: &mut Secrets, sink: Option<&HttpSink>) {
    let Some(sink) = sink else { return };
    add_key(secrets, sink.bearer_token.as_ref());
    add_key(secrets, sink.basic.as_ref().map(|basic| &basic.password));
    if let Some(tls) = &sink.tls {
        add(secrets, &tls.ca.secret, &tls.ca.key);
    }
}

fn add_key(secrets: &mut Secrets, key: Option<&SecretKey>) {
    if let Some(key) = key {
        add(secrets, &key.secret, &key.key);
    }
}

fn add(secrets: &mut Secrets, secret: &str, key: &str) {
    secrets.entry(secret.to_owned()).or_default().insert(key.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::fixture::{EVERYTHING, FILES, REBATCH, TELEMETRY, pipeline};

    fn listed(text: &str, role: Role) -> Vec<String> {
        let keys = |(secret, keys): (String, BTreeSet<String>)| {
            keys.into_iter().map(move |key| format!("{secret}/{key}"))
        };
        secrets(&pipeline(text), role).into_iter().flat_map(keys).collect()
    }

    #[test]
    fn an_open_cluster_needs_no_secret() {
        assert_eq!(listed(TELEMETRY, Role::Producer), Vec::<String>::new());
    }

    #[test]
    fn a_producer_has_the_secrets_of_its_cluster_and_source() {
        let expected = [
            "intake-cert/tls.crt",
            "intake-cert/tls.key",
            "intake-token/token",
            "lab-cluster-ca-cert/ca.crt",
            "telemetry/user.crt",
            "telemetry/user.key",
        ];
        assert_eq!(listed(EVERYTHING, Role::Producer), expected);
    }

    #[test]
    fn a_consumer_has_the_secrets_of_its_cluster_and_sink() {
        let expected = [
            "lab-cluster-ca-cert/ca.crt",
            "search-ca/ca.crt",
            "search-login/password",
            "telemetry/user.crt",
            "telemetry/user.key",
        ];
        assert_eq!(listed(EVERYTHING, Role::Consumer), expected);
    }

    #[test]
    fn a_consumer_has_the_token_of_its_sink() {
        let basic = "basic: {username: me, password: {secret: search-login, key: password}}";
        assert!(EVERYTHING.contains(basic));
        let text = EVERYTHING.replace(basic, "bearerToken: {secret: search-token, key: token}");
        let listed = listed(&text, Role::Consumer);
        assert!(listed.contains(&"search-token/token".to_owned()), "{listed:?}");
        assert!(!listed.iter().any(|key| key.starts_with("search-login/")), "{listed:?}");
    }

    #[test]
    fn keys_of_one_secret_are_together() {
        assert_eq!(listed(FILES, Role::Consumer), ["kafka-login/ca.pem", "kafka-login/password"]);
    }

    #[test]
    fn a_source_in_another_cluster_has_secrets_of_its_own() {
        let expected = ["other-ca/ca.crt", "other-login/password"];
        assert_eq!(listed(REBATCH, Role::Producer), expected);
        assert_eq!(listed(REBATCH, Role::Consumer), Vec::<String>::new());
    }
}
