//! Encrypted connections: only to who has a certificate of the right authority for the right name.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use batchpipe_api::spec::{
    secret::CaKey,
    sink::{HttpSink as Spec, HttpTls},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::{server::converse, spec, unavailable, write};
use crate::sink::{Durable, Sink as _, WriteError, http::HttpSink, tenure::lasting};

/// An authority, and a receiver at `localhost` with a certificate of it.
struct Site {
    authority: String,
    port: u16,
}

fn authority() -> (String, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    (pem, Issuer::new(params, key))
}

impl Site {
    fn open() -> Self {
        let (authority, issuer) = authority();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], secret)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = Arc::new(config);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let stream = StreamOwned::new(connection, stream.unwrap());
                thread::spawn(move || converse(stream, &Mutex::default(), &|_| "200 OK".into()));
            }
        });
        Self { authority, port }
    }

    fn spec(&self, host: &str) -> Spec {
        let ca = CaKey { secret: "ca".into(), key: "ca.crt".into() };
        Spec { tls: Some(HttpTls { ca }), ..spec(format!("https://{host}:{}/", self.port)) }
    }
}

fn put(root: &Path, pem: &str) {
    fs::create_dir_all(root.join("ca")).unwrap();
    fs::write(root.join("ca/ca.crt"), pem).unwrap();
}

/// Whether a record arrives at this host when this authority is trusted; why not.
fn deliver(site: &Site, host: &str, authority: &str) -> Result<(), String> {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), authority);
    let sink = HttpSink::new(&site.spec(host), root.path().to_owned(), super::PATIENCE).unwrap();
    let mut writer = sink.open("t", lasting(0)).unwrap();
    match write(&mut *writer, 0, "1") {
        Ok(Durable::All) => Ok(()),
        outcome => Err(unavailable(outcome).0),
    }
}

#[test]
fn the_named_authority_is_trusted() {
    let site = Site::open();
    assert_eq!(deliver(&site, "localhost", &site.authority), Ok(()));
}

#[test]
fn another_authority_or_another_name_is_not() {
    let site = Site::open();
    let problem = deliver(&site, "localhost", &authority().0).unwrap_err();
    assert!(problem.contains("invalid peer certificate"), "{problem}");
    let problem = deliver(&site, "127.0.0.1", &site.authority).unwrap_err();
    assert!(problem.contains("not valid for name"), "{problem}");
}

#[test]
fn an_authority_that_changes_is_taken_up() {
    let site = Site::open();
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "no certificate");
    let spec = site.spec("localhost");
    let sink = HttpSink::new(&spec, root.path().to_owned(), super::PATIENCE).unwrap();
    let error = sink.check().unwrap_err();
    assert!(matches!(error, WriteError::Secret(_)), "{error:?}");
    put(root.path(), &authority().0);
    let mut writer = sink.open("t", lasting(0)).unwrap();
    unavailable(write(&mut *writer, 0, "1"));
    put(root.path(), &site.authority);
    sink.0.access.doubt();
    assert_eq!(write(&mut *writer, 0, "1").unwrap(), Durable::All);
}

#[test]
fn without_a_named_authority_those_of_the_system_count() {
    let site = Site::open();
    let spec = Spec { tls: None, ..site.spec("localhost") };
    let sink = HttpSink::new(&spec, "/nowhere".into(), super::PATIENCE).unwrap();
    let mut writer = sink.open("t", lasting(0)).unwrap();
    let (problem, _) = unavailable(write(&mut *writer, 0, "1"));
    assert!(problem.contains("invalid peer certificate"), "{problem}");
}
