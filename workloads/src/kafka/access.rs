//! A cluster together with credentials that were just read: what clients are made of.

use rdkafka::{ClientConfig, error::KafkaError};

use super::{
    client::{Cluster, Transport},
    credentials::Opened,
};
use crate::secrets::SecretError;

/// Settings for clients of a cluster, with its credentials in them.
#[derive(Debug)]
pub struct Access<'a> {
    cluster: &'a Cluster,
    credentials: Opened,
}

impl Cluster {
    /// Reads the credentials as they are now.
    pub fn access(&self) -> Result<Access<'_>, SecretError> {
        Ok(Access { cluster: self, credentials: self.credentials.open()? })
    }
}

impl Access<'_> {
    /// Which contents of the credentials these are.
    pub(crate) const fn revision(&self) -> u64 {
        self.credentials.revision
    }

    /// Whether there are any credentials.
    pub(crate) const fn has_credentials(&self) -> bool {
        self.credentials.revision > 0
    }

    /// See [`Cluster::client_config`].
    pub fn client_config(&self) -> ClientConfig {
        self.with_credentials(self.cluster.client_config())
    }

    /// See [`Cluster::producer_config`].
    pub fn producer_config(
        &self,
        transport: &Transport,
        max_message_bytes: usize,
        queue_bytes: usize,
    ) -> ClientConfig {
        let config = self.cluster.producer_config(transport, max_message_bytes, queue_bytes);
        self.with_credentials(config)
    }

    /// See [`Cluster::consumer_config`].
    pub fn consumer_config(&self, group: &str, largest_message: usize) -> ClientConfig {
        self.with_credentials(self.cluster.consumer_config(group, largest_message))
    }

    /// See [`Cluster::reader_config`].
    pub fn reader_config(&self, largest_message: usize) -> ClientConfig {
        self.with_credentials(self.cluster.reader_config(largest_message))
    }

    fn with_credentials(&self, mut config: ClientConfig) -> ClientConfig {
        self.credentials.apply(&mut config);
        config
    }
}

/// What librdkafka has against its settings, without the value: it may be a secret.
pub(crate) fn complaint(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, what, key, _) => format!("{key}: {what}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use batchpipe_api::spec::{
        kafka::{Sasl, SaslMechanism, Tls},
        secret::SecretKey,
    };
    use rdkafka::producer::BaseProducer;

    use super::*;
    use crate::kafka::credentials::Credentials;

    #[test]
    fn librdkafka_accepts_credentials_and_options_do_not_override_them() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("me")).unwrap();
        fs::write(root.path().join("me/password"), "hunter2").unwrap();
        for mechanism in
            [SaslMechanism::Plain, SaslMechanism::ScramSha256, SaslMechanism::ScramSha512]
        {
            let password = SecretKey { secret: "me".to_owned(), key: "password".to_owned() };
            let sasl = Sasl { mechanism, username: "me".to_owned(), password };
            let credentials =
                Credentials::new(Some(&Tls::default()), Some(&sasl), root.path().to_owned());
            let option = ("security.protocol".to_owned(), "plaintext".to_owned());
            let options = BTreeMap::from([option]);
            let cluster =
                Cluster { bootstrap_servers: "127.0.0.1:1".to_owned(), options, credentials };
            let access = cluster.access().unwrap();
            assert!(!format!("{access:?}").contains("hunter2"));
            let config = access.client_config();
            assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
            config.create::<BaseProducer>().unwrap();
        }
    }

    #[test]
    fn a_complaint_does_not_tell_the_value() {
        let mut config = ClientConfig::new();
        config.set("sasl.password", "hunter2").set("acks", "hunter2");
        let Err(error) = config.create::<BaseProducer>() else { panic!("it was accepted") };
        let complaint = complaint(&error);
        assert!(complaint.starts_with("acks: "), "{complaint}");
    }
}
