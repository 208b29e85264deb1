//! validate: from a spec and a resolved Kafka to a `Pipeline`, the value that all builders read. Pure.

use batchpipe_api::{
    pipeline::{BatchPipeline, BatchPipelineSpec, DesiredState},
    report::Role,
    validate::{Violation, ViolationKind, check, in_cluster},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource as _;

use crate::{build::configuration::configuration, resolve::ResolvedKafka, settings::Settings};

/// What the pods are told must fit into one variable: Linux takes 128 KiB, its name included.
const MOST_TEXT_BYTES: usize = 127 * 1024;

/// A pipeline that can be carried out. Builders read this, never the raw spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// Its name, of at most 52 characters.
    pub name: String,
    /// Its namespace, and that of every child.
    pub namespace: String,
    /// The uid of the object: what tells our children from those of a namesake.
    pub uid: String,
    /// The reference that children carry.
    pub owner: OwnerReference,
    /// Where Kafka is.
    pub kafka: ResolvedKafka,
    /// The Strimzi cluster that Kafka is run by; absent: Strimzi has no part in it.
    pub strimzi_cluster: Option<String>,
    /// The image of the pods.
    pub image: String,
    /// The topic of batches, default applied.
    pub topic: String,
    /// The dead-letter topic, default applied.
    pub dead_letter_topic: String,
    /// The spec with every default, names that follow from others included, and with Strimzi replaced by what it was
    /// resolved to.
    pub spec: BatchPipelineSpec,
}

impl Pipeline {
    /// Whether the pipeline has such a side.
    pub const fn has(&self, role: Role) -> bool {
        match role {
            Role::Producer => self.spec.producer.is_some(),
            Role::Consumer => self.spec.consumer.is_some(),
        }
    }

    /// What the user wants of it.
    pub const fn state(&self) -> DesiredState {
        self.spec.state
    }
}

/// Why a spec cannot be carried out. It waits for a change; trying again would not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Never empty.
    pub violations: Vec<Violation>,
}

impl Invalid {
    fn rule(path: &str, message: &str) -> Self {
        let violation = Violation {
            path: path.to_owned(),
            message: message.to_owned(),
            found: None,
            kind: ViolationKind::Rule,
        };
        Self { violations: vec![violation] }
    }
}

/// Checks everything that can be known without running it. The schema's rules are checked as well: an object may have been
/// stored before the schema had them.
pub fn validate(
    object: &BatchPipeline,
    kafka: ResolvedKafka,
    settings: &Settings,
) -> Result<Pipeline, Invalid> {
    accept(object)?;
    let resolved = with_names(object, &kafka);
    if object.spec.kafka.strimzi.is_some() {
        // What Strimzi says goes to the pods, which apply the same rules.
        accept(&resolved)?;
    }
    let missing = |field| {
        Invalid::rule(field, "is missing; only objects of the API server can be carried out")
    };
    let (name, namespace) = (object.name().to_owned(), object.metadata.namespace.clone());
    let pipeline = Pipeline {
        name,
        namespace: namespace.ok_or_else(|| missing("metadata.namespace"))?,
        uid: object.metadata.uid.clone().ok_or_else(|| missing("metadata.uid"))?,
        owner: object.controller_owner_ref(&()).ok_or_else(|| missing("metadata.uid"))?,
        kafka,
        strimzi_cluster: object.spec.kafka.strimzi.as_ref().map(|strimzi| strimzi.cluster.clone()),
        image: image(object, settings)?,
        topic: object.topic_name().to_owned(),
        dead_letter_topic: object.dead_letter_topic(),
        spec: resolved.spec,
    };
    fits(&pipeline)?;
    Ok(pipeline)
}

fn fits(pipeline: &Pipeline) -> Result<(), Invalid> {
    let roles = Role::ALL.into_iter().filter(|role| pipeline.has(*role));
    let longest = roles.map(|role| configuration(pipeline, role).len()).max().unwrap_or_default();
    if longest <= MOST_TEXT_BYTES {
        return Ok(());
    }
    let message = format!(
        "has {longest} bytes as the pods are told it, at most {MOST_TEXT_BYTES} fit; shorten kafka.options or \
         topic.config"
    );
    Err(Invalid::rule("spec", &message))
}

/// Checks what can be known of a spec without knowing its Kafka.
pub fn accept(object: &BatchPipeline) -> Result<(), Invalid> {
    let mut violations = check(object);
    if violations.is_empty() {
        violations = in_cluster(object);
    }
    if violations.is_empty() { Ok(()) } else { Err(Invalid { violations }) }
}

/// The object with all names that follow from others written out, and with a plain address in the place of Strimzi.
fn with_names(object: &BatchPipeline, kafka: &ResolvedKafka) -> BatchPipeline {
    let mut resolved = object.clone();
    resolved.status = None;
    let spec = &mut resolved.spec;
    spec.kafka.strimzi = None;
    spec.kafka.bootstrap_servers = Some(kafka.bootstrap_servers.clone());
    spec.kafka.tls.clone_from(&kafka.tls);
    spec.kafka.sasl.clone_from(&kafka.sasl);
    spec.topic.name = Some(object.topic_name().to_owned());
    if let Some(consumer) = &mut spec.consumer {
        consumer.group = Some(object.group().to_owned());
        consumer.dead_letter.topic = Some(object.dead_letter_topic());
    }
    if let Some(source) = spec.producer.as_mut().and_then(|it| it.source.kafka.as_mut()) {
        source.group = object.source_group();
    }
    resolved
}

fn image(object: &BatchPipeline, settings: &Settings) -> Result<String, Invalid> {
    let image = [&object.spec.image, &settings.workload_image];
    image.into_iter().find(|image| !image.is_empty()).cloned().ok_or_else(|| {
        let message = "is required: the operator was started without --workload-image";
        Invalid::rule("spec.image", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::fixture::{KAFKA_ONLY, object, resolved, settings};

    fn with(spec: &str) -> Result<Pipeline, Invalid> {
        let object = object(&format!("{KAFKA_ONLY}{spec}"));
        validate(&object, resolved(&object), &settings())
    }

    fn violation(spec: &str) -> String {
        with(spec).unwrap_err().violations[0].to_string()
    }

    const BOTH: &str =
        "  producer: {source: {generator: {}}}\n  consumer: {sink: {blackhole: {}}}\n";

    #[test]
    fn names_that_follow_from_others_are_written_out() {
        let pipeline = with(BOTH).unwrap();
        let consumer = pipeline.spec.consumer.unwrap();
        assert_eq!(pipeline.spec.topic.name.as_deref(), Some("demo"));
        assert_eq!(consumer.group.as_deref(), Some("demo"));
        assert_eq!(consumer.dead_letter.topic.as_deref(), Some("demo.dlq"));
    }

    #[test]
    fn the_group_of_a_kafka_source_is_written_out() {
        let pipeline = with("  producer: {source: {kafka: {topic: raw}}}\n").unwrap();
        let source = pipeline.spec.producer.unwrap().source.kafka.unwrap();
        assert_eq!(source.group.as_deref(), Some("demo.source"));
    }

    #[test]
    fn the_owner_is_the_controller() {
        let owner = with(BOTH).unwrap().owner;
        assert_eq!((owner.kind.as_str(), owner.controller), ("BatchPipeline", Some(true)));
        assert_eq!(owner.uid, "11111111-2222-3333-4444-555555555555");
    }

    #[test]
    fn the_pipelines_image_comes_before_the_operators() {
        assert_eq!(with(BOTH).unwrap().image, settings().workload_image);
        assert_eq!(with(&format!("  image: mine:1\n{BOTH}")).unwrap().image, "mine:1");
    }

    #[test]
    fn without_any_image_nothing_can_run() {
        let object = object(&format!("{KAFKA_ONLY}{BOTH}"));
        let settings = Settings { workload_image: String::new(), ..settings() };
        let invalid = validate(&object, resolved(&object), &settings).unwrap_err();
        assert_eq!(invalid.violations[0].path, "spec.image");
    }

    #[test]
    fn what_a_pod_cannot_do_is_refused() {
        assert!(violation("  producer: {source: {stdin: {}}}\n").contains("source.stdin"));
    }

    #[test]
    fn what_an_older_schema_let_in_is_refused() {
        let mut object = object(&format!("{KAFKA_ONLY}{BOTH}"));
        object.spec.batch.max_records = 0;
        let invalid = validate(&object, resolved(&object), &settings()).unwrap_err();
        assert_eq!(invalid.violations[0].path, "spec.batch.maxRecords");
    }

    #[test]
    fn an_address_that_the_pods_would_refuse_is_refused_here() {
        let mut object = object(&format!("{KAFKA_ONLY}{BOTH}"));
        object.spec.kafka = serde_json::from_str(r#"{"strimzi": {"cluster": "lab"}}"#).unwrap();
        let kafka = ResolvedKafka { bootstrap_servers: "nowhere".to_owned(), ..resolved(&object) };
        let invalid = validate(&object, kafka, &settings()).unwrap_err();
        assert_eq!(invalid.violations[0].path, "spec.kafka.bootstrapServers");
    }

    #[test]
    fn what_does_not_fit_into_a_variable_is_refused() {
        let mut object = object(&format!("{KAFKA_ONLY}{BOTH}"));
        let setting = |number: u8| {
            let letter = |digit: u8| char::from(b'a' + digit);
            (format!("x.{}{}", letter(number / 8), letter(number % 8)), "\"".repeat(1024))
        };
        object.spec.topic.config = (0..64).map(setting).collect();
        let invalid = validate(&object, resolved(&object), &settings()).unwrap_err();
        let message = invalid.violations[0].to_string();
        assert!(message.starts_with("spec: has 13"), "{message}");
    }

    #[test]
    fn the_clusters_name_is_kept_beside_the_address_that_replaces_it() {
        let mut object = object(&format!("{KAFKA_ONLY}{BOTH}"));
        object.spec.kafka = serde_json::from_str(r#"{"strimzi": {"cluster": "lab"}}"#).unwrap();
        let kafka = ResolvedKafka { bootstrap_servers: "lab:9093".to_owned(), ..resolved(&object) };
        let pipeline = validate(&object, kafka, &settings()).unwrap();
        assert_eq!(pipeline.strimzi_cluster.as_deref(), Some("lab"));
        assert_eq!(pipeline.spec.kafka.bootstrap_servers.as_deref(), Some("lab:9093"));
        assert_eq!(pipeline.spec.kafka.strimzi, None);
    }
}
