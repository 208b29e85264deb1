//! Objects that come from the API server, read so that one of them never keeps others from being read. Pure.
//!
//! The API server takes times that our clock's type does not hold, such as the last day of the year 9999, wherever
//! somebody may write one, and that is in the managed fields of any object. A list of which one object cannot be read
//! cannot be read at all.

use std::borrow::Cow;

use k8s_openapi::jiff::Timestamp;
use kube::{Resource, api::ObjectMeta};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error};
use serde_json::{Value, value::RawValue};

/// The latest time that can be read, in whole seconds.
const LATEST: &str = "9999-12-30T22:00:00Z";
/// How the names of fields with times end.
const TIMES: [&str; 4] = ["time", "Time", "Timestamp", "At"];
/// Where names are people's own, and no value is ours to change.
const ANNOTATIONS: &str = "annotations";

/// An object with times as late as they can be read; if that is not enough, with its metadata only.
#[derive(Clone, Debug)]
pub struct Readable<K>(pub K);

impl<'de, K> Deserialize<'de> for Readable<K>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        serde_json::from_str(text.get())
            .or_else(|error| leniently(text.get(), error))
            .map(Self)
            .map_err(D::Error::custom)
    }
}

impl<K: Resource> Resource for Readable<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }

    fn group(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }

    fn version(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }

    fn plural(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

/// Reads what could not be read as it is, for this reason.
fn leniently<K>(text: &str, error: serde_json::Error) -> Result<K, serde_json::Error>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    let mut object: Value = serde_json::from_str(text)?;
    bring_forward(&mut object);
    if let Ok(object) = K::deserialize(&object) {
        return Ok(object);
    }
    // What is not known of it counts as what is least likely to do harm: a pod that may run, a child to be written.
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|name, _| matches!(name.as_str(), "apiVersion" | "kind" | "metadata"));
    }
    let object = K::deserialize(&object).map_err(|_| error)?;
    let (kind, meta) = (K::kind(&()), object.meta());
    tracing::warn!(%kind, namespace = meta.namespace, name = meta.name, "only its metadata can be read");
    Ok(object)
}

/// Brings times that are too late to be read to the latest that can be.
fn bring_forward(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(bring_forward),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut().filter(|(name, _)| *name != ANNOTATIONS) {
                let is_time = TIMES.iter().any(|end| name.ends_with(end));
                match value {
                    Value::String(text) if is_time && is_too_late(text) => LATEST.clone_into(text),
                    _ => bring_forward(value),
                }
            }
        }
        _ => {}
    }
}

fn is_too_late(text: &str) -> bool {
    text.starts_with("9999-12-3") && text.parse::<Timestamp>().is_err()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
    use kube::ResourceExt;
    use serde_json::json;

    use super::*;

    const LATE: &str = "9999-12-31T23:59:59Z";

    fn read<K>(object: &Value) -> K
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        serde_json::from_str::<Readable<K>>(&object.to_string()).unwrap().0
    }

    #[test]
    fn times_that_are_too_late_become_the_latest_wherever_they_are() {
        let pod: Pod = read(&json!({
            "metadata": {
                "name": "p", "creationTimestamp": LATE, "deletionTimestamp": LATE,
                "annotations": {"example.com/endTime": LATE},
                "managedFields": [{"manager": "m", "operation": "Update", "time": LATE}],
            },
            "spec": {"containers": [{"name": "c"}]},
            "status": {"phase": "Running", "startTime": LATE, "containerStatuses": [{
                "name": "c", "image": "i", "imageID": "i", "ready": true, "restartCount": 0,
                "state": {"terminated": {"exitCode": 1, "finishedAt": LATE}},
            }]},
        }));
        let latest: Timestamp = LATEST.parse().unwrap();
        let meta = &pod.metadata;
        assert_eq!(meta.deletion_timestamp.as_ref().unwrap().0, latest);
        assert_eq!(meta.creation_timestamp.as_ref().unwrap().0, latest);
        assert_eq!(pod.managed_fields()[0].manager.as_deref(), Some("m"));
        assert_eq!(pod.annotations()["example.com/endTime"], LATE, "that is no time of ours");
        let status = pod.status.unwrap();
        assert_eq!(status.phase.as_deref(), Some("Running"));
        assert_eq!(status.start_time.unwrap().0, latest);
    }

    #[test]
    fn the_latest_is_the_last_second_that_can_be_read() {
        let latest: Timestamp = LATEST.parse().unwrap();
        assert_eq!(latest.as_second(), Timestamp::MAX.as_second());
        assert!(is_too_late("9999-12-30T22:00:01Z") && is_too_late("9999-12-31T00:00:00.000000Z"));
        assert!(!is_too_late(LATEST) && !is_too_late("9999-12-3"[..8].trim_end()));
    }

    #[test]
    fn of_what_cannot_be_read_the_metadata_is_kept() {
        let object = json!({"metadata": {"name": "d", "uid": "u"}, "spec": {"replicas": "many"}});
        let deployment: Deployment = read(&object);
        assert_eq!(
            (deployment.name_any(), deployment.uid().as_deref()),
            ("d".to_owned(), Some("u"))
        );
        assert_eq!(deployment.spec.replicas, None);
    }

    #[test]
    fn an_error_names_what_was_found_at_first() {
        let error = serde_json::from_str::<Readable<Pod>>(r#"{"metadata": 5}"#).unwrap_err();
        assert!(error.to_string().contains("ObjectMeta"), "{error}");
    }
}
