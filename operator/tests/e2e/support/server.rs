//! The API server for tests that ask it thousands of times: a client in this process, by paths, without kubectl.

use std::sync::LazyLock;

use batchpipe_testbed::ControlPlane;
use http::Method;
use kube::{
    Client,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::Value;
use tokio::runtime::Runtime;

/// What all of them run on.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});

/// An API server.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) client: Client,
}

impl Server {
    pub(crate) fn of(cluster: &ControlPlane) -> Self {
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
        let client = RUNTIME.block_on(async {
            let defaults = KubeConfigOptions::default();
            let config = kube::Config::from_custom_kubeconfig(kubeconfig, &defaults).await.unwrap();
            Client::try_from(config).unwrap()
        });
        Self { client }
    }

    /// What runs beside the test.
    pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        RUNTIME.spawn(task);
    }

    /// An object; absent: there is none.
    pub(crate) fn find(&self, path: &str) -> Option<Value> {
        match self.send(Method::GET, path, None) {
            Ok(object) => Some(object),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("cannot read {path}: {error}"),
        }
    }

    /// All objects of a kind.
    pub(crate) fn list(&self, path: &str) -> Vec<Value> {
        let list = self.send(Method::GET, path, None).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// How many objects there are of a kind, without reading them.
    pub(crate) fn count(&self, path: &str) -> usize {
        let list = self.send(Method::GET, &format!("{path}?limit=1"), None).unwrap();
        let more = list["metadata"]["remainingItemCount"].as_u64().unwrap_or(0);
        list["items"].as_array().unwrap().len() + usize::try_from(more).unwrap()
    }

    pub(crate) fn create(&self, path: &str, object: &Value) {
        self.send(Method::POST, path, Some(object)).unwrap();
    }

    /// Changes an object by a merge patch.
    pub(crate) fn merge(&self, path: &str, change: &Value) {
        self.send(Method::PATCH, path, Some(change)).unwrap();
    }

    /// Deletes an object, which may be gone already; `policy` says what becomes of its dependents.
    pub(crate) fn delete(&self, path: &str, policy: &str) {
        let path = format!("{path}?propagationPolicy={policy}");
        match self.send(Method::DELETE, &path, None) {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => panic!("cannot delete {path}: {error}"),
        }
    }

    fn send(&self, method: Method, path: &str, body: Option<&Value>) -> kube::Result<Value> {
        let kind = if method == Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let body = body.map(|it| it.to_string().into_bytes()).unwrap_or_default();
        let request = http::Request::builder().method(method).uri(path);
        let request = request.header(http::header::CONTENT_TYPE, kind).body(body).unwrap();
        RUNTIME.block_on(self.client.request(request))
    }
}
