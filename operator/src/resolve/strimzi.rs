//! Puts listener and credentials together, if they fit. Pure.

use batchpipe_api::{
    conditions::reasons,
    spec::{
        kafka::{Strimzi, Tls},
        secret::CaKey,
    },
};

use super::{ResolvedKafka, Unresolved, kafka::Listener, user::Credentials};

/// What the pods are told of a Strimzi cluster.
pub(super) fn combine(
    strimzi: &Strimzi,
    listener: Listener,
    credentials: Option<Credentials>,
) -> Result<ResolvedKafka, Unresolved> {
    let offered = credentials.as_ref().map(Credentials::authentication);
    if listener.authentication.as_deref() != offered {
        return Err(misfit(strimzi, &listener, offered));
    }
    let (certificate, sasl) = match credentials {
        Some(Credentials::Certificate(key)) => (Some(key), None),
        Some(Credentials::Password(sasl)) => (None, Some(sasl)),
        None => (None, None),
    };
    Ok(ResolvedKafka {
        bootstrap_servers: listener.bootstrap_servers,
        tls: listener.is_encrypted.then(|| Tls { ca: Some(ca(strimzi)), certificate }),
        sasl,
        cluster: strimzi.cluster.clone(),
        complaint: None,
    })
}

/// The authority that signs the brokers' certificates. The user's Secret has a `ca.crt` too, of the authority that
/// signs clients.
fn ca(strimzi: &Strimzi) -> CaKey {
    CaKey { secret: format!("{}-cluster-ca-cert", strimzi.cluster), key: "ca.crt".to_owned() }
}

fn misfit(strimzi: &Strimzi, listener: &Listener, offered: Option<&str>) -> Unresolved {
    let place = format!("listener {} of Kafka {}", strimzi.listener, strimzi.cluster);
    let user = strimzi.user.as_deref().unwrap_or_default();
    let message = match (listener.authentication.as_deref(), offered) {
        (Some(asked @ ("tls" | "scram-sha-512")), None) => format!(
            "{place} asks for authentication {asked}; name a KafkaUser with it in spec.kafka.strimzi.user"
        ),
        (Some(asked @ ("tls" | "scram-sha-512")), Some(offered)) => format!(
            "{place} asks for authentication {asked}, and KafkaUser {user} has {offered}; choose another user or listener"
        ),
        (Some(asked), _) => format!(
            "{place} asks for authentication {asked}, which is not supported; choose one with tls, scram-sha-512 or none"
        ),
        (None, _) => format!(
            "{place} has no authentication, and spec.kafka.strimzi.user is {user}; remove it or choose another listener"
        ),
    };
    Unresolved::new(reasons::INVALID_SPEC, message)
}

#[cfg(test)]
mod tests {
    use batchpipe_api::spec::{
        kafka::{Sasl, SaslMechanism},
        secret::{CertificateKey, SecretKey},
    };

    use super::{super::kafka::tests::strimzi, *};

    fn listener(is_encrypted: bool, authentication: Option<&str>) -> Listener {
        Listener {
            bootstrap_servers: "lab-kafka-bootstrap:9093".to_owned(),
            is_encrypted,
            authentication: authentication.map(str::to_owned),
        }
    }

    fn certificate() -> Credentials {
        Credentials::Certificate(CertificateKey {
            secret: "me".to_owned(),
            certificate_key: "user.crt".to_owned(),
            private_key_key: "user.key".to_owned(),
        })
    }

    fn password() -> Credentials {
        Credentials::Password(Sasl {
            mechanism: SaslMechanism::ScramSha512,
            username: "me".to_owned(),
            password: SecretKey { secret: "me".to_owned(), key: "password".to_owned() },
        })
    }

    #[test]
    fn the_clusters_authority_is_trusted_not_the_users() {
        let resolved =
            combine(&strimzi("tls", Some("me")), listener(true, Some("tls")), Some(certificate()))
                .unwrap();
        let tls = resolved.tls.unwrap();
        assert_eq!(tls.ca.unwrap().secret, "lab-cluster-ca-cert");
        assert_eq!(tls.certificate.unwrap().secret, "me");
    }

    #[test]
    fn a_password_goes_with_or_without_encryption() {
        for is_encrypted in [false, true] {
            let listener = listener(is_encrypted, Some("scram-sha-512"));
            let resolved =
                combine(&strimzi("plain", Some("me")), listener, Some(password())).unwrap();
            assert_eq!(resolved.tls.is_some(), is_encrypted);
            assert_eq!(resolved.sasl.unwrap().username, "me");
        }
    }

    #[test]
    fn an_open_listener_needs_nothing() {
        let resolved = combine(&strimzi("open", None), listener(false, None), None).unwrap();
        assert_eq!((resolved.tls, resolved.sasl), (None, None));
        assert_eq!(resolved.cluster, "lab");
    }

    #[test]
    fn a_listener_with_login_needs_a_user() {
        let listener = listener(true, Some("tls"));
        let unresolved = combine(&strimzi("tls", None), listener, None).unwrap_err();
        assert!(unresolved.message.contains("spec.kafka.strimzi.user"), "{}", unresolved.message);
    }

    #[test]
    fn a_user_must_log_in_as_the_listener_asks() {
        let listener = listener(true, Some("tls"));
        let unresolved =
            combine(&strimzi("tls", Some("me")), listener, Some(password())).unwrap_err();
        assert!(unresolved.message.contains("has scram-sha-512"), "{}", unresolved.message);
    }

    #[test]
    fn a_user_for_an_open_listener_is_a_mistake() {
        let listener = listener(false, None);
        let unresolved =
            combine(&strimzi("open", Some("me")), listener, Some(password())).unwrap_err();
        assert!(unresolved.message.contains("remove it"), "{}", unresolved.message);
    }

    #[test]
    fn other_logins_are_not_supported() {
        let listener = listener(true, Some("custom"));
        let unresolved =
            combine(&strimzi("tls", Some("me")), listener, Some(password())).unwrap_err();
        assert!(unresolved.message.contains("not supported"), "{}", unresolved.message);
    }
}
