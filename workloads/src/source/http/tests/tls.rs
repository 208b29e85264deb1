//! HTTPS with a certificate that changes.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};

use super::*;
use crate::secrets::SecretFile;

/// Puts a new certificate into the folder; what trusts it and nothing else.
fn renew(folder: &Path) -> RootCertStore {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(made.cert.der().to_vec())).unwrap();
    roots
}

/// A client without any memory of sessions before.
fn client(roots: &RootCertStore) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    Arc::new(config.with_root_certificates(roots.clone()).with_no_client_auth())
}

/// Sends a record over a new connection; whether the certificate was trusted.
fn send(stage: &Stage, roots: &RootCertStore) -> Option<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(client(roots), name).unwrap();
    let stream = TcpStream::connect(stage.source.local_addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    let request = b"POST /v1/records HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n1\n";
    stream.write_all(request).ok()?;
    Some(stream)
}

fn await_trusted(stage: &mut Stage, roots: &RootCertStore) {
    let begun = Instant::now();
    let mut stream = loop {
        assert!(begun.elapsed() < PATIENCE, "the certificate is not taken up");
        if let Some(stream) = send(stage, roots) {
            break stream;
        }
        thread::sleep(WAIT);
    };
    assert_eq!(stage.take(), b"1\n");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer); // may end without TLS's own farewell
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_certificate_is_awaited_and_taken_up_when_it_changes() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("cert");
    fs::create_dir(&folder).unwrap();
    let file = |key: &str| SecretFile::new("cert", key);
    let certificate = Some((file("tls.crt"), file("tls.key")));
    let secrets = SecretOptions { root: root.path().to_owned(), token: None, certificate };
    let mut stage = Stage::with(limits(), secrets);
    assert!(stage.shared.side.unmet().iter().any(|line| line.contains("cert/tls.crt")));
    let first = renew(&folder);
    await_trusted(&mut stage, &first);
    let second = renew(&folder);
    await_trusted(&mut stage, &second);
    assert!(send(&stage, &first).is_none(), "the old certificate is still served");
    let mut plain = stage.client();
    plain.post("", b"2\n");
    let answer = plain.until_closed();
    assert!(!answer.starts_with(b"HTTP"), "HTTP is served where HTTPS was asked for");
    stage.assert_silent();
}
