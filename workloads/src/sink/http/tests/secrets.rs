//! Tokens and passwords: presented as they are in files now, and shown nowhere.

use std::{fs, path::Path};

use batchpipe_api::spec::{
    secret::SecretKey,
    sink::{BasicAuth, HttpFormat, HttpSink as Spec},
};

use super::{Server, spec, unavailable, write};
use crate::{
    error::chain,
    sink::{Durable, Sink as _, WriteError, http::HttpSink, tenure::lasting},
};

const TOKEN: &str = "hunter2";

fn key(key: &str) -> SecretKey {
    SecretKey { secret: "login".into(), key: key.into() }
}

fn put(root: &Path, key: &str, content: &str) {
    fs::create_dir_all(root.join("login")).unwrap();
    fs::write(root.join("login").join(key), content).unwrap();
}

fn sink(spec: &Spec, root: &Path) -> HttpSink {
    HttpSink::new(spec, root.to_owned(), super::PATIENCE).unwrap()
}

#[test]
fn each_login_is_presented_in_its_own_way() {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "token", "hunter2\n");
    let server = Server::start(|_| "200 OK".into());
    let plain = spec(server.url("/"));
    let token = Spec { bearer_token: Some(key("token")), ..plain.clone() };
    let splunk = Spec { format: HttpFormat::SplunkHec, ..token.clone() };
    let basic = BasicAuth { username: "me".into(), password: key("token") };
    let basic = Spec { basic: Some(basic), ..plain };
    for spec in [token, splunk, basic] {
        let mut writer = sink(&spec, root.path()).open("t", lasting(0)).unwrap();
        assert_eq!(write(&mut *writer, 0, "1").unwrap(), Durable::All);
    }
    let asked = server.asked();
    let presented: Vec<_> = asked.iter().map(|it| it.header("authorization").unwrap()).collect();
    assert_eq!(presented, ["Bearer hunter2", "Splunk hunter2", "Basic bWU6aHVudGVyMg=="]);
}

#[test]
fn a_token_that_changed_is_used_after_the_first_refusal() {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "token", "old");
    let server = Server::start(|asked| match asked.header("authorization") {
        Some("Bearer new") => "200 OK".into(),
        _ => "401 Unauthorized".into(),
    });
    let spec = Spec { bearer_token: Some(key("token")), ..spec(server.url("/")) };
    let mut writer = sink(&spec, root.path()).open("t", lasting(0)).unwrap();
    let (what, _) = unavailable(write(&mut *writer, 0, "1"));
    assert!(what.contains("401") && what.contains("check the credentials"), "{what}");
    put(root.path(), "token", "new");
    assert_eq!(write(&mut *writer, 0, "1").unwrap(), Durable::All);
}

#[test]
fn a_missing_secret_is_named_and_taken_up_when_it_is_there() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(|_| "200 OK".into());
    let spec = Spec { bearer_token: Some(key("token")), ..spec(server.url("/")) };
    let sink = sink(&spec, root.path());
    let mut writer = sink.open("t", lasting(0)).unwrap();
    for error in [sink.check().unwrap_err(), write(&mut *writer, 0, "1").unwrap_err()] {
        assert_eq!(error.reason(), "SecretMissing");
        assert!(chain(&error).contains("login/token is missing"), "{}", chain(&error));
    }
    assert!(server.asked().is_empty(), "nothing is sent without it");
    put(root.path(), "token", TOKEN);
    assert_eq!(write(&mut *writer, 0, "1").unwrap(), Durable::All);
    fs::remove_file(root.path().join("login/token")).unwrap();
    sink.0.access.doubt();
    assert_eq!(write(&mut *writer, 1, "2").unwrap(), Durable::All, "what was read still serves");
    assert!(sink.check().is_ok());
}

#[test]
fn no_secret_is_shown() {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "token", TOKEN);
    let server = Server::start(|_| "403 Forbidden".into());
    let url = server.url("/p?key=hunter2");
    let spec = Spec { bearer_token: Some(key("token")), ..spec(url) };
    let sink = sink(&spec, root.path());
    let mut writer = sink.open("t", lasting(0)).unwrap();
    let error = write(&mut *writer, 0, "1").unwrap_err();
    assert!(!format!("{error:?} {}", chain(&error)).contains(TOKEN), "{error:?}");
    put(root.path(), "token", "hunter2\nhunter2");
    sink.0.access.doubt();
    assert!(write(&mut *writer, 0, "1").is_err());
    let presented = sink.0.access.present(std::time::Instant::now()).unwrap();
    assert!(!format!("{:?}", presented.authorization).contains(TOKEN));
    assert!(!format!("{sink:?}").contains(TOKEN), "{sink:?}");
}

#[test]
fn what_can_be_no_header_or_authority_is_refused_without_being_shown() {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "token", "hunter2\nhunter2");
    let spec = Spec { bearer_token: Some(key("token")), ..spec("http://127.0.0.1:1/".into()) };
    let error = sink(&spec, root.path()).check().unwrap_err();
    assert!(matches!(error, WriteError::Secret(_)), "{error:?}");
    assert!(!chain(&error).contains(TOKEN), "{}", chain(&error));
}
