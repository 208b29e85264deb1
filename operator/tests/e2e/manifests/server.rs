//! The API server's own answer to a manifest, as it stands in a file.

use std::sync::OnceLock;

use http::{Method, Request};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
    core::Status,
};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::{Namespace, cluster};

/// What is refused, and at which field; the field is empty when the API server could not read the text.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) field: String,
    pub(super) message: String,
}

/// Creates what the text says without keeping it, as `kubectl create --dry-run=server` does.
pub(super) fn try_create(namespace: Namespace<'_>, text: &str) -> Result<Value, Vec<Refusal>> {
    let path = format!("{}?dryRun=All&fieldValidation=Strict", all(namespace));
    ask(Method::POST, &path, text)
}

/// Creates it.
pub(super) fn create(namespace: Namespace<'_>, text: &str) -> Result<Value, Vec<Refusal>> {
    ask(Method::POST, &format!("{}?fieldValidation=Strict", all(namespace)), text)
}

/// Replaces an object without keeping it.
pub(super) fn try_replace(namespace: Namespace<'_>, new: &Value) -> Result<Value, Vec<Refusal>> {
    let name = new["metadata"]["name"].as_str().unwrap();
    let path = format!("{}/{name}?dryRun=All&fieldValidation=Strict", all(namespace));
    ask(Method::PUT, &path, &new.to_string())
}

fn all(namespace: Namespace<'_>) -> String {
    format!("/apis/batchpipe.dev/v1alpha1/namespaces/{}/batchpipelines", namespace.name)
}

fn ask(method: Method, path: &str, text: &str) -> Result<Value, Vec<Refusal>> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/yaml");
    let (runtime, client) = client();
    match runtime.block_on(client.request(request.body(text.into()).unwrap())) {
        Ok(object) => Ok(object),
        Err(kube::Error::Api(status)) => Err(refusals(&status)),
        Err(error) => panic!("{path}: {error}"),
    }
}

fn refusals(status: &Status) -> Vec<Refusal> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    // The server adds one about the whole when a wrong shape kept its rules from being looked at.
    let causes = causes.filter(|it| it.field != "<nil>");
    let mut all: Vec<Refusal> = causes
        .map(|it| Refusal {
            field: it.field.trim_start_matches('.').to_owned(),
            message: it.message.clone(),
        })
        .collect();
    if all.is_empty() {
        all.push(Refusal { field: String::new(), message: status.message.clone() });
    }
    all
}

/// The administrator's client, and what it runs on.
fn client() -> &'static (Runtime, Client) {
    static CLIENT: OnceLock<(Runtime, Client)> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let runtime = Runtime::new().unwrap();
        let kubeconfig = Kubeconfig::read_from(cluster().kubeconfig()).unwrap();
        let client = runtime.block_on(async {
            let defaults = KubeConfigOptions::default();
            let config = Config::from_custom_kubeconfig(kubeconfig, &defaults).await.unwrap();
            Client::try_from(config).unwrap()
        });
        (runtime, client)
    })
}
