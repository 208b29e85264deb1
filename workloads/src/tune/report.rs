//! A tuning as one HTML file: recommendation, two plots, tables. Pure.
//!
//! Everything is inside: no script, no font, no image, and a policy that keeps browsers from fetching any. It is
//! well-formed XML too, so that other programs can read it.

use std::fmt::Write as _;

use super::{
    Tuning,
    numbers::{grouped, short},
    plot::{Axis, Kind, Plot, Point, Series, escape},
    snippet, table, words,
};

const STYLE: &str = include_str!("style.css");

/// The report as a file's content.
pub fn html(tuning: &Tuning) -> String {
    let title = escape(&format!("batchpipe tune: {}", tuning.name));
    let version = env!("CARGO_PKG_VERSION");
    let body = [
        format!("<h1>{title}</h1>\n"),
        paragraph(&sentence(&words::sample(tuning))),
        notes(tuning),
        recommendation(tuning),
        heading("CPU against bytes"),
        cpu_plot(tuning).svg(),
        paragraph(
            "Down and to the left is better. A line joins the batch sizes of one setting; the ring is what is \
             recommended; pointing at a dot tells its figures.",
        ),
        heading("Ratio against batch size"),
        ratio_plot(tuning).svg(),
        heading("All measurements"),
        measurements(tuning),
        list(&words::COLUMNS),
        heading("Without batchpipe"),
        comparison(tuning),
        paragraph(words::PLAIN),
        paragraph(&how(tuning, version)),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
        body.concat()
    )
}

fn how(tuning: &Tuning, version: &str) -> String {
    format!(
        "Measured by batchpipe {version}, in {} of all combinations in turns. Finding and checking records costs {} CPU \
         seconds for a million with any of them, and is part of the CPU seconds in the plot and the recommendation.",
        super::numbers::counted(tuning.options.rounds.into(), "round"),
        short(tuning.handling),
    )
}

/// With a capital, and a full stop.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), characters.as_str())
}

fn heading(text: &str) -> String {
    format!("<h2>{}</h2>\n", escape(text))
}

fn paragraph(text: &str) -> String {
    format!("<p class=\"soft\">{}</p>\n", escape(text))
}

fn list<T: AsRef<str>>(items: &[T]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: Vec<_> = items.iter().map(|item| escape(item.as_ref())).collect();
    let items = items.join("</li>\n<li>");
    format!("<ul>\n<li>{items}</li>\n</ul>\n")
}

fn notes(tuning: &Tuning) -> String {
    let notes: Vec<_> = words::notes(tuning).iter().map(|note| sentence(note)).collect();
    list(&notes)
}

fn recommendation(tuning: &Tuning) -> String {
    format!(
        "{}<pre>{}</pre>\n<p>{}</p>\n{}{}",
        heading("Recommended"),
        escape(&snippet::yaml(tuning)),
        escape(&words::why(tuning)),
        paragraph(&words::waiting(tuning)),
        paragraph(&words::confirmation(tuning)),
    )
}

/// A series for each codec and level, with its measurements' numbers.
fn series(tuning: &Tuning, place: impl Fn(usize) -> (f64, f64)) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for (index, it) in tuning.measured.iter().enumerate() {
        let (name, class) = (words::setting(&it.candidate), it.candidate.codec.name());
        if all.last().is_none_or(|last| last.name != name) {
            let variant = all.iter().filter(|series| series.class == class).count();
            all.push(Series { name: name.clone(), class, variant, points: Vec::new() });
        }
        let title = format!(
            "{name}, {} in a batch: {} bytes, {} CPU seconds, ratio {}",
            grouped(it.candidate.max_records.into()),
            short(it.topic_bytes),
            short(tuning.cpu(it)),
            short(tuning.ratio(it.topic_bytes)),
        );
        let ((x, y), is_best) = (place(index), index == tuning.choice.index);
        if let Some(last) = all.last_mut() {
            last.points.push(Point { x, y, title, is_best });
        }
    }
    all
}

fn cpu_plot(tuning: &Tuning) -> Plot {
    let place = |index: usize| {
        let it = &tuning.measured[index];
        (tuning.cpu(it), it.topic_bytes)
    };
    Plot {
        title: "CPU seconds for a million records against bytes on the topic for each".to_owned(),
        x: Axis { name: "CPU seconds for a million records, both sides", kind: Kind::Logarithmic },
        y: Axis { name: "bytes on the topic for each record", kind: Kind::Logarithmic },
        series: series(tuning, place),
    }
}

fn ratio_plot(tuning: &Tuning) -> Plot {
    let place = |index: usize| {
        let it = &tuning.measured[index];
        (f64::from(it.candidate.max_records), tuning.ratio(it.topic_bytes))
    };
    Plot {
        title: "How many times smaller the records become against the size of a batch".to_owned(),
        x: Axis { name: "most records in a batch", kind: Kind::Logarithmic },
        y: Axis { name: "times smaller", kind: Kind::Linear },
        series: series(tuning, place),
    }
}

fn measurements(tuning: &Tuning) -> String {
    let rows = (0..tuning.measured.len()).map(|index| {
        let class = if index == tuning.choice.index { " class=\"best\"" } else { "" };
        (class, table::cells(tuning, index))
    });
    write_table(&table::header(tuning), rows)
}

fn comparison(tuning: &Tuning) -> String {
    let rows = tuning.plain.iter().map(|plain| ("", table::plain_cells(tuning, plain)));
    write_table(&table::plain_header(), rows)
}

fn write_table<'a>(
    header: &[String],
    rows: impl Iterator<Item = (&'a str, Vec<String>)>,
) -> String {
    let mut text = String::from("<div class=\"wide\"><table>\n<thead><tr>");
    let mut put = |what: std::fmt::Arguments<'_>| {
        text.write_fmt(what).expect("a String takes everything");
    };
    for name in header {
        put(format_args!("<th scope=\"col\">{}</th>", escape(name)));
    }
    put(format_args!("</tr></thead>\n<tbody>\n"));
    for (class, row) in rows {
        put(format_args!("<tr{class}>"));
        for (name, cell) in header.iter().zip(&row) {
            let remark = if name.is_empty() { " class=\"remark\"" } else { "" };
            put(format_args!("<td{remark}>{}</td>", escape(cell)));
        }
        put(format_args!("</tr>\n"));
    }
    put(format_args!("</tbody>\n</table></div>\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::tests::{example, example_at};

    #[test]
    fn the_report_has_the_snippet_two_plots_and_all_rows() {
        let tuning = example_at(2_000);
        let html = html(&tuning);
        assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"));
        assert!(html.contains(&format!("<pre>{}</pre>", snippet::yaml(&tuning))), "{html}");
        assert_eq!(html.matches("<svg ").count(), 2);
        assert_eq!(html.matches("<tr").count(), 2 + tuning.measured.len() + tuning.plain.len());
        assert_eq!(html.matches("<tr class=\"best\">").count(), 1);
        assert!(html.contains("FILLS IN"));
    }

    #[test]
    fn nothing_is_fetched_and_nothing_runs() {
        let html = html(&example());
        for wrong in ["http://", "https://", "<script", "src=", "href=", "url(", "@import"] {
            assert!(!html.contains(wrong), "{wrong}");
        }
        assert!(html.contains("default-src 'none'") && html.contains("prefers-color-scheme: dark"));
    }

    #[test]
    fn a_file_name_cannot_break_out() {
        let tuning = Tuning { name: "</title><script>x\"'&".to_owned(), ..example() };
        let html = html(&tuning);
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("&lt;/title&gt;&lt;script&gt;x&quot;&#39;&amp;"));
    }

    #[test]
    fn levels_of_a_codec_share_its_colour_but_not_the_line() {
        let mut tuning = example();
        tuning.measured[2].candidate = tuning.measured[0].candidate;
        tuning.measured[2].candidate.level = Some(3);
        let series = series(&tuning, |_| (1.0, 1.0));
        let lines: Vec<_> =
            series.iter().map(|it| (it.name.as_str(), it.variant, it.points.len())).collect();
        assert_eq!(lines, [("zstd 1", 0, 2), ("zstd 3", 1, 1), ("lz4", 0, 1)]);
    }
}
