//! What only one pipeline can have: read twice or written twice, records would be torn apart or doubled. Pure.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use batchpipe_api::{
    pipeline::BatchPipeline,
    report::Role,
    spec::{sink::FileSink, source::FileSource},
};
use serde::{Deserialize, Serialize};

use crate::resolve::cluster;

/// One thing that one pipeline can have.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Claim {
    /// The partitions of a topic are divided among the members of a group: each pipeline would get some.
    Group { cluster: String, topic: String, group: String },
    /// The folder of a file sink is the whole volume, wherever it is mounted.
    Folder { volume_claim: String },
    /// A checkpoint says how far one source has come.
    Checkpoint { volume_claim: String, file: String },
}

impl Claim {
    /// What to do instead of deleting a pipeline.
    pub(super) const fn remedy(&self) -> &'static str {
        match self {
            Self::Group { .. } => "choose another group",
            Self::Folder { .. } => "name another volumeClaim",
            Self::Checkpoint { .. } => "set another checkpointPath",
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group { cluster, topic, group } => {
                write!(f, "consumer group {group} on topic {topic} of Kafka cluster {cluster}")
            }
            Self::Folder { volume_claim } => {
                write!(f, "the file sink in volume claim {volume_claim}")
            }
            Self::Checkpoint { volume_claim, file } => {
                write!(f, "the file source's checkpoint {file} in volume claim {volume_claim}")
            }
        }
    }
}

/// Everything that a pipeline wants for itself. An invalid one may want less.
pub(super) fn claims(object: &BatchPipeline) -> Vec<Claim> {
    let both = Role::ALL.map(|role| claims_of(object, role));
    both.into_iter().flatten().collect()
}

/// What one of its sides wants for itself.
pub(super) fn claims_of(object: &BatchPipeline, role: Role) -> Vec<Claim> {
    let claims = match role {
        Role::Producer => {
            let source = object.spec.producer.as_ref().map(|producer| &producer.source);
            let file = source.and_then(|source| source.file.as_ref());
            [reread(object), file.map(checkpoint)]
        }
        Role::Consumer => {
            let sink =
                object.spec.consumer.as_ref().and_then(|consumer| consumer.sink.file.as_ref());
            [consumed(object), sink.map(folder)]
        }
    };
    claims.into_iter().flatten().collect()
}

fn consumed(object: &BatchPipeline) -> Option<Claim> {
    object.spec.consumer.as_ref()?;
    Some(Claim::Group {
        cluster: cluster::of(&object.spec.kafka),
        topic: object.topic_name().to_owned(),
        group: object.group().to_owned(),
    })
}

fn reread(object: &BatchPipeline) -> Option<Claim> {
    let source = object.spec.producer.as_ref()?.source.kafka.as_ref()?;
    let cluster = source.bootstrap_servers.as_deref().map(cluster::of_addresses);
    Some(Claim::Group {
        cluster: cluster.unwrap_or_else(|| cluster::of(&object.spec.kafka)),
        topic: source.topic.clone(),
        group: object.source_group()?,
    })
}

fn folder(sink: &FileSink) -> Claim {
    Claim::Folder { volume_claim: sink.volume_claim.clone() }
}

/// The volume is mounted at the folder of the file, so that a checkpoint's place in the volume is its place below
/// that folder.
fn checkpoint(source: &FileSource) -> Claim {
    let path = match source.checkpoint_path.as_str() {
        "" => format!("{}.batchpipe-checkpoint", source.path),
        path => path.to_owned(),
    };
    let mount = Path::new(&source.path).parent().unwrap_or_else(|| Path::new("/"));
    let file = Path::new(&path).strip_prefix(mount).unwrap_or_else(|_| Path::new(&path));
    Claim::Checkpoint {
        volume_claim: source.volume_claim.clone(),
        // However it is spelled.
        file: file.components().collect::<PathBuf>().display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::fixture;

    fn claimed(spec: &str) -> Vec<Claim> {
        claims(&fixture::object(&format!("{}{spec}", fixture::KAFKA_ONLY)))
    }

    fn file_source(path: &str, checkpoint: &str) -> Vec<Claim> {
        claimed(&format!(
            "  producer: {{source: {{file: {{path: {path}, checkpointPath: {checkpoint:?}, volumeClaim: v}}}}}}\n"
        ))
    }

    #[test]
    fn a_kafka_source_and_a_consumer_can_want_the_same_group() {
        let source = claimed("  producer: {source: {kafka: {topic: t, group: g}}}\n");
        let consumer = claimed("  topic: {name: t}\n  consumer: {group: g, sink: {stdout: {}}}\n");
        assert_eq!(source, consumer);
    }

    #[test]
    fn a_kafka_source_may_be_in_another_cluster() {
        let source = claimed(
            "  producer: {source: {kafka: {topic: t, group: g, bootstrapServers: \"b:1,a:1\"}}}\n",
        );
        let Claim::Group { cluster, .. } = &source[0] else { panic!("{source:?}") };
        assert_eq!(cluster, "a:1,b:1");
    }

    #[test]
    fn names_that_are_left_out_count_with_their_defaults() {
        let consumer = claimed("  consumer: {sink: {stdout: {}}}\n");
        let Claim::Group { topic, group, .. } = &consumer[0] else { panic!("{consumer:?}") };
        assert_eq!((topic.as_str(), group.as_str()), ("demo", "demo"));
    }

    #[test]
    fn a_file_sink_has_its_volume_wherever_it_is_mounted() {
        let sink = |path| {
            claimed(&format!("  consumer: {{sink: {{file: {{path: {path}, volumeClaim: v}}}}}}\n"))
        };
        assert_eq!(sink("/data/a")[1], sink("/data/b")[1]);
    }

    #[test]
    fn a_checkpoint_is_the_same_wherever_its_volume_is_mounted() {
        assert_eq!(file_source("/a/in.ndjson", ""), file_source("/b/in.ndjson", ""));
    }

    #[test]
    fn a_checkpoint_is_the_same_however_it_is_spelled() {
        for path in ["/a/sub//mine", "/a/./sub/mine", "/a/sub/mine/"] {
            assert_eq!(file_source("/a/in", path), file_source("/a/in", "/a/sub/mine"), "{path}");
        }
    }

    #[test]
    fn two_sources_may_read_a_file_with_checkpoints_of_their_own() {
        assert_ne!(file_source("/a/in.ndjson", ""), file_source("/a/in.ndjson", "/a/mine"));
    }

    #[test]
    fn a_generator_wants_nothing() {
        assert_eq!(claimed("  producer: {source: {generator: {}}}\n"), []);
    }
}
