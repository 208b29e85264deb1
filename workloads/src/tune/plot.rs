//! Line plots as SVG, to stand inside of an HTML page. Pure: numbers in, text out; no script, nothing from outside.
//!
//! Colours are classes that the page's style sheet defines, so that they suit light and dark.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 400.0;
/// Room for the numbers and names of the axes, and on the right for the legend.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 48.0;
/// From one line of the legend to the next, unless there are too many.
const LEGEND_STEP: f64 = 18.0;
/// Lines of the same colour are told apart by these.
const DASHES: [&str; 4] = ["none", "6 4", "2 3", "9 3 2 3"];

/// How numbers are laid out on an axis.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// From 0 on.
    Linear,
    /// By factors; numbers are larger than 0.
    Logarithmic,
}

/// An axis.
pub(super) struct Axis {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// One measured thing.
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    /// Shown by browsers when it is pointed at.
    pub(super) title: String,
    pub(super) is_best: bool,
}

/// Points that belong together.
pub(super) struct Series {
    pub(super) name: String,
    /// The class that has its colour.
    pub(super) class: &'static str,
    /// Which of the colour's lines it is, from 0.
    pub(super) variant: usize,
    pub(super) points: Vec<Point>,
}

/// A plot; there is at least one point.
pub(super) struct Plot {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
}

/// Where numbers are on an axis.
struct Scale {
    kind: Kind,
    ticks: Vec<f64>,
}

impl Scale {
    fn new(kind: Kind, numbers: impl Iterator<Item = f64> + Clone) -> Self {
        let most = numbers.clone().fold(f64::MIN_POSITIVE, f64::max);
        let ticks = match kind {
            Kind::Linear => linear_ticks(most),
            Kind::Logarithmic => {
                let least = numbers.fold(f64::MAX, f64::min).max(f64::MIN_POSITIVE);
                logarithmic_ticks(least, most)
            }
        };
        Self { kind, ticks }
    }

    /// From 0 at the first tick to 1 at the last.
    fn place(&self, number: f64) -> f64 {
        let along = |number: f64| match self.kind {
            Kind::Linear => number,
            Kind::Logarithmic => number.max(f64::MIN_POSITIVE).log10(),
        };
        let (first, last) = (along(self.ticks[0]), along(self.ticks[self.ticks.len() - 1]));
        (along(number) - first) / (last - first)
    }
}

/// The largest of 1, 2, 5, 10, 20, ... that is no larger than the number, as factor and power of ten.
fn step_below(number: f64) -> (f64, f64) {
    let power = 10_f64.powf(number.log10().floor());
    let factor = [5.0, 2.0].into_iter().find(|factor| factor * power <= number);
    (factor.unwrap_or(1.0), power)
}

fn step_after((factor, power): (f64, f64)) -> (f64, f64) {
    match factor {
        ..2.0 => (2.0, power),
        ..5.0 => (5.0, power),
        _ => (1.0, power * 10.0),
    }
}

/// At least two ticks around the numbers.
fn logarithmic_ticks(least: f64, most: f64) -> Vec<f64> {
    let value = |(factor, power): (f64, f64)| factor * power;
    let mut step = step_below(least);
    let mut ticks = vec![value(step)];
    while value(step) < most || ticks.len() < 2 {
        step = step_after(step);
        ticks.push(value(step));
    }
    ticks
}

/// Some five ticks from 0 on.
fn linear_ticks(most: f64) -> Vec<f64> {
    let (factor, power) = step_after(step_below(most / 6.0));
    let step = factor * power;
    let mut ticks = vec![0.0];
    while ticks[ticks.len() - 1] < most {
        ticks.push(step * float(ticks.len()));
    }
    ticks
}

impl Plot {
    /// The plot as an SVG element.
    pub(super) fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x = Scale::new(self.x.kind, points().map(|point| point.x));
        let y = Scale::new(self.y.kind, points().map(|point| point.y));
        let title = escape(&self.title);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n"
        );
        self.axes(&x, &y, &mut svg);
        let (lines, room) = (float(self.series.len()).max(1.0), HEIGHT - TOP - BOTTOM);
        for (index, series) in self.series.iter().enumerate() {
            series.draw(&x, &y, &mut svg);
            series.explain(TOP + 8.0 + float(index) * LEGEND_STEP.min(room / lines), &mut svg);
        }
        svg + "</svg>\n"
    }

    fn axes(&self, x: &Scale, y: &Scale, svg: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in &x.ticks {
            let at = across(x, *tick);
            line(svg, (at, TOP), (at, bottom));
            text(svg, (at, bottom + 16.0), "middle", &number(*tick));
        }
        for tick in &y.ticks {
            let at = up(y, *tick);
            line(svg, (LEFT, at), (right, at));
            text(svg, (LEFT - 6.0, at + 4.0), "end", &number(*tick));
        }
        text(svg, (f64::midpoint(LEFT, right), HEIGHT - 10.0), "middle", self.x.name);
        let middle = f64::midpoint(TOP, bottom);
        let name = escape(self.y.name);
        put(
            svg,
            format_args!(
                "<text transform=\"translate(14 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">{name}</text>\n"
            ),
        );
    }
}

impl Series {
    const fn dash(&self) -> &'static str {
        DASHES[self.variant % DASHES.len()]
    }

    fn draw(&self, x: &Scale, y: &Scale, svg: &mut String) {
        let (class, dash) = (self.class, self.dash());
        put(svg, format_args!("<g class=\"{class}\">\n"));
        let places: Vec<_> =
            self.points.iter().map(|point| (across(x, point.x), up(y, point.y))).collect();
        let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let path = path.join(" ");
        put(svg, format_args!("<polyline points=\"{path}\" stroke-dasharray=\"{dash}\"/>\n"));
        for (point, (x, y)) in self.points.iter().zip(places) {
            let title = escape(&point.title);
            let ring = if point.is_best { "<circle class=\"best\" r=\"9\"/>" } else { "" };
            put(
                svg,
                format_args!(
                    "<g transform=\"translate({x:.1} {y:.1})\">{ring}<circle class=\"point\" r=\"3.5\"/>\
                 <title>{title}</title></g>\n"
                ),
            );
        }
        svg.push_str("</g>\n");
    }

    /// Its line of the legend.
    fn explain(&self, at: f64, svg: &mut String) {
        let (class, dash) = (self.class, self.dash());
        put(svg, format_args!("<g class=\"{class}\">\n"));
        let from = WIDTH - RIGHT + 14.0;
        let to = from + 28.0;
        put(
            svg,
            format_args!(
                "<polyline points=\"{from:.1},{at:.1} {to:.1},{at:.1}\" stroke-dasharray=\"{dash}\"/>\n"
            ),
        );
        text(svg, (to + 6.0, at + 4.0), "start", &escape(&self.name));
        svg.push_str("</g>\n");
    }
}

/// A small count.
fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn across(x: &Scale, number: f64) -> f64 {
    LEFT + x.place(number) * (WIDTH - RIGHT - LEFT)
}

fn up(y: &Scale, number: f64) -> f64 {
    HEIGHT - BOTTOM - y.place(number) * (HEIGHT - BOTTOM - TOP)
}

fn line(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    put(
        svg,
        format_args!(
            "<line class=\"grid\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"
        ),
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    put(
        svg,
        format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n"),
    );
}

fn put(svg: &mut String, what: std::fmt::Arguments<'_>) {
    svg.write_fmt(what).expect("a String takes everything");
}

/// A tick's number, without the noise of floats.
fn number(tick: f64) -> String {
    let text = format!("{tick:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Text that means nothing to a browser.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            control if control.is_control() && control != '\n' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: f64, y: f64) -> Point {
        Point { x, y, title: format!("<{x}>"), is_best: x > 1.5 }
    }

    fn plot(points: Vec<Point>) -> String {
        let series = Series { name: "a & b".to_owned(), class: "zstd", variant: 1, points };
        let x = Axis { name: "x", kind: Kind::Logarithmic };
        let y = Axis { name: "y", kind: Kind::Linear };
        Plot { title: "t".to_owned(), x, y, series: vec![series] }.svg()
    }

    #[test]
    fn logarithmic_ticks_surround_the_numbers() {
        assert_eq!(logarithmic_ticks(0.34, 0.45), [0.2, 0.5]);
        assert_eq!(logarithmic_ticks(10.0, 5_000.0)[..3], [10.0, 20.0, 50.0]);
        assert_eq!(logarithmic_ticks(3.0, 3.0), [2.0, 5.0]);
        assert_eq!(logarithmic_ticks(2.0, 2.0), [2.0, 5.0]);
    }

    #[test]
    fn linear_ticks_are_few_and_begin_at_nothing() {
        assert_eq!(linear_ticks(8.0), [0.0, 2.0, 4.0, 6.0, 8.0]);
        for most in [0.003, 0.9, 1.0, 7.9, 65.0, 1e6] {
            let ticks = linear_ticks(most);
            assert!((3..=8).contains(&ticks.len()), "{most}: {ticks:?}");
            assert!(ticks[ticks.len() - 1] >= most && ticks[ticks.len() - 2] < most);
        }
    }

    #[test]
    fn points_stay_within_the_frame() {
        for numbers in [vec![0.001], vec![1.0, 1.0], vec![0.02, 1.0, 400.0]] {
            let x = Scale::new(Kind::Logarithmic, numbers.iter().copied());
            let y = Scale::new(Kind::Linear, numbers.iter().copied());
            for number in numbers {
                assert!(
                    (0.0..=1.0).contains(&x.place(number))
                        && (0.0..=1.0).contains(&y.place(number))
                );
            }
        }
    }

    #[test]
    fn a_plot_has_a_line_a_title_for_each_point_and_a_legend() {
        let svg = plot(vec![point(1.0, 1.0), point(2.0, 4.0)]);
        assert_eq!(svg.matches("<title>").count(), 3);
        assert_eq!(svg.matches("class=\"best\"").count(), 1);
        assert!(svg.contains("a &amp; b") && svg.contains("&lt;1&gt;") && svg.contains("6 4"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn what_browsers_would_read_as_markup_is_escaped() {
        assert_eq!(
            escape("<a href='x'>\"&\u{1b}"),
            "&lt;a href=&#39;x&#39;&gt;&quot;&amp;\u{fffd}"
        );
    }

    #[test]
    fn ticks_are_written_without_noise() {
        assert_eq!([0.1 + 0.2, 10.0, 0.005, 0.0].map(number), ["0.3", "10", "0.005", "0"]);
    }
}
