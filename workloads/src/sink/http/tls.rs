//! Whom to trust: always verified, with the host name. Touches the system's certificates, no socket.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

/// Trusts the authorities of a text in PEM; nothing when it holds none that can be used.
pub(super) fn trusting(pem: &str) -> Option<Arc<ClientConfig>> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let mut roots = RootCertStore::empty();
    for certificate in certificates.ok()? {
        roots.add(certificate).ok()?;
    }
    (!roots.is_empty()).then(|| config(roots))
}

/// Trusts the authorities of this system; nothing when it has none.
pub(super) fn trusting_system() -> Option<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    (!roots.is_empty()).then(|| config(roots))
}

/// Trusts nobody: for connections without encryption.
pub(super) fn trusting_nobody() -> Arc<ClientConfig> {
    config(RootCertStore::empty())
}

fn config(roots: RootCertStore) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows the versions of TLS that rustls does")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_a_certificate_is_no_authority() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "hunter2", broken] {
            assert!(trusting(text).is_none(), "{text}");
        }
    }
}
