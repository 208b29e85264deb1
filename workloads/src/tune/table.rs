//! A tuning as text for people: the table, the comparison, the recommendation. Pure.

use std::fmt;

use super::{
    Measured, Tuning,
    choose::fill_time,
    numbers::{grouped, short},
    plain::Plain,
    snippet, words,
};

/// The cells of a row, in the order of the columns.
type Row = Vec<String>;

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", words::sample(self))?;
        for note in words::notes(self) {
            writeln!(f, "note: {note}")?;
        }
        writeln!(f)?;
        write_aligned(f, &rows(self))?;
        writeln!(f)?;
        for line in words::COLUMNS {
            writeln!(f, "{line}")?;
        }
        writeln!(f)?;
        write_aligned(f, &comparison(self))?;
        writeln!(f, "\n{}\n", words::PLAIN)?;
        writeln!(f, "Recommended: {}", words::why(self))?;
        writeln!(f, "{}\n{}\n", words::waiting(self), words::confirmation(self))?;
        f.write_str(&snippet::yaml(self))
    }
}

/// The names of the columns of measurements.
pub(super) fn header(tuning: &Tuning) -> Row {
    let mut names = vec![
        "CODEC",
        "BATCH",
        "BYTES/RECORD",
        "SAVED",
        "RATIO",
        "COMPRESS",
        "DECOMPRESS",
        "MESSAGES",
    ];
    if tuning.options.demand.is_some() {
        names.push("FILLS IN");
    }
    names.push("");
    names.into_iter().map(str::to_owned).collect()
}

/// The cells of a measurement.
pub(super) fn cells(tuning: &Tuning, index: usize) -> Row {
    let it: &Measured = &tuning.measured[index];
    let mut row = vec![
        words::setting(&it.candidate),
        grouped(it.candidate.max_records.into()),
        short(it.topic_bytes),
        percent(tuning.saved_percent(it.topic_bytes)),
        short(tuning.ratio(it.topic_bytes)),
        short(it.compress),
        short(it.decompress),
        grouped(tuning.messages_per_million(it)),
    ];
    row.extend(tuning.options.demand.map(|demand| fill_time(it, demand.rate).to_string()));
    let choice = &tuning.choice;
    let remark = match (index == choice.index, choice.front[index]) {
        (true, _) => "recommended",
        (false, true) => "front",
        (false, false) => "",
    };
    row.push(remark.to_owned());
    row
}

/// The names of the columns of the comparison.
pub(super) fn plain_header() -> Row {
    ["WITHOUT BATCHPIPE", "BYTES/RECORD", "SAVED", "RATIO"].map(str::to_owned).into()
}

/// The cells of a way without us.
pub(super) fn plain_cells(tuning: &Tuning, plain: &Plain) -> Row {
    vec![
        words::plain(plain),
        short(plain.topic_bytes),
        percent(tuning.saved_percent(plain.topic_bytes)),
        short(tuning.ratio(plain.topic_bytes)),
    ]
}

fn percent(number: f64) -> String {
    format!("{number:.1} %")
}

fn rows(tuning: &Tuning) -> Vec<Row> {
    let cells = (0..tuning.measured.len()).map(|index| cells(tuning, index));
    std::iter::once(header(tuning)).chain(cells).collect()
}

/// The ways without us that are nearest to what is recommended.
fn comparison(tuning: &Tuning) -> Vec<Row> {
    let size = tuning.best().candidate.max_records;
    let near = |plain: &&Plain| {
        plain.per_record_batch == size || (plain.per_record_batch == 1 && !plain.zstd)
    };
    let cells = tuning.plain.iter().filter(near).map(|plain| plain_cells(tuning, plain));
    std::iter::once(plain_header()).chain(cells).collect()
}

/// The first column is text, all others but a remark in the last are numbers and stand to the right.
fn write_aligned(f: &mut fmt::Formatter<'_>, rows: &[Row]) -> fmt::Result {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..rows[0].len()).filter_map(width).collect();
    for row in rows {
        let padded = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let is_text = column == 0 || rows[0][column].is_empty();
            if is_text { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        writeln!(f, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::tune::tests::{example, example_at};

    #[test]
    fn rows_are_aligned_and_the_recommended_one_is_marked() {
        let text = example().to_string();
        let expected = "\
CODEC   BATCH  BYTES/RECORD   SAVED  RATIO  COMPRESS  DECOMPRESS  MESSAGES
zstd 1    100          33.0  85.9 %   7.09     0.300       0.120    10,000  front
zstd 1    500          30.0  87.2 %   7.80     0.270       0.110     2,000  recommended
lz4       100          62.0  73.5 %   3.77     0.240       0.100    10,000  front
lz4       500          60.0  74.4 %   3.90     0.230      0.0900     2,000  front
";
        assert!(text.contains(expected), "{text}");
        assert!(
            text.contains("one by one, uncompressed              303  -29.5 %  0.772\n"),
            "{text}"
        );
        assert!(text.ends_with("    codec: zstd\n    level: 1\n"), "{text}");
    }

    #[test]
    fn a_rate_adds_the_time_to_fill() {
        let text = example_at(1_000).to_string();
        assert!(text.contains("MESSAGES  FILLS IN\n"), "{text}");
        assert!(text.contains("    10,000     100ms  front\n"), "{text}");
        assert!(text.contains("    linger: 500ms\n"), "{text}");
    }
}
