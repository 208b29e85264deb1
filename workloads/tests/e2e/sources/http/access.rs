//! Certificate and token come from files of Secrets, are awaited and renewed, and are said nowhere.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    sync::Arc,
};

use batchpipe_testbed::shared_kafka;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use serde_json::json;

use super::stage::Stage;
use crate::faults::support::{Child, PATIENCE, until};

const TOKEN: &str = "planted-t0ken";

/// Writes a new certificate and its key; a client that trusts it alone, and the key.
pub(super) fn renew(folder: &Path) -> (Arc<ClientConfig>, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = made.signing_key.serialize_pem();
    fs::write(folder.join("tls.key"), &key).unwrap();
    fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(made.cert.der().to_vec())).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    (Arc::new(config.with_root_certificates(roots).with_no_client_auth()), key)
}

/// A new connection, encrypted by whoever is trusted.
fn connect(stage: &Stage, config: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(stage.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
    StreamOwned::new(connection, stream)
}

/// The status of the answer to a record that is sent with this token; none when the certificate is not trusted.
pub(super) fn send(stage: &Stage, config: &Arc<ClientConfig>, token: &str) -> Option<u16> {
    let mut stream = connect(stage, config);
    let request = format!(
        "POST /v1/records HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 2\r\n\r\n1\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer); // it may end without TLS's own farewell
    answer.split(' ').nth(1)?.parse().ok()
}

/// A connection over which a request without records was answered.
pub(super) fn open(stage: &Stage, config: &Arc<ClientConfig>) -> TcpStream {
    let mut stream = connect(stage, config);
    stream.write_all(b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    stream.sock
}

fn said(producer: &Child) -> String {
    let answers = ["/livez", "/readyz", "/metrics", "/status"].map(|path| producer.get(path).1);
    answers.concat() + &producer.log()
}

#[test]
fn certificate_and_token_are_awaited_renewed_and_said_nowhere() {
    let mut stage = Stage::new(shared_kafka().unwrap(), "http-access");
    let secrets = stage.scene.folder.path().join("secrets");
    let folder = secrets.join("mine");
    fs::create_dir_all(&folder).unwrap();
    stage.scene.environment.push(("BATCHPIPE_SECRETS", secrets));
    stage.scene.environment.push(("BATCHPIPE_LOG", "debug".into()));
    let http = &mut stage.scene.spec["producer"]["source"]["http"];
    http["tls"] = json!({"secret": "mine"});
    http["bearerToken"] = json!({"secret": "mine", "key": "token"});
    let producer = stage.scene.produce();
    producer.await_unready("mine/token is missing");
    producer.await_unready("SecretMissing");
    let (first, first_key) = renew(&folder);
    fs::write(folder.join("token"), format!("{TOKEN}\n")).unwrap();
    producer.await_ready();
    assert_eq!(send(&stage, &first, TOKEN), Some(200));
    assert_eq!(send(&stage, &first, "another"), Some(401));
    let (second, second_key) = renew(&folder);
    until("the new certificate is served", || send(&stage, &second, TOKEN) == Some(200));
    fs::write(folder.join("token"), "other").unwrap();
    until("the new token holds", || send(&stage, &second, "other") == Some(200));
    assert_eq!(send(&stage, &second, TOKEN), Some(401));
    let said = said(&producer);
    assert!(said.len() > 1000);
    let keys = [first_key, second_key].concat();
    let secret = keys.lines().filter(|line| !line.starts_with("---")).chain([TOKEN]);
    secret.for_each(|secret| assert!(!said.contains(secret), "{secret} was said"));
    producer.terminate().well();
}
