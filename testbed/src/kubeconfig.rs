//! Kubeconfig files: where a cluster is, whom to trust there, and who one is.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{Result, error::Context, pki::Pair};

/// Who the reader of a kubeconfig is.
pub(crate) enum Credentials<'a> {
    /// The subject of a client certificate.
    Certificate(&'a Pair),
    /// A bearer token's subject.
    Token(&'a str),
}

/// Writes the file. It names the files of certificates and does not repeat them.
pub(crate) fn write(
    path: &Path,
    server: &str,
    authority: &Path,
    credentials: &Credentials,
) -> Result<()> {
    let text = render(server, authority, credentials).to_string();
    fs::write(path, text).context("write", path)
}

/// JSON, which is YAML too.
fn render(server: &str, authority: &Path, credentials: &Credentials) -> Value {
    let user = match credentials {
        Credentials::Certificate(pair) => {
            json!({"client-certificate": pair.certificate, "client-key": pair.key})
        }
        Credentials::Token(token) => json!({"token": token}),
    };
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "testbed",
            "cluster": {"server": server, "certificate-authority": authority},
        }],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "user"}}],
        "current-context": "testbed",
    })
}
