//! The plot: a dot for what each contender costs and a line from least to most, on a logarithmic scale, because the
//! costs lie far apart. Pure; readable on a light and on a dark page.

use std::fmt::Write as _;

use crate::spread::Spread;

/// Whom a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    Bare,
    Other,
}

impl Kind {
    const fn class(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Bare => "bare",
            Self::Other => "other",
        }
    }
}

/// One contender.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) who: String,
    pub(crate) kind: Kind,
    pub(crate) cost: Spread,
}

/// What one side of one profile costs.
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) rows: Vec<Row>,
}

const WIDTH: f64 = 1000.0;
const COLUMNS: usize = 2;
const PANEL_WIDTH: f64 = 500.0;
const LABELS: f64 = 190.0;
/// Room at the right for the number beside the last dot.
const MARGIN: f64 = 60.0;
const ROW: f64 = 18.0;
const TOP: f64 = 60.0;
const HEAD: f64 = 34.0;
const FOOT: f64 = 34.0;

const STYLE: &str = "\
    .page{fill:#ffffff}.text{fill:#1f2328}.faint{fill:#59636e}.grid{stroke:#d1d9e0}\
    .ours{fill:#0969da;stroke:#0969da}.bare{fill:#1a7f37;stroke:#1a7f37}.other{fill:#59636e;stroke:#59636e}\
    @media (prefers-color-scheme:dark){.page{fill:#0d1117}.text{fill:#f0f6fc}.faint{fill:#9198a1}\
    .grid{stroke:#3d444d}.ours{fill:#4493f8;stroke:#4493f8}.bare{fill:#3fb950;stroke:#3fb950}\
    .other{fill:#9198a1;stroke:#9198a1}}";

/// Draws panels in two columns. All share one scale.
pub(crate) fn svg(title: &str, panels: &[Panel]) -> String {
    let scale = Scale::over(panels.iter().flat_map(|panel| &panel.rows));
    let lines: Vec<_> = panels.chunks(COLUMNS).map(height).collect();
    let total = TOP + lines.iter().sum::<f64>();
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {total}\" \
         font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" role=\"img\" aria-label=\"{0}\">\n\
         <style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{total}\"/>\n\
         <text class=\"text\" x=\"14\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{0}</text>\n\
         <text class=\"faint\" x=\"14\" y=\"44\">median, and from least to most; logarithmic scale; less is \
         better</text>\n",
        escaped(title)
    );
    let mut top = TOP;
    for (line, height) in panels.chunks(COLUMNS).zip(lines) {
        let mut left = 0.0;
        for panel in line {
            draw(&mut text, panel, &scale, left, top);
            left += PANEL_WIDTH;
        }
        top += height;
    }
    text.push_str("</svg>\n");
    text
}

/// The height of panels beside each other.
fn height(panels: &[Panel]) -> f64 {
    let rows = panels.iter().map(|panel| panel.rows.iter().map(|_| ROW).sum::<f64>());
    HEAD + rows.fold(0.0, f64::max) + FOOT
}

fn draw(text: &mut String, panel: &Panel, scale: &Scale, left: f64, top: f64) {
    let rows = top + HEAD;
    let bottom = rows + panel.rows.iter().map(|_| ROW).sum::<f64>();
    let at = |value| left + LABELS + scale.part(value) * (PANEL_WIDTH - LABELS - MARGIN);
    push(
        text,
        format_args!(
            "<text class=\"text\" x=\"{:.0}\" y=\"{:.0}\" font-weight=\"bold\">{}</text>",
            left + 14.0,
            top + 18.0,
            escaped(&panel.title)
        ),
    );
    for tick in scale.ticks() {
        push(
            text,
            format_args!(
                "<line class=\"grid\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{1:.0}\" y2=\"{2:.0}\"/>\
             <text class=\"faint\" x=\"{0:.1}\" y=\"{3:.0}\" text-anchor=\"middle\" font-size=\"11\">{tick}</text>",
                at(tick),
                rows - 6.0,
                bottom,
                bottom + 14.0
            ),
        );
    }
    let mut sorted: Vec<_> = panel.rows.iter().collect();
    sorted.sort_by(|one, other| one.cost.median.total_cmp(&other.cost.median));
    let mut middle = rows + ROW / 2.0;
    for row in sorted {
        let Spread { median, least, most } = row.cost;
        let weight = if row.kind == Kind::Ours { " font-weight=\"bold\"" } else { "" };
        push(
            text,
            format_args!(
                "<text class=\"text\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\"{weight}>{}</text>\
             <g class=\"{}\"><line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.0}\" y2=\"{middle:.0}\" \
             stroke-width=\"2\"/><circle cx=\"{:.1}\" cy=\"{middle:.0}\" r=\"4.5\"/></g>\
             <text class=\"faint\" x=\"{:.1}\" y=\"{:.0}\" font-size=\"11\">{}</text>",
                left + LABELS - 10.0,
                middle + 4.0,
                escaped(&row.who),
                row.kind.class(),
                at(least),
                at(most),
                at(median),
                at(most.max(median)) + 9.0,
                middle + 4.0,
                super::number(median),
            ),
        );
        middle += ROW;
    }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes everything");
}

/// From which power of ten to which.
struct Scale {
    low: i32,
    high: i32,
}

impl Scale {
    /// One that has room for all.
    #[expect(clippy::cast_possible_truncation, reason = "logarithms of CPU seconds are small")]
    fn over<'a>(rows: impl Iterator<Item = &'a Row> + Clone) -> Self {
        // What was too quick to be measured cannot be drawn further left than this.
        let least = rows.clone().map(|row| row.cost.least.max(0.01)).fold(f64::MAX, f64::min);
        let most = rows.map(|row| row.cost.most).fold(least, f64::max);
        let (low, high) = (least.log10().floor() as i32, most.log10().ceil() as i32);
        Self { low, high: high.max(low + 1) }
    }

    /// How far right a value is, from 0 to 1.
    fn part(&self, value: f64) -> f64 {
        let (low, high) = (f64::from(self.low), f64::from(self.high));
        ((value.max(1e-9).log10() - low) / (high - low)).clamp(0.0, 1.0)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.low..=self.high).map(|power| 10_f64.powi(power))
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(who: &str, kind: Kind, median: f64) -> Row {
        let cost = Spread { median, least: median / 2.0, most: median * 2.0 };
        Row { who: who.to_owned(), kind, cost }
    }

    #[test]
    fn a_scale_spans_powers_of_ten() {
        let rows = [row("a", Kind::Ours, 0.4), row("b", Kind::Other, 12.0)];
        let scale = Scale::over(rows.iter());
        assert_eq!((scale.low, scale.high), (-1, 2));
        assert!((scale.part(0.1)).abs() < 1e-9 && (scale.part(1.0) - 1.0 / 3.0).abs() < 1e-9);
        assert!((scale.part(1e9) - 1.0).abs() < 1e-9 && scale.part(0.0).abs() < 1e-9);
        assert_eq!(scale.ticks().count(), 4);
    }

    #[test]
    fn rows_are_sorted_and_names_escaped() {
        let rows = vec![row("slow & <old>", Kind::Other, 9.0), row("us", Kind::Ours, 0.5)];
        let text = svg("CPU", &[Panel { title: "seed".to_owned(), rows }]);
        let (us, slow) = (text.find(">us<").unwrap(), text.find("slow &amp; &lt;old&gt;").unwrap());
        assert!(us < slow, "{text}");
        assert!(text.contains("prefers-color-scheme:dark") && text.ends_with("</svg>\n"));
    }

    #[test]
    fn nothing_measured_is_an_empty_plot() {
        assert!(svg("CPU", &[]).contains("</svg>"));
    }
}
