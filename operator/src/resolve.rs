//! resolve: from `spec.kafka` to an address and credentials. The only reading of foreign objects (Strimzi's).
//!
//! Reads `Kafka` and `KafkaUser` and nothing else: Secrets are named here and never read. What the objects mean is pure,
//! in the modules below.

pub mod cluster;
mod kafka;
mod recent;
mod strimzi;
mod user;

use batchpipe_api::{
    conditions::reasons,
    pipeline::BatchPipeline,
    spec::kafka::{Sasl, Strimzi, Tls},
};
use kube::{
    Api, Client,
    core::{ApiResource, DynamicObject, GroupVersionKind, Status},
};

pub use self::recent::Recent;
pub(crate) use self::{
    kafka::{described, is_ready},
    user::CLUSTER_LABEL,
};

/// Strimzi's API group.
pub const STRIMZI_GROUP: &str = "kafka.strimzi.io";
/// The only version that Strimzi serves since 1.0.
pub const STRIMZI_VERSION: &str = "v1";
/// HTTP's codes. `Status::is_not_found` looks at the reason alone, which a kind that is not served does not give.
const NOT_FOUND: u16 = 404;
const FORBIDDEN: u16 = 403;

/// Where Kafka is and how to be let in; what the pods are told.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedKafka {
    /// `host:port,...`
    pub bootstrap_servers: String,
    /// Encryption; absent: none.
    pub tls: Option<Tls>,
    /// Login; absent: none.
    pub sasl: Option<Sasl>,
    /// What tells one cluster from another when claims are compared: the Strimzi cluster's name, or the sorted
    /// set of bootstrap addresses.
    pub cluster: String,
    /// What Strimzi complains of although address and credentials are known; it may explain what pods meet.
    pub complaint: Option<String>,
}

/// Why Kafka is not known. It may become known without a change of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// A reason of [`batchpipe_api::conditions::reasons`].
    pub reason: &'static str,
    /// Which object, what was found in it, what to do.
    pub message: String,
}

impl Unresolved {
    fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// Why nothing can be said of Kafka now. Trying again may help.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The API server does not answer as it should.
    #[error("cannot read {kind} {name} in namespace {namespace}")]
    Read {
        /// `Kafka` or `KafkaUser`.
        kind: &'static str,
        /// The object.
        name: String,
        /// Its namespace.
        namespace: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
}

/// What keeps one object from being read: either kind ends the step.
enum Obstacle {
    Unresolved(Unresolved),
    Failed(ResolveError),
}

impl From<Unresolved> for Obstacle {
    fn from(unresolved: Unresolved) -> Self {
        Self::Unresolved(unresolved)
    }
}

/// Finds out where a pipeline's Kafka is. The outer error is the API server's, the inner one is about what was found.
pub async fn resolve(
    client: &Client,
    object: &BatchPipeline,
) -> Result<Result<ResolvedKafka, Unresolved>, ResolveError> {
    let kafka = &object.spec.kafka;
    let Some(strimzi) = &kafka.strimzi else {
        return Ok(Ok(ResolvedKafka {
            // Both absent is refused by the next step, with its field.
            bootstrap_servers: kafka.bootstrap_servers.clone().unwrap_or_default(),
            tls: kafka.tls.clone(),
            sasl: kafka.sasl.clone(),
            cluster: cluster::of(kafka),
            complaint: None,
        }));
    };
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    match read(client, namespace, strimzi).await {
        Ok(resolved) => Ok(Ok(resolved)),
        Err(Obstacle::Unresolved(unresolved)) => Ok(Err(unresolved)),
        Err(Obstacle::Failed(error)) => Err(error),
    }
}

/// The type of one of Strimzi's kinds.
pub fn strimzi_resource(kind: &str, plural: &str) -> ApiResource {
    let kind = GroupVersionKind::gvk(STRIMZI_GROUP, STRIMZI_VERSION, kind);
    ApiResource::from_gvk_with_plural(&kind, plural)
}

async fn read(
    client: &Client,
    namespace: &str,
    strimzi: &Strimzi,
) -> Result<ResolvedKafka, Obstacle> {
    let kafka = get(client, namespace, ("Kafka", "kafkas"), &strimzi.cluster).await?;
    let listener = kafka::listener(strimzi, &kafka.data)?;
    let mut complaints = vec![described("Kafka", &strimzi.cluster, &kafka.data)];
    let credentials = match &strimzi.user {
        Some(name) => {
            let object = get(client, namespace, ("KafkaUser", "kafkausers"), name).await?;
            complaints.push(described("KafkaUser", name, &object.data));
            Some(user::credentials(strimzi, &object)?)
        }
        None => None,
    };
    let complaint = complaints.into_iter().flatten().reduce(|one, other| format!("{one}; {other}"));
    let resolved = strimzi::combine(strimzi, listener, credentials)?;
    Ok(ResolvedKafka { complaint, ..resolved })
}

async fn get(
    client: &Client,
    namespace: &str,
    (kind, plural): (&'static str, &str),
    name: &str,
) -> Result<DynamicObject, Obstacle> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &strimzi_resource(kind, plural));
    api.get(name).await.map_err(|error| {
        match &error {
            kube::Error::Api(status) => refusal(status, kind, namespace, name).map(Obstacle::from),
            _ => None,
        }
        .unwrap_or_else(|| {
            let (name, namespace) = (name.to_owned(), namespace.to_owned());
            Obstacle::Failed(ResolveError::Read { kind, name, namespace, source: Box::new(error) })
        })
    })
}

/// What the API server's refusal means, if it means something for users.
fn refusal(status: &Status, kind: &str, namespace: &str, name: &str) -> Option<Unresolved> {
    // Only an object that is missing is named in the answer; a kind that is not served is not.
    let names_object = status.details.as_ref().is_some_and(|details| details.name == name);
    if status.code == NOT_FOUND && names_object {
        let message = format!(
            "{kind} {name} does not exist in namespace {namespace}; create it, or correct spec.kafka.strimzi"
        );
        return Some(Unresolved::new(reasons::KAFKA_NOT_FOUND, message));
    }
    if status.code == NOT_FOUND {
        let message = format!(
            "this cluster does not serve {kind} of {STRIMZI_GROUP}/{STRIMZI_VERSION}; install Strimzi 1.0 or newer, \
             or set spec.kafka.bootstrapServers instead of strimzi"
        );
        return Some(Unresolved::new(reasons::KAFKA_NOT_FOUND, message));
    }
    (status.code == FORBIDDEN).then(|| {
        let message = format!(
            "the operator may not get {kind} {name} in namespace {namespace}; grant it get on {STRIMZI_GROUP}"
        );
        Unresolved::new(reasons::FORBIDDEN, message)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(answer: serde_json::Value) -> Status {
        serde_json::from_value(answer).unwrap()
    }

    fn meaning(answer: serde_json::Value) -> Option<Unresolved> {
        refusal(&status(answer), "Kafka", "lab-kafka", "lab")
    }

    #[test]
    fn an_object_that_is_missing_is_named() {
        let answer = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound",
            "message": "kafkas.kafka.strimzi.io \"lab\" not found",
            "details": {"name": "lab", "group": "kafka.strimzi.io", "kind": "kafkas"},
        });
        let found = meaning(answer).unwrap();
        assert_eq!(found.reason, reasons::KAFKA_NOT_FOUND);
        assert!(found.message.starts_with("Kafka lab does not exist in namespace lab-kafka"));
    }

    #[test]
    fn a_kind_that_is_not_served_asks_for_strimzi() {
        let answer = json!({"status": "Failure", "code": 404, "message": "404 page not found",
            "reason": "Failed to parse error data"});
        let found = meaning(answer).unwrap();
        assert_eq!(found.reason, reasons::KAFKA_NOT_FOUND);
        assert!(found.message.contains("install Strimzi"), "{}", found.message);
    }

    #[test]
    fn a_missing_right_is_named() {
        let answer = json!({"status": "Failure", "code": 403, "reason": "Forbidden",
            "details": {"name": "lab", "kind": "kafkas"}});
        assert_eq!(meaning(answer).unwrap().reason, reasons::FORBIDDEN);
    }

    #[test]
    fn other_answers_are_no_news_about_kafka() {
        let answer = json!({"status": "Failure", "code": 503, "reason": "ServiceUnavailable"});
        assert_eq!(meaning(answer), None);
    }
}
