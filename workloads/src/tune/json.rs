//! A tuning as one JSON object. Pure. What is unknown is absent.

use serde_json::{Value, json};

use super::{
    Tuning, choose::fill_time, numbers::quotient, plain::Plain, sample::Bad, snippet, words,
};

/// The object that `--json` prints.
pub fn json(tuning: &Tuning) -> Value {
    let facts = &tuning.facts;
    let measured = (0..tuning.measured.len()).map(|index| measurement(tuning, index));
    let plain = tuning.plain.iter().map(|plain| comparison(tuning, plain));
    json!({
        "file": tuning.name,
        "whole": facts.is_whole,
        "lines": facts.lines,
        "records": facts.records,
        "rawBytes": facts.record_bytes,
        "invalid": bad(&facts.invalid),
        "tooLong": bad(&facts.too_long),
        "rounds": tuning.options.rounds,
        "handlingCpuSeconds": tuning.handling,
        "measurements": measured.collect::<Vec<_>>(),
        "withoutBatchpipe": plain.collect::<Vec<_>>(),
        "recommendation": recommendation(tuning),
        "notes": words::notes(tuning),
    })
}

fn bad(bad: &Bad) -> Value {
    json!({"count": bad.count, "firstLines": bad.lines})
}

fn measurement(tuning: &Tuning, index: usize) -> Value {
    let it = &tuning.measured[index];
    let mut value = json!({
        "codec": it.candidate.codec,
        "maxRecords": it.candidate.max_records,
        "recordsPerMessage": it.records_per_message,
        "messagesPerMillion": quotient(1_000_000, 1) / it.records_per_message,
        "valueBytesPerRecord": it.value_bytes,
        "bytesPerRecord": it.topic_bytes,
        "savedPercent": tuning.saved_percent(it.topic_bytes),
        "ratio": tuning.ratio(it.topic_bytes),
        "compressCpuSeconds": it.compress,
        "decompressCpuSeconds": it.decompress,
        "onFront": tuning.choice.front[index],
        "recommended": index == tuning.choice.index,
    });
    if let Some(level) = it.candidate.level {
        value["level"] = json!(level);
    }
    if let Some(demand) = &tuning.options.demand {
        value["fillMs"] = json!(fill_time(it, demand.rate).as_millis());
    }
    value
}

fn comparison(tuning: &Tuning, plain: &Plain) -> Value {
    json!({
        "messagesPerRecordBatch": plain.per_record_batch,
        "transport": if plain.zstd { "zstd" } else { "none" },
        "bytesPerRecord": plain.topic_bytes,
        "savedPercent": tuning.saved_percent(plain.topic_bytes),
        "ratio": tuning.ratio(plain.topic_bytes),
    })
}

fn recommendation(tuning: &Tuning) -> Value {
    let best = tuning.best();
    json!({
        "spec": snippet::json(tuning),
        "why": words::why(tuning),
        "bytesPerRecord": best.topic_bytes,
        "savedPercent": tuning.saved_percent(best.topic_bytes),
        "valueRatio": tuning.ratio(best.value_bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::tests::{example, example_at};

    #[test]
    fn one_measurement_is_recommended_and_its_spec_stands_beside_the_reason() {
        let value = json(&example());
        let all = value["measurements"].as_array().unwrap();
        let best: Vec<_> = all.iter().filter(|it| it["recommended"] == true).collect();
        assert_eq!(best.len(), 1);
        assert_eq!((&best[0]["codec"], &best[0]["maxRecords"]), (&json!("zstd"), &json!(500)));
        assert_eq!(best[0]["messagesPerMillion"], 2000.0);
        let recommendation = &value["recommendation"];
        assert_eq!(recommendation["spec"]["compression"]["codec"], "zstd");
        assert_eq!(recommendation["bytesPerRecord"], best[0]["bytesPerRecord"]);
        assert!(!recommendation["why"].as_str().unwrap().is_empty());
    }

    #[test]
    fn what_is_unknown_is_absent() {
        let value = json(&example());
        let lz4 = &value["measurements"][2];
        assert_eq!(lz4["codec"], "lz4");
        assert!(lz4.get("level").is_none() && lz4.get("fillMs").is_none());
        assert_eq!(json(&example_at(1_000))["measurements"][0]["fillMs"], 100);
    }
}
