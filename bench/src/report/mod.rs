//! What the measurements say: ratios and their aims, tables, a plot, and the document made of them.

pub(crate) mod aims;
pub(crate) mod costs;
pub(crate) mod day;
pub(crate) mod document;
pub(crate) mod machine;
pub(crate) mod plot;
pub(crate) mod ratios;
pub(crate) mod table;

/// A number with as many digits as tell anything here.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        less if less < 10.0 => format!("{value:.3}"),
        less if less < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_about_three_digits() {
        assert_eq!([0.1234, 12.34, 1234.5].map(number), ["0.123", "12.3", "1234"]);
    }
}
