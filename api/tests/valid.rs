//! What is right is accepted, gets its defaults, and comes out as it went in.

use std::{fs, path::Path, time::Duration};

use batchpipe_api::{
    codec::Codec,
    pipeline::{BatchPipeline, DesiredState},
    spec::{
        compression::Transport,
        producer::Validate,
        sink::{Delivery, HttpFormat, SinkKind},
        source::{Profile, SourceKind},
        topic::Provision,
    },
    validate::{check, check_text, in_cluster, locally},
};

fn read(spec: &str) -> BatchPipeline {
    let text = format!(
        "{{apiVersion: batchpipe.dev/v1alpha1, kind: BatchPipeline, metadata: {{name: a}}, spec: {spec}}}"
    );
    check_text(&text).unwrap_or_else(|violations| panic!("{spec}: {violations:#?}"))
}

const MINIMAL: &str = "{kafka: {bootstrapServers: 'kafka:9093'}, producer: {source: {generator: {}}}, consumer: {sink: {stdout: {}}}}";

#[test]
fn a_minimal_manifest_gets_every_default() {
    let pipeline = read(MINIMAL);
    let spec = &pipeline.spec;
    assert_eq!((spec.state, spec.image.as_str()), (DesiredState::Running, ""));
    assert_eq!((spec.topic.partitions, spec.topic.replication_factor), (6, 1));
    assert_eq!(spec.topic.provision, Provision::Auto);
    assert_eq!(spec.batch.max_records, 500);
    assert_eq!(spec.batch.max_bytes.as_usize(), 900 * 1024);
    assert_eq!(spec.batch.linger.as_duration(), Duration::from_millis(100));
    assert_eq!(
        (spec.compression.codec, spec.compression.transport),
        (Codec::Zstd, Transport::None)
    );
    assert_eq!(spec.compression.effective_level(), Some(1));
    let producer = spec.producer.as_ref().unwrap();
    assert_eq!((producer.replicas, producer.validate), (1, Validate::Json));
    let Some(SourceKind::Generator(generator)) = producer.source.kind() else {
        panic!("not a generator")
    };
    assert_eq!(
        (generator.profile, generator.records_per_second, generator.limit),
        (Profile::Telemetry, 1000, 0)
    );
    let consumer = spec.consumer.as_ref().unwrap();
    assert_eq!(consumer.replicas, 1);
    assert_eq!(consumer.sink.kind(), Some(SinkKind::Stdout));
    assert_eq!(consumer.limits.max_batch_bytes.as_usize(), 16 * 1024 * 1024);
    assert_eq!(consumer.limits.max_batch_records, 100_000);
}

#[test]
fn names_follow_from_the_pipelines_name() {
    let pipeline = read(MINIMAL);
    assert_eq!((pipeline.topic_name(), pipeline.group()), ("a", "a"));
    assert_eq!(pipeline.dead_letter_topic(), "a.dlq");
    assert_eq!(pipeline.source_group(), None);
}

#[test]
fn names_that_are_set_are_used() {
    let pipeline = read(
        "{kafka: {bootstrapServers: 'k:1'}, topic: {name: t}, producer: {source: {kafka: {topic: raw}}}, \
         consumer: {group: g, sink: {stdout: {}}, deadLetter: {topic: d}}}",
    );
    assert_eq!((pipeline.topic_name(), pipeline.group()), ("t", "g"));
    assert_eq!(pipeline.dead_letter_topic(), "d");
    assert_eq!(pipeline.source_group().as_deref(), Some("a.source"));
}

#[test]
fn null_is_the_same_as_absent() {
    let spec = "{kafka: {bootstrapServers: 'k:1', strimzi: null}, batch: null, producer: {source: {generator: {}, stdin: null}}}";
    assert_eq!(read(spec).spec.batch.max_records, 500);
}

#[test]
fn every_field_of_the_design_is_accepted() {
    let pipeline = read(
        "{state: Drained, image: 'registry.example:5000/batchpipe@sha256:0a', \
         kafka: {bootstrapServers: 'a:1,[::1]:9093', tls: {ca: {secret: my-ca}, certificate: {secret: me, certificateKey: user.crt, privateKeyKey: user.key}}, \
           sasl: {mechanism: SCRAM-SHA-512, username: me, password: {secret: me, key: password}}, options: {socket.keepalive.enable: 'true'}}, \
         topic: {name: t, partitions: 3, replicationFactor: 3, config: {retention.ms: '1', min.insync.replicas: '2'}, provision: Never}, \
         batch: {maxRecords: 1, maxBytes: 1Mi, linger: 1m30s}, compression: {codec: gzip, level: 9, transport: snappy}, \
         producer: {replicas: 0, source: {http: {port: 9000, tls: {secret: my-cert}, bearerToken: {secret: s, key: k}}}, key: /device/id, validate: None, \
           pod: {resources: {requests: {cpu: 1, memory: 64Mi}, limits: {memory: 128Mi}}, nodeSelector: {a: b}, tolerations: [{key: a, operator: Exists}], \
             affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: z, labelSelector: {matchLabels: {a: b}}}}]}}, \
             topologySpreadConstraints: [{maxSkew: 1, topologyKey: z, whenUnsatisfiable: ScheduleAnyway}], labels: {team: a}, annotations: {b.example/c: d}, \
             imagePullSecrets: [{name: r}], priorityClassName: high}}, \
         consumer: {replicas: 2, group: g, sink: {http: {url: 'https://example.com:8443/a?b=c', format: ElasticBulk, basic: {username: u, password: {secret: s, key: k}}, \
             tls: {ca: {secret: c, key: ca.crt}}, maxAttempts: 5}}, deadLetter: {topic: d, provision: Never}, limits: {maxBatchBytes: 32Mi, maxBatchRecords: 5}, \
           scaling: {minReplicas: 1, maxReplicas: 6, targetLag: 30s}}}",
    );
    let producer = pipeline.spec.producer.as_ref().unwrap();
    assert_eq!(producer.pod.topology_spread_constraints.len(), 1);
    let Some(SinkKind::Http(http)) = pipeline.spec.consumer.as_ref().unwrap().sink.kind() else {
        panic!("not http")
    };
    assert_eq!((http.format, http.max_attempts), (HttpFormat::ElasticBulk, 5));
    assert!(check(&pipeline).is_empty());
}

#[test]
fn the_other_kinds_are_accepted() {
    for (source, sink) in [
        ("stdin: {}", "blackhole: {}"),
        (
            "file: {path: in.ndjson}",
            "file: {path: /data/out, roll: {maxBytes: 1Mi, interval: 1s}, volumeClaim: c}",
        ),
        (
            "kafka: {topic: raw, group: r, bootstrapServers: 'b:1', tls: {}}",
            "kafka: {topic: o, key: /a, delivery: ExactlyOnce}",
        ),
    ] {
        read(&format!(
            "{{kafka: {{strimzi: {{cluster: c}}}}, producer: {{source: {{{source}}}}}, consumer: {{sink: {{{sink}}}}}}}"
        ));
    }
    let kafka = read("{kafka: {bootstrapServers: 'k:1'}, consumer: {sink: {kafka: {topic: o}}}}");
    let Some(SinkKind::Kafka(sink)) = kafka.spec.consumer.as_ref().unwrap().sink.kind() else {
        panic!("not kafka")
    };
    assert_eq!(sink.delivery, Delivery::AtLeastOnce);
}

#[test]
fn what_was_read_is_written_and_read_the_same() {
    let pipeline = read(MINIMAL);
    let json = serde_json::to_string(&pipeline).unwrap();
    assert_eq!(check_text(&json).unwrap(), pipeline);
    let yaml = serde_saphyr::to_string(&pipeline).unwrap();
    assert_eq!(check_text(&yaml).unwrap(), pipeline);
}

#[test]
fn what_an_object_from_the_api_server_carries_besides_is_accepted() {
    let text = "{apiVersion: batchpipe.dev/v1alpha1, kind: BatchPipeline, metadata: {name: a, namespace: b, uid: c, generation: 1, labels: {d: e}, \
                managedFields: [{manager: x}]}, spec: {kafka: {bootstrapServers: 'k:1'}, consumer: {sink: {stdout: {}}}}, \
                status: {phase: Running, conditions: [], data: {ratio: 6.8x}}}";
    assert!(check_text(text).unwrap().status.is_some());
}

#[test]
fn every_example_is_accepted_and_runs_in_a_cluster_and_without() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut seen = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        if !text.contains("kind: BatchPipeline") {
            continue;
        }
        let pipeline = check_text(&text)
            .unwrap_or_else(|violations| panic!("{}: {violations:#?}", file.display()));
        assert!(in_cluster(&pipeline).is_empty(), "{}", file.display());
        assert!(
            locally(&pipeline).is_empty() || pipeline.spec.kafka.strimzi.is_some(),
            "{}",
            file.display()
        );
        seen.push(pipeline.name().to_owned());
    }
    seen.sort_unstable();
    for name in [
        "http-sink",
        "http-source",
        "kafka-sink",
        "kafka-source",
        "logs",
        "seed",
        "strimzi",
        "telemetry",
        "ticks",
        "vitals",
    ] {
        assert!(seen.iter().any(|it| it == name), "no example {name} in {seen:?}");
    }
}

#[test]
fn the_seed_example_is_the_origin() {
    let pipeline = check_text(include_str!("../../examples/seed.yaml")).unwrap();
    let spec = &pipeline.spec;
    assert_eq!(spec.kafka.bootstrap_servers.as_deref(), Some("kafka:9093"));
    assert_eq!((pipeline.topic_name(), pipeline.group()), ("demo-topic", "demo-group"));
    assert_eq!((spec.batch.max_records, spec.batch.linger.as_millis()), (100, 100));
    assert_eq!((spec.compression.codec, spec.compression.transport), (Codec::Zlib, Transport::Lz4));
    let Some(SourceKind::Generator(generator)) = spec.producer.as_ref().unwrap().source.kind()
    else {
        panic!("not a generator")
    };
    assert_eq!(generator.profile, Profile::Seed);
    assert_eq!(spec.consumer.as_ref().unwrap().sink.kind(), Some(SinkKind::Stdout));
}

/// The fields that a cluster refuses in a spec.
fn refused_in_cluster(spec: &str) -> Vec<String> {
    in_cluster(&read(spec)).into_iter().map(|it| it.path).collect()
}

#[test]
fn a_cluster_refuses_what_only_a_machine_has() {
    let kafka = "kafka: {bootstrapServers: 'k:1'}";
    let source = |source: &str| {
        refused_in_cluster(&format!("{{{kafka}, producer: {{source: {{{source}}}}}}}"))
    };
    assert_eq!(source("stdin: {}"), ["spec.producer.source.stdin"]);
    assert_eq!(source("file: {path: /data/in}"), ["spec.producer.source.file.volumeClaim"]);
    for path in ["in", "data/in", "/in", "/etc/batchpipe/in", "/data/../etc/in", "/dev/stdin"] {
        assert_eq!(
            source(&format!("file: {{path: {path}, volumeClaim: c}}")),
            ["spec.producer.source.file.path"],
            "{path}"
        );
    }
    assert_eq!(
        source("file: {path: /data/in, volumeClaim: c, checkpointPath: /tmp/in}"),
        ["spec.producer.source.file.checkpointPath"]
    );
    assert!(source("file: {path: /data/in, volumeClaim: c, checkpointPath: /data/.in}").is_empty());
    let sink =
        |sink: &str| refused_in_cluster(&format!("{{{kafka}, consumer: {{sink: {{{sink}}}}}}}"));
    assert_eq!(sink("file: {path: /data}"), ["spec.consumer.sink.file.volumeClaim"]);
    assert_eq!(sink("file: {path: /, volumeClaim: c}"), ["spec.consumer.sink.file.path"]);
    assert!(sink("file: {path: /data, volumeClaim: c}").is_empty());
}

#[test]
fn a_machine_refuses_what_only_a_cluster_has() {
    let pipeline = read("{kafka: {strimzi: {cluster: c}}, consumer: {sink: {stdout: {}}}}");
    assert_eq!(locally(&pipeline)[0].path, "spec.kafka.strimzi");
    assert!(locally(&read(MINIMAL)).is_empty());
}
