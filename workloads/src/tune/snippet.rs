//! The recommendation as the part of a pipeline that it is. Pure.

use batchpipe_api::units::ByteSize;
use serde_json::{Value, json};

use super::Tuning;

/// What a pipeline has to say, as YAML.
pub fn yaml(tuning: &Tuning) -> String {
    let candidate = &tuning.best().candidate;
    let mut lines = vec![
        "spec:".to_owned(),
        "  batch:".to_owned(),
        format!("    maxRecords: {}", candidate.max_records),
        format!("    maxBytes: {}", max_bytes(tuning)),
    ];
    lines.extend(tuning.choice.linger.map(|linger| format!("    linger: {linger}")));
    lines.push("  compression:".to_owned());
    lines.push(format!("    codec: {}", candidate.codec));
    lines.extend(candidate.level.map(|level| format!("    level: {level}")));
    lines.join("\n") + "\n"
}

/// The same as JSON.
pub fn json(tuning: &Tuning) -> Value {
    let candidate = &tuning.best().candidate;
    let mut batch = json!({"maxRecords": candidate.max_records, "maxBytes": max_bytes(tuning)});
    if let Some(linger) = tuning.choice.linger {
        batch["linger"] = json!(linger);
    }
    let mut compression = json!({"codec": candidate.codec});
    if let Some(level) = candidate.level {
        compression["level"] = json!(level);
    }
    json!({"batch": batch, "compression": compression})
}

const fn max_bytes(tuning: &Tuning) -> ByteSize {
    tuning.options.max_bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::tests::{example, example_at};

    const HEAD: &str =
        "apiVersion: batchpipe.dev/v1alpha1\nkind: BatchPipeline\nmetadata: {name: tuned}\n";
    const REST: &str = "  kafka: {bootstrapServers: 'h:9092'}\n  producer: {source: {stdin: {}}}\n";

    #[test]
    fn a_pipeline_takes_it_as_it_is() {
        for tuning in [example(), example_at(100), example_at(1)] {
            let text = format!("{HEAD}{}{REST}", yaml(&tuning));
            let pipeline = batchpipe_api::validate::check_text(&text).unwrap();
            let candidate = tuning.best().candidate;
            assert_eq!(pipeline.spec.compression.codec, candidate.codec);
            assert_eq!(pipeline.spec.compression.level, candidate.level);
            assert_eq!(
                i64::from(pipeline.spec.batch.max_records),
                i64::from(candidate.max_records)
            );
            let linger = tuning.choice.linger;
            assert!(linger.is_none_or(|linger| linger == pipeline.spec.batch.linger));
        }
    }

    #[test]
    fn both_forms_say_the_same() {
        assert_eq!(
            yaml(&example()),
            "spec:\n  batch:\n    maxRecords: 500\n    maxBytes: 900Ki\n  compression:\n    codec: zstd\n    level: 1\n"
        );
        assert_eq!(
            json(&example_at(2_000)),
            json!({"batch": {"maxRecords": 500, "maxBytes": "900Ki", "linger": "250ms"},
                "compression": {"codec": "zstd", "level": 1}})
        );
    }
}
