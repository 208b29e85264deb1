//! Rows and columns as text: the columns of `kubectl get bp`, with the rate's way and the age of the lag.

use std::fmt::{self, Display, Formatter};

use batchpipe_api::status::{Phase, SideStatus};

use super::History;
use crate::kubectl::Row;

/// What stands where nothing is known, as in `kubectl get`.
const UNKNOWN: &str = "-";
const GAP: &str = "   ";

/// A table that is ready to be shown.
#[derive(Debug)]
pub struct Table {
    /// With the titles as the first row.
    rows: Vec<Vec<String>>,
}

impl Table {
    /// The pipelines, in the order of their names.
    pub fn new(rows: &[Row], history: &History, with_namespace: bool) -> Self {
        let titles = [
            "NAMESPACE",
            "NAME",
            "READY",
            "PHASE",
            "PRODUCERS",
            "CONSUMERS",
            "RATE",
            "TREND",
            "RATIO",
            "LAG",
            "BEHIND",
            "DLQ",
        ];
        let mut sorted: Vec<&Row> = rows.iter().collect();
        sorted.sort_by(|a, b| a.key.cmp(&b.key));
        let lines = sorted.into_iter().map(|row| cells(row, history));
        let titles = titles.map(str::to_owned).to_vec();
        let mut rows: Vec<Vec<String>> = std::iter::once(titles).chain(lines).collect();
        if !with_namespace {
            for row in &mut rows {
                row.remove(0);
            }
        }
        Self { rows }
    }
}

fn cells(row: &Row, history: &History) -> Vec<String> {
    let status = &row.status;
    let data = status.data.clone().unwrap_or_default();
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
    vec![
        printable(&row.key.namespace),
        printable(&row.key.name),
        ready.map_or_else(|| UNKNOWN.to_owned(), |ready| printable(&ready.status)),
        known(status.phase.map(Phase::name)),
        pods(status.producer.as_ref()),
        pods(status.consumer.as_ref()),
        known(data.records_per_second.map(grouped)),
        history.bars(&row.key),
        data.ratio.as_deref().map_or_else(|| UNKNOWN.to_owned(), printable),
        known(data.lag_records.map(grouped)),
        known(data.lag_seconds.map(behind)),
        known(data.dead_letters.map(grouped)),
    ]
}

/// What a terminal would take for orders is left out: whoever may write a status must not write to our screen.
fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

fn known<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| value.to_string())
}

fn pods(side: Option<&SideStatus>) -> String {
    known(side.map(|side| format!("{}/{}", side.ready_replicas, side.replicas)))
}

/// With a comma at the thousands.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in the unit that says it best.
fn behind(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join(GAP).trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows() -> Vec<Row> {
        let rows = json!([
            {
                "metadata": {"namespace": "prod", "name": "vitals", "uid": "1"},
                "spec": {"of": "another version"},
                "status": {
                    "phase": "Running",
                    "conditions": [{
                        "type": "Ready", "status": "True", "reason": "Ready", "message": "",
                        "lastTransitionTime": "2026-01-01T00:00:00Z",
                    }],
                    "producer": {"replicas": 2, "readyReplicas": 1, "selector": ""},
                    "data": {
                        "recordsPerSecond": 1_234_567, "ratio": "6.8x\u{1b}[2J", "lagRecords": 0,
                        "lagSeconds": 7199, "deadLetters": 12, "observedAt": "2026-01-01T00:00:00Z",
                    },
                },
            },
            {"metadata": {"namespace": "prod", "name": "logs"}},
        ]);
        serde_json::from_value(rows).unwrap()
    }

    #[test]
    fn a_table_shows_what_is_known_and_a_dash_for_the_rest() {
        let (rows, mut history) = (rows(), History::default());
        history.note(&rows);
        let text = Table::new(&rows, &history, false).to_string();
        let expected = "\
NAME     READY   PHASE     PRODUCERS   CONSUMERS   RATE        TREND   RATIO    LAG   BEHIND   DLQ
logs     -       -         -           -           -                   -        -     -        -
vitals   True    Running   1/2         -           1,234,567   █       6.8x[2J   0     119m     12
";
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&text), squeezed(expected), "{text}");
        let at = |title: &str| text.lines().next().unwrap().find(title).unwrap();
        assert_eq!(text.lines().nth(1).unwrap().as_bytes()[at("DLQ")], b'-');
        assert!(Table::new(&rows, &history, true).to_string().starts_with("NAMESPACE   NAME"));
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1000, -1_234_567].map(grouped), ["0", "999", "1,000", "-1,234,567"]);
        assert_eq!([5, 119, 120, 7200, 172_800].map(behind), ["5s", "119s", "2m", "2h", "2d"]);
    }
}
