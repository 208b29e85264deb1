//! The last rates of each pipeline, as a line of small bars.

use std::collections::{BTreeMap, VecDeque};

use batchpipe_api::status::DataStatus;

use crate::kubectl::{Key, Row};

/// How many rates are kept, and shown.
pub(super) const WIDTH: usize = 16;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The highest bar.
const TOP: i128 = 7;

/// The last rates.
#[derive(Debug, Default)]
pub struct History(BTreeMap<Key, Rates>);

#[derive(Debug, Default)]
struct Rates {
    /// What was known at the last look.
    last: DataStatus,
    /// Oldest first; absent when it was not known.
    rates: VecDeque<Option<i64>>,
}

impl History {
    /// Takes what is known now. What was observed before already counts once; a pipeline that is gone is forgotten.
    pub fn note(&mut self, rows: &[Row]) {
        self.0.retain(|key, _| rows.iter().any(|row| row.key == *key));
        for row in rows {
            let rates = self.0.entry(row.key.clone()).or_default();
            let data = row.status.data.clone().unwrap_or_default();
            if data.observed_at.is_some() && data.observed_at == rates.last.observed_at {
                continue;
            }
            rates.rates.push_back(data.records_per_second);
            rates.last = data;
            if rates.rates.len() > WIDTH {
                rates.rates.pop_front();
            }
        }
    }

    /// The rates of a pipeline as bars, in parts of its largest one; a gap where none was known.
    pub(super) fn bars(&self, key: &Key) -> String {
        let Some(Rates { rates, .. }) = self.0.get(key) else { return String::new() };
        let most = i128::from(rates.iter().flatten().copied().max().unwrap_or_default().max(1));
        let bar = |rate: &Option<i64>| {
            let part = (i128::from((*rate)?).clamp(0, most) * TOP + most / 2) / most;
            BARS.get(usize::try_from(part).ok()?).copied()
        };
        let bar = |rate| bar(rate).unwrap_or(' ');
        rates.iter().map(bar).collect()
    }
}

#[cfg(test)]
mod tests {
    use batchpipe_api::status::BatchPipelineStatus;
    use serde_json::json;

    use super::*;

    fn row(name: &str, rate: Option<i64>, second: i64) -> Row {
        let observed_at = format!("2026-01-01T00:00:{second:02}Z");
        let data = json!({"recordsPerSecond": rate, "observedAt": observed_at});
        let data = serde_json::from_value(data).unwrap();
        let key = Key { namespace: "default".to_owned(), name: name.to_owned() };
        Row { key, status: BatchPipelineStatus { data: Some(data), ..Default::default() } }
    }

    #[test]
    fn bars_are_parts_of_the_largest_rate() {
        let mut history = History::default();
        let rates = [Some(0), Some(500), None, Some(1000), Some(-5), Some(i64::MAX)];
        for (second, rate) in (0..).zip(&rates[..5]) {
            history.note(&[row("a", *rate, second)]);
        }
        let key = row("a", None, 0).key;
        assert_eq!(history.bars(&key), "▁▅ █▁");
        history.note(&[row("a", rates[5], 9)]);
        assert_eq!(history.bars(&key), "▁▁ ▁▁█");
    }

    #[test]
    fn what_was_seen_already_counts_once_and_what_is_gone_is_forgotten() {
        let mut history = History::default();
        for second in [1, 1, 2] {
            history.note(&[row("a", Some(10), second), row("b", Some(10), 1)]);
        }
        let of = |history: &History, name| history.bars(&row(name, None, 0).key);
        assert_eq!((of(&history, "a"), of(&history, "b")), ("██".to_owned(), "█".to_owned()));
        history.note(&[row("b", Some(10), 2)]);
        assert_eq!(of(&history, "a"), "");
        for second in 3..50 {
            history.note(&[row("b", Some(10), second)]);
        }
        assert_eq!(of(&history, "b").chars().count(), WIDTH);
    }
}
