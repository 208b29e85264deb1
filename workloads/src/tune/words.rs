//! What the table and the HTML report say in the same words. Pure.

use super::{
    Candidate, Tuning,
    choose::fill_time,
    numbers::{counted, grouped, short, size},
    plain::Plain,
    sample::Bad,
};

/// With fewer messages than this, one more or less of them shows.
const FEW_MESSAGES: u64 = 20;

/// Codec and level, as in a heading.
pub(super) fn setting(candidate: &Candidate) -> String {
    let level = candidate.level.map(|level| format!(" {level}"));
    format!("{}{}", candidate.codec, level.unwrap_or_default())
}

/// What was measured.
pub(super) fn sample(tuning: &Tuning) -> String {
    let facts = &tuning.facts;
    let part = if facts.is_whole { "" } else { "the start of " };
    format!(
        "{part}{}: {}, {} bytes each on average, {} in all",
        tuning.name,
        counted(facts.records, "record"),
        short(tuning.record_bytes()),
        size(facts.record_bytes),
    )
}

/// What one should know of the sample.
pub(super) fn notes(tuning: &Tuning) -> Vec<String> {
    let (facts, max_bytes) = (&tuning.facts, tuning.options.max_bytes);
    let mut notes = Vec::new();
    if !facts.is_whole {
        notes.push(format!(
            "only the first {} were read; --sample and --records set how much that is",
            counted(facts.lines, "line")
        ));
    }
    notes.extend(bad(&facts.invalid, "not JSON"));
    notes.extend(bad(&facts.too_long, &format!("longer than batch.maxBytes ({max_bytes})")));
    if !tuning.left_out.is_empty() {
        let sizes: Vec<_> = tuning.left_out.iter().map(|size| grouped((*size).into())).collect();
        notes.push(format!(
            "batches of {} records were left out: with {} and {max_bytes} in a batch at most they would be no \
             different from smaller ones",
            sizes.join(", "),
            counted(facts.records, "record"),
        ));
    }
    let messages = tuning.best().messages;
    if messages < FEW_MESSAGES {
        notes.push(format!(
            "the sample makes only {} of the recommended size; more records would give surer figures",
            counted(messages, "message")
        ));
    }
    notes
}

fn bad(bad: &Bad, what: &str) -> Option<String> {
    let numbers: Vec<_> = bad.lines.iter().map(u64::to_string).collect();
    let more = if bad.count > bad.lines.len() as u64 { ", ..." } else { "" };
    let (verb, noun, them) =
        if bad.count == 1 { ("is", "line", "it was") } else { ("are", "lines", "they were") };
    (bad.count > 0).then(|| {
        format!(
            "{} {verb} {what} ({noun} {}{more}): {them} left out here, and a pipeline puts such lines into its \
             dead-letter topic",
            counted(bad.count, "line"),
            numbers.join(", "),
        )
    })
}

/// What is recommended, with the reason.
pub(super) fn why(tuning: &Tuning) -> String {
    let best = tuning.best();
    let among = match &tuning.options.demand {
        Some(demand) if tuning.choice.is_too_slow => format!(
            "At {} a second no batch fills within {}, so the smallest is taken with that linger; its messages will \
             hold fewer records than measured, and a longer --max-linger allows more. Of these",
            counted(demand.rate, "record"),
            demand.max_linger,
        ),
        Some(demand) => format!(
            "Of the combinations whose batches fill within {} at {} a second",
            demand.max_linger,
            counted(demand.rate, "record"),
        ),
        None => format!("Of {}", counted(tuning.measured.len() as u64, "combination")),
    };
    format!(
        "{} with at most {} in a batch: {} bytes on the topic for each record ({} % saved) and {} CPU seconds for a \
         million. {among} none has a product of bytes and CPU seconds that is lower by more than 5 %, and none with \
         smaller batches comes so near.",
        setting(&best.candidate),
        counted(best.candidate.max_records.into(), "record"),
        short(best.topic_bytes),
        short(tuning.saved_percent(best.topic_bytes)),
        short(tuning.cpu(best)),
    )
}

/// What a larger batch costs.
pub(super) fn waiting(tuning: &Tuning) -> String {
    let records = tuning.best().records_per_message;
    let general =
        "a batch waits until it is full or batch.linger has passed, so a larger one costs latency";
    let Some(demand) = &tuning.options.demand else {
        return format!(
            "Waiting: {general}. At R records a second {} records take {} / R seconds; --rate R tells it for each \
             size, and recommends no batch that fills too slowly.",
            short(records),
            short(records),
        );
    };
    format!(
        "Waiting: {general}. At {} a second {} records take {}; a shorter linger makes smaller batches. A producer \
         without key has one open batch; with a key it has one for each partition, and each fills as many times slower.",
        counted(demand.rate, "record"),
        short(records),
        fill_time(tuning.best(), demand.rate),
    )
}

/// How a run of the recommendation can be compared with this.
pub(super) fn confirmation(tuning: &Tuning) -> String {
    let values = tuning.best().value_bytes;
    format!(
        "To confirm it, put this into a pipeline and produce these records: in the exit report rawBytes by wireBytes, \
         which count message values without headers and framing, should be about {}.",
        short(tuning.ratio(values)),
    )
}

/// What the columns mean.
pub(super) const COLUMNS: [&str; 4] = [
    "BYTES/RECORD: on the topic, with the message's headers and Kafka's framing as if each message had a record batch \
     of 61 bytes to itself, which is the most. SAVED and RATIO: against the records alone.",
    "COMPRESS, DECOMPRESS: CPU seconds of one thread for a million records, with checksums; the median of all rounds. \
     The Kafka client is not in it.",
    "MESSAGES: for a million records.",
    "front: no other combination has fewer bytes, less CPU and smaller batches at once.",
];

/// What the comparison means.
pub(super) const PLAIN: &str = "One Kafka message for each record, without batchpipe. \"zstd\": Kafka's own, level 3, \
     in record batches that its client fills when it waits long enough. What such a client needs of the CPU cannot be \
     measured without a broker; it is mostly work for each of its messages.";

/// A way without us.
pub(super) fn plain(plain: &Plain) -> String {
    let how = if plain.zstd { "zstd" } else { "uncompressed" };
    match plain.per_record_batch {
        1 if !plain.zstd => "one by one, uncompressed".to_owned(),
        joined => format!("{} at a time, {how}", grouped(joined.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::tests::{example, example_at};

    #[test]
    fn whatever_was_not_measured_is_said() {
        let mut tuning = example();
        assert_eq!(notes(&tuning), [""; 0]);
        tuning.facts.is_whole = false;
        tuning.facts.invalid = Bad { count: 12, lines: vec![3, 7] };
        tuning.facts.too_long = Bad { count: 1, lines: vec![9] };
        tuning.left_out = vec![5_000];
        let notes = notes(&tuning);
        assert_eq!(notes.len(), 4, "{notes:#?}");
        assert!(
            notes[0].contains("only the first 1,000,000 lines")
                && sample(&tuning).starts_with("the start of")
        );
        assert!(notes[1].starts_with("12 lines are not JSON (lines 3, 7, ...)"), "{notes:#?}");
        assert!(notes[1].contains("dead-letter topic"));
        assert!(notes[2].starts_with("1 line is longer than batch.maxBytes (900Ki) (line 9)"));
        assert!(notes[3].contains("batches of 5,000 records"));
    }

    #[test]
    fn few_messages_are_warned_of() {
        let mut tuning = example();
        let index = tuning.choice.index;
        tuning.measured[index].messages = 1;
        assert!(notes(&tuning)[0].contains("only 1 message "), "{:?}", notes(&tuning));
    }

    #[test]
    fn the_reason_names_figures_and_limits() {
        let why_all = why(&example());
        assert!(why_all.starts_with("zstd 1 with at most 500 records"), "{why_all}");
        assert!(why_all.contains("Of 4 combinations none"), "{why_all}");
        let why_rate = why(&example_at(2_000));
        assert!(why_rate.contains("within 1s at 2,000 records a second none"), "{why_rate}");
        let why_slow = why(&example_at(1));
        assert!(why_slow.contains("At 1 record a second no batch fills within 1s"), "{why_slow}");
    }

    #[test]
    fn waiting_is_told_in_seconds_when_the_rate_is_known() {
        assert!(waiting(&example()).contains("500 / R seconds"), "{}", waiting(&example()));
        let waiting = waiting(&example_at(2_000));
        assert!(waiting.contains("At 2,000 records a second 500 records take 250ms"), "{waiting}");
    }
}
