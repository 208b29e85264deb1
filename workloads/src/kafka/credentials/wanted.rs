//! Which files a pipeline needs, and which settings of librdkafka follow from their contents. Pure.

use std::collections::BTreeMap;

use batchpipe_api::spec::kafka::{Sasl, SaslMechanism, Tls};

use super::secret::Settings;
use crate::secrets::SecretFile;

/// What a pipeline asks for.
#[derive(Debug)]
pub(super) struct Wanted {
    tls: Option<Encryption>,
    sasl: Option<Login>,
}

#[derive(Debug)]
struct Encryption {
    ca: Option<SecretFile>,
    /// A certificate and its key.
    identity: Option<(SecretFile, SecretFile)>,
}

#[derive(Debug)]
struct Login {
    mechanism: SaslMechanism,
    username: String,
    password: SecretFile,
}

impl Wanted {
    /// `None` for a connection in the clear without login.
    pub(super) fn new(tls: Option<&Tls>, sasl: Option<&Sasl>) -> Option<Self> {
        (tls.is_some() || sasl.is_some())
            .then(|| Self { tls: tls.map(encryption), sasl: sasl.map(login) })
    }

    /// The files that are needed.
    pub(super) fn files(&self) -> Vec<SecretFile> {
        let ca = self.tls.iter().filter_map(|tls| tls.ca.as_ref());
        let identity = self.tls.iter().filter_map(|tls| tls.identity.as_ref());
        let identity = identity.flat_map(|(certificate, key)| [certificate, key]);
        let password = self.sasl.iter().map(|sasl| &sasl.password);
        ca.chain(identity).chain(password).cloned().collect()
    }

    /// librdkafka's settings, from the contents of those files.
    pub(super) fn settings(&self, contents: &BTreeMap<SecretFile, String>) -> Settings {
        let content = |file: &SecretFile| contents[file].as_str();
        let mut settings = Settings::default();
        settings.set("security.protocol", self.protocol());
        if let Some(tls) = &self.tls {
            settings.set("enable.ssl.certificate.verification", "true");
            settings.set("ssl.endpoint.identification.algorithm", "https");
            match &tls.ca {
                Some(ca) => settings.set("ssl.ca.pem", content(ca)),
                // Our OpenSSL does not know where the system keeps its authorities.
                None => settings.set("ssl.ca.location", "probe"),
            }
            if let Some((certificate, key)) = &tls.identity {
                settings.set("ssl.certificate.pem", content(certificate));
                settings.set("ssl.key.pem", content(key));
            }
        }
        if let Some(sasl) = &self.sasl {
            settings.set("sasl.mechanism", sasl.mechanism.name());
            settings.set("sasl.username", &sasl.username);
            settings.set("sasl.password", content(&sasl.password));
        }
        settings
    }

    const fn protocol(&self) -> &'static str {
        match (&self.tls, &self.sasl) {
            (Some(_), Some(_)) => "sasl_ssl",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (None, None) => "plaintext",
        }
    }
}

fn encryption(tls: &Tls) -> Encryption {
    let file = |secret: &str, key: &str| SecretFile::new(secret, key);
    Encryption {
        ca: tls.ca.as_ref().map(|ca| file(&ca.secret, &ca.key)),
        identity: tls.certificate.as_ref().map(|pair| {
            let secret = &pair.secret;
            (file(secret, &pair.certificate_key), file(secret, &pair.private_key_key))
        }),
    }
}

fn login(sasl: &Sasl) -> Login {
    let password = &sasl.password;
    Login {
        mechanism: sasl.mechanism,
        username: sasl.username.clone(),
        password: SecretFile::new(&password.secret, &password.key),
    }
}

#[cfg(test)]
mod tests {
    use batchpipe_api::spec::secret::{CaKey, CertificateKey, SecretKey};

    use super::*;

    fn tls() -> Tls {
        Tls {
            ca: Some(CaKey { secret: "ca".into(), key: "ca.crt".into() }),
            certificate: Some(CertificateKey {
                secret: "me".into(),
                certificate_key: "crt".into(),
                private_key_key: "key".into(),
            }),
        }
    }

    fn sasl() -> Sasl {
        let password = SecretKey { secret: "me".into(), key: "password".into() };
        Sasl { mechanism: SaslMechanism::ScramSha256, username: "user".into(), password }
    }

    fn settings(tls: Option<&Tls>, sasl: Option<&Sasl>) -> BTreeMap<&'static str, String> {
        let wanted = Wanted::new(tls, sasl).unwrap();
        let files = wanted.files();
        let contents = files.into_iter().map(|file| (file.clone(), format!("<{file}>"))).collect();
        let settings = wanted.settings(&contents);
        settings.iter().map(|(key, value)| (key, value.to_owned())).collect()
    }

    #[test]
    fn every_file_has_its_setting() {
        let settings = settings(Some(&tls()), Some(&sasl()));
        for (key, value) in [
            ("security.protocol", "sasl_ssl"),
            ("ssl.ca.pem", "<ca/ca.crt>"),
            ("ssl.certificate.pem", "<me/crt>"),
            ("ssl.key.pem", "<me/key>"),
            ("sasl.mechanism", "SCRAM-SHA-256"),
            ("sasl.username", "user"),
            ("sasl.password", "<me/password>"),
        ] {
            assert_eq!(settings[key], value, "{key}");
        }
    }

    #[test]
    fn brokers_are_always_verified() {
        for tls in [Tls::default(), tls()] {
            let settings = settings(Some(&tls), None);
            assert_eq!(settings["security.protocol"], "ssl");
            assert_eq!(settings["enable.ssl.certificate.verification"], "true");
            assert_eq!(settings["ssl.endpoint.identification.algorithm"], "https");
            let has_authority = |key| settings.contains_key(key);
            assert!(has_authority("ssl.ca.pem") != has_authority("ssl.ca.location"));
        }
    }

    #[test]
    fn a_login_without_encryption_says_so() {
        assert_eq!(settings(None, Some(&sasl()))["security.protocol"], "sasl_plaintext");
        assert!(Wanted::new(None, None).is_none());
    }
}
