//! `status`: what the operator says of a pipeline. What is unknown is absent, never 0.
//!
//! Another version may have written it. What cannot be read of it is as if it were absent: whoever reads it has to go
//! on, and whoever writes it writes it anew.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

/// What the pipeline does now, in one word.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Not all of it runs yet.
    #[default]
    Pending,
    /// Everything that should run does.
    Running,
    /// Stopped as asked.
    Paused,
    /// The producer has stopped; the consumer works off what is left.
    Draining,
    /// Nothing is left.
    Drained,
    /// The source has ended and everything was delivered.
    Completed,
    /// Something that did run does not.
    Degraded,
}

impl Phase {
    /// The name in `status.phase`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Paused => "Paused",
            Self::Draining => "Draining",
            Self::Drained => "Drained",
            Self::Completed => "Completed",
            Self::Degraded => "Degraded",
        }
    }
}

/// What the operator observed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct BatchPipelineStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, deserialize_with = "readable", skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What is true of the pipeline, and why.
    #[serde(default, deserialize_with = "readable", skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
    /// Pending, Running, Paused, Draining, Drained, Completed or Degraded.
    #[serde(default, deserialize_with = "readable", skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The topic of batches, default applied.
    #[serde(default, deserialize_with = "readable", skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The pipeline that has what this one wants for itself; absent unless there is one.
    #[serde(default, deserialize_with = "readable", skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// The producer's pods.
    #[serde(default, deserialize_with = "readable", skip_serializing_if = "Option::is_none")]
    pub producer: Option<SideStatus>,
    /// The consumer's pods.
    #[serde(default, deserialize_with = "readable", skip_serializing_if = "Option::is_none")]
    pub consumer: Option<SideStatus>,
    /// What the pods report of the data.
    #[serde(default, deserialize_with = "readable", skip_serializing_if = "Option::is_none")]
    pub data: Option<DataStatus>,
    /// The last decision about the number of consumers; absent without scaling.
    #[serde(default, deserialize_with = "readable", skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingStatus>,
    /// What draining waits for; absent unless the state is Drained.
    #[serde(default, deserialize_with = "readable", skip_serializing_if = "Option::is_none")]
    pub draining: Option<DrainingStatus>,
}

/// The pods of one side.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SideStatus {
    /// Pods that exist.
    #[serde(default)]
    pub replicas: i32,
    /// Pods that are ready.
    #[serde(default)]
    pub ready_replicas: i32,
    /// Label selector of the pods, as text.
    #[serde(default)]
    pub selector: String,
}

/// What the pods report of the data; what is unknown is absent.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DataStatus {
    /// Records per second over the last 30 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_per_second: Option<i64>,
    /// Bytes that compression saves, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved_percent: Option<i32>,
    /// Bytes before compression to bytes on the topic, as text, for example 6.8x.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<String>,
    /// Messages that are not delivered yet; exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_messages: Option<i64>,
    /// Records that are not delivered yet; messages times the mean number of records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_records: Option<i64>,
    /// Age of the oldest record that is not delivered yet, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<i64>,
    /// Records that were dead-lettered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<i64>,
    /// When this was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Time>,
}

/// A decision about the number of consumers.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ScalingStatus {
    /// The number that was decided.
    pub desired_replicas: i32,
    /// Why.
    pub reason: String,
}

/// What draining waits for.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DrainingStatus {
    /// When no producer existed any more; absent while one does. Only reports begun after it count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// The end of each partition when it was measured first after that, by its number: what is worked off.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ends: BTreeMap<String, i64>,
}

/// A field, or nothing where it is not as this version knows it.
fn readable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(T::deserialize(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_another_version_wrote_hides_nothing_else() {
        let status: BatchPipelineStatus = serde_json::from_value(json!({
            "observedGeneration": 3,
            "phase": "Recovering",
            "conditions": [{"type": "Ready", "status": {"is": "newer"}}],
            "consumer": {"replicas": "all"},
            "data": {"deadLetters": 7},
            "draining": {"since": "yesterday"},
            "newer": {},
        }))
        .unwrap();
        let kept = BatchPipelineStatus {
            observed_generation: Some(3),
            data: Some(DataStatus { dead_letters: Some(7), ..DataStatus::default() }),
            ..BatchPipelineStatus::default()
        };
        assert_eq!(status, kept);
    }
}
