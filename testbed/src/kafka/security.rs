//! Listeners with encryption and login beside the plain one, and the certificates and users for them.
//!
//! They listen at one address, which the broker's certificate names: that of pods if there is one, else 127.0.0.1.
//! Whoever connects to `localhost` meets a wrong name.

use std::{
    path::{Path, PathBuf},
    slice,
};

use super::Kafka;
use crate::{Result, error::Context, pki::Pki, ports::Port};

/// The class behind `kafka-configs.sh`.
const CONFIG_COMMAND: &str = "kafka.admin.ConfigCommand";
const BROKER: &str = "broker";

/// The secured listeners of a broker.
#[derive(Debug)]
pub struct Security {
    pki: Pki,
    host: String,
    keystore: PathBuf,
    tls: Port,
    sasl_tls: Port,
    sasl: Port,
}

/// A user of the mechanism PLAIN: the broker knows it from its start on.
#[derive(Debug, Clone)]
pub(super) struct PlainUser {
    pub(super) name: String,
    pub(super) password: String,
}

impl Security {
    /// Makes an authority and the certificate of a broker at `host` in `folder`, which is made.
    pub(super) fn create(folder: &Path, host: &str) -> Result<Self> {
        let pki = Pki::create(folder.to_owned())?;
        let host = host.to_owned();
        let pair = pki.server(BROKER, slice::from_ref(&host))?;
        let keystore = folder.join("broker.pem");
        let read = |path: &Path| std::fs::read_to_string(path).context("read", path);
        let text = read(&pair.key)? + &read(&pair.certificate)?;
        std::fs::write(&keystore, text).context("write", &keystore)?;
        let [tls, sasl_tls, sasl] = [Port::pick()?, Port::pick()?, Port::pick()?];
        Ok(Self { pki, host, keystore, tls, sasl_tls, sasl })
    }

    /// Where clients connect to with TLS, with a certificate of their own (their user is its common name) or
    /// without one.
    pub fn tls_servers(&self) -> String {
        self.server(&self.tls)
    }

    /// Where clients log in over TLS.
    pub fn sasl_tls_servers(&self) -> String {
        self.server(&self.sasl_tls)
    }

    /// Where clients log in in the clear.
    pub fn sasl_servers(&self) -> String {
        self.server(&self.sasl)
    }

    /// The certificate of the authority that signed the broker's.
    pub fn authority(&self) -> PathBuf {
        self.pki.authority()
    }

    /// A new certificate and its key for a user, as PEM files. A second call with the same name takes their place.
    pub fn client_certificate(&self, user: &str) -> Result<(PathBuf, PathBuf)> {
        let pair = self.pki.client(user, user, None)?;
        Ok((pair.certificate, pair.key))
    }

    /// A certificate and its key for a user that ran out long ago.
    pub fn expired_certificate(&self, user: &str) -> Result<(PathBuf, PathBuf)> {
        let pair = self.pki.expired_client(&format!("{user}-expired"), user)?;
        Ok((pair.certificate, pair.key))
    }

    /// The certificate of an authority that signed nothing here.
    pub fn foreign_authority(&self) -> Result<PathBuf> {
        let folder = self.keystore.with_file_name("foreign");
        Pki::create(folder).map(|pki| pki.authority())
    }

    fn server(&self, port: &Port) -> String {
        format!("{}:{}", self.host, port.number())
    }

    /// What is listened on, with its protocol.
    pub(super) fn listeners(&self) -> [(&'static str, &'static str, String); 3] {
        [
            ("TLS", "SSL", self.tls_servers()),
            ("LOGINTLS", "SASL_SSL", self.sasl_tls_servers()),
            ("LOGIN", "SASL_PLAINTEXT", self.sasl_servers()),
        ]
    }

    /// The broker's settings for these listeners.
    pub(super) fn properties(&self, users: &[PlainUser]) -> Vec<(String, String)> {
        let (keystore, truststore) = (self.keystore.display(), self.authority());
        let mut properties = vec![
            ("ssl.keystore.type", "PEM".to_owned()),
            ("ssl.keystore.location", keystore.to_string()),
            ("ssl.truststore.type", "PEM".to_owned()),
            ("ssl.truststore.location", truststore.display().to_string()),
            ("ssl.client.auth", "requested".to_owned()),
            ("ssl.principal.mapping.rules", "RULE:^CN=([^,]+).*$/$1/,DEFAULT".to_owned()),
            ("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned()),
            // Clients of the plain listener: the tests themselves, and the broker.
            ("super.users", "User:ANONYMOUS".to_owned()),
        ];
        let plain = users.iter().fold(String::new(), |text, user| {
            format!("{text} user_{}=\"{}\"", user.name, user.password)
        });
        let package = "org.apache.kafka.common.security";
        let plain = format!("{package}.plain.PlainLoginModule required{plain};");
        let scram = format!("{package}.scram.ScramLoginModule required;");
        let logins = [
            ("listener.name.logintls.plain.sasl.jaas.config", &plain),
            ("listener.name.logintls.scram-sha-256.sasl.jaas.config", &scram),
            ("listener.name.logintls.scram-sha-512.sasl.jaas.config", &scram),
            ("listener.name.login.plain.sasl.jaas.config", &plain),
            ("listener.name.login.scram-sha-256.sasl.jaas.config", &scram),
            ("listener.name.login.scram-sha-512.sasl.jaas.config", &scram),
        ];
        properties.extend(logins.map(|(key, value)| (key, value.clone())));
        properties.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

impl Kafka {
    /// The secured listeners, if the broker was started with [`super::Builder::secured`].
    pub fn security(&self) -> Option<&Security> {
        self.security.as_ref()
    }

    /// Makes a user of a mechanism, `SCRAM-SHA-256` or `SCRAM-SHA-512`, or gives the user another password. Starts a
    /// JVM.
    pub fn set_password(&self, mechanism: &str, user: &str, password: &str) -> Result<()> {
        let config = format!("{mechanism}=[iterations=4096,password={password}]");
        let servers = self.bootstrap_servers();
        let entity = ["--alter", "--entity-type", "users", "--entity-name", user];
        let args = ["--bootstrap-server", &servers, "--add-config", &config];
        self.tool(CONFIG_COMMAND, &[entity.as_slice(), &args].concat()).map(drop)
    }
}
