//! What Strimzi's `KafkaUser` says of its credentials: where they are, never what they are. Pure.

use batchpipe_api::{
    conditions::reasons,
    spec::{
        kafka::{Sasl, SaslMechanism, Strimzi},
        secret::{CertificateKey, SecretKey},
    },
};
use kube::{ResourceExt, core::DynamicObject};
use serde_json::Value;

use super::{Unresolved, kafka::complaint};

/// Which cluster one of Strimzi's objects belongs to.
pub(crate) const CLUSTER_LABEL: &str = "strimzi.io/cluster";

/// How a user logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    /// With a certificate.
    Certificate(CertificateKey),
    /// With a password.
    Password(Sasl),
}

impl Credentials {
    /// Strimzi's word for it.
    pub(super) const fn authentication(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "tls",
            Self::Password(_) => "scram-sha-512",
        }
    }
}

/// Finds out where a user's credentials are.
pub(super) fn credentials(
    strimzi: &Strimzi,
    user: &DynamicObject,
) -> Result<Credentials, Unresolved> {
    let name = user.name_any();
    belongs(strimzi, user)?;
    let login = user.data.pointer("/spec/authentication/type").and_then(Value::as_str);
    let ready = || status(user).ok_or_else(|| unready(user));
    match login {
        Some("tls") => Ok(Credentials::Certificate(certificate(ready()?.1))),
        Some("scram-sha-512") => ready().map(|(username, secret)| password(username, secret)),
        other => {
            let message = format!(
                "KafkaUser {name} has authentication {}, for which Strimzi makes no credentials; use a user with tls \
                 or scram-sha-512, or set spec.kafka.bootstrapServers with tls or sasl",
                other.unwrap_or("none")
            );
            Err(Unresolved::new(reasons::INVALID_SPEC, message))
        }
    }
}

fn belongs(strimzi: &Strimzi, user: &DynamicObject) -> Result<(), Unresolved> {
    let cluster = user.labels().get(CLUSTER_LABEL);
    if cluster.is_some_and(|it| *it == strimzi.cluster) {
        return Ok(());
    }
    let message = format!(
        "KafkaUser {} belongs to cluster {} by its label {CLUSTER_LABEL}, not to {}; correct spec.kafka.strimzi",
        user.name_any(),
        cluster.map_or("none", String::as_str),
        strimzi.cluster
    );
    Err(Unresolved::new(reasons::KAFKA_NOT_FOUND, message))
}

/// User name and Secret, once Strimzi has made them.
fn status(user: &DynamicObject) -> Option<(String, String)> {
    let username = user.data.pointer("/status/username")?.as_str()?.to_owned();
    let secret = user.data.pointer("/status/secret").and_then(Value::as_str);
    Some((username, secret.map_or_else(|| user.name_any(), str::to_owned)))
}

fn certificate(secret: String) -> CertificateKey {
    CertificateKey {
        secret,
        certificate_key: "user.crt".to_owned(),
        private_key_key: "user.key".to_owned(),
    }
}

fn password(username: String, secret: String) -> Credentials {
    let password = SecretKey { secret, key: "password".to_owned() };
    Credentials::Password(Sasl { mechanism: SaslMechanism::ScramSha512, username, password })
}

fn unready(user: &DynamicObject) -> Unresolved {
    let message = format!(
        "KafkaUser {} has no credentials yet{}; it is looked at again",
        user.name_any(),
        complaint(&user.data).map(|text| format!(" ({text})")).unwrap_or_default(),
    );
    Unresolved::new(reasons::KAFKA_NOT_READY, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::kafka::tests::strimzi, *};

    fn user(login: &str, status: &Value) -> DynamicObject {
        let object = json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
            "metadata": {"name": "me", "namespace": "lab-kafka", "labels": {"strimzi.io/cluster": "lab"}},
            "spec": {"authentication": {"type": login}},
            "status": status,
        });
        serde_json::from_value(object).unwrap()
    }

    fn ready(username: &str) -> Value {
        json!({"username": username, "secret": "me", "observedGeneration": 1,
            "conditions": [{"type": "Ready", "status": "True"}]})
    }

    #[test]
    fn a_tls_user_has_a_certificate() {
        let found = credentials(&strimzi("tls", None), &user("tls", &ready("CN=me"))).unwrap();
        let Credentials::Certificate(key) = found else { panic!("{found:?}") };
        assert_eq!((key.secret.as_str(), key.certificate_key.as_str()), ("me", "user.crt"));
        assert_eq!(key.private_key_key, "user.key");
    }

    #[test]
    fn a_scram_user_has_a_name_and_a_password() {
        let found =
            credentials(&strimzi("plain", None), &user("scram-sha-512", &ready("me"))).unwrap();
        let Credentials::Password(sasl) = found else { panic!("{found:?}") };
        assert_eq!((sasl.username.as_str(), sasl.password.key.as_str()), ("me", "password"));
        assert_eq!(sasl.mechanism, SaslMechanism::ScramSha512);
    }

    #[test]
    fn the_secret_is_the_one_that_the_status_names() {
        let status = json!({"username": "me", "secret": "kafka-me"});
        let found = credentials(&strimzi("plain", None), &user("scram-sha-512", &status)).unwrap();
        let Credentials::Password(sasl) = found else { panic!("{found:?}") };
        assert_eq!(sasl.password.secret, "kafka-me");
    }

    #[test]
    fn without_a_secret_in_the_status_it_has_the_users_name() {
        let status = json!({"username": "CN=me"});
        let found = credentials(&strimzi("tls", None), &user("tls", &status)).unwrap();
        let Credentials::Certificate(key) = found else { panic!("{found:?}") };
        assert_eq!(key.secret, "me");
    }

    #[test]
    fn a_user_without_status_is_not_ready() {
        let unresolved = credentials(&strimzi("tls", None), &user("tls", &json!({}))).unwrap_err();
        assert_eq!(unresolved.reason, reasons::KAFKA_NOT_READY);
    }

    #[test]
    fn a_user_of_another_cluster_is_refused() {
        let mut other = user("tls", &ready("CN=me"));
        other.labels_mut().insert(CLUSTER_LABEL.to_owned(), "prod".to_owned());
        let unresolved = credentials(&strimzi("tls", None), &other).unwrap_err();
        assert_eq!(unresolved.reason, reasons::KAFKA_NOT_FOUND);
        assert!(unresolved.message.contains("belongs to cluster prod"), "{}", unresolved.message);
    }

    #[test]
    fn a_user_with_a_certificate_of_its_own_needs_the_plain_fields() {
        let user = user("tls-external", &ready("CN=me"));
        let unresolved = credentials(&strimzi("tls", None), &user).unwrap_err();
        assert_eq!(unresolved.reason, reasons::INVALID_SPEC);
    }
}
