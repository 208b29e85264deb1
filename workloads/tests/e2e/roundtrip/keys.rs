//! Records with a key: the partition that Kafka's own Java client takes for it, and order within it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs::{self, File},
    path::Path,
};

use crate::kit::{
    broker,
    command::{Running, batchpipe, run},
    pipeline::{Pipeline, delivered},
    topic,
};

const PARTITIONS: u32 = 6;

/// Keys as they stand in records, and what the Java client is given as the same key.
const KEYS: [(&str, &str); 14] = [
    (r#""21""#, "21"),
    ("21", "21"),
    (r#""device-0001""#, "device-0001"),
    (r#""device-0002""#, "device-0002"),
    (r#""a-little-bit-longer-string""#, "a-little-bit-longer-string"),
    (r#""a""#, "a"),
    (r#""ab""#, "ab"),
    (r#""abc""#, "abc"),
    (r#""\u0061bc""#, "abc"),
    ("1.50", "1.50"),
    ("-1e+3", "-1e+3"),
    ("true", "true"),
    ("\"gr\u{fc}\u{df}e \u{1f980}\"", "gr\u{fc}\u{df}e \u{1f980}"),
    (r#""s\/\\\"""#, r#"s/\""#),
];

/// The partition that the Java client puts each key into.
fn partitions_of_java(folder: &Path) -> BTreeMap<String, u32> {
    broker().create_topic("keyed-by-java", PARTITIONS, &[]).unwrap();
    let unique: BTreeSet<_> = KEYS.iter().map(|(_, key)| *key).collect();
    let input = folder.join("java.tsv");
    let lines = unique.iter().fold(String::new(), |lines, key| lines + key + "\t-\n");
    fs::write(&input, lines).unwrap();
    let mut command = broker().tool_command("org.apache.kafka.tools.ConsoleProducer");
    command.args(["--bootstrap-server", &broker().bootstrap_servers(), "--topic", "keyed-by-java"]);
    command.args(["--reader-property", "parse.key=true"]).env("LC_ALL", "C.UTF-8");
    command.stdin(File::open(input).unwrap());
    Running::start(command).wait().success();
    let messages = topic::read("keyed-by-java");
    let found: BTreeMap<_, _> = messages
        .into_iter()
        .map(|message| (String::from_utf8(message.key.unwrap()).unwrap(), message.partition))
        .collect();
    assert_eq!(found.len(), unique.len());
    found.into_iter().map(|(key, partition)| (key, partition.unsigned_abs())).collect()
}

#[test]
fn a_key_decides_the_partition_as_in_the_java_client_and_keeps_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for number in 0..200_000_usize {
        // Neighbours differ in their keys, and each key comes at uneven distances.
        let (key, _) = KEYS[((number * 2_654_435_761) >> 16) % KEYS.len()];
        writeln!(text, r#"{{"n":{number},"device":{{"id":{key}}}}}"#).unwrap();
    }
    fs::write(folder.path().join("in.ndjson"), &text).unwrap();
    let mut pipeline = Pipeline::new("keyed")
        .of_file(&folder.path().join("in.ndjson"))
        .into_folder(&folder.path().join("out"));
    pipeline.key = Some("/device/id");
    pipeline.partitions = PARTITIONS;
    let path = pipeline.write(folder.path());
    let path = path.to_str().unwrap();
    run(batchpipe(&["produce", "-f", path]));
    run(batchpipe(&["consume", "--until-caught-up", "-f", path]));

    let java = partitions_of_java(folder.path());
    let found = delivered(&folder.path().join("out"), "keyed", PARTITIONS);
    assert_eq!(found.concat().len(), text.len());
    for (key, same) in KEYS {
        let end = format!(r#""device":{{"id":{key}}}}}"#);
        let of_key = |text: &str| -> Vec<String> {
            text.lines().filter(|line| line.ends_with(&end)).map(str::to_owned).collect()
        };
        let part = &found[java[same] as usize];
        let expected = of_key(&text);
        assert!(expected.len() > 1_000, "{key}");
        let is_same = of_key(std::str::from_utf8(part).unwrap()) == expected;
        assert!(is_same, "{key} is not whole and in order in partition {}", java[same]);
    }
}
