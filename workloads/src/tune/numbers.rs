//! Numbers for people. Pure.

/// One count by another.
#[expect(clippy::cast_precision_loss, reason = "shown to a few digits; counts are far below 2^52")]
pub(super) fn quotient(dividend: u64, divisor: u64) -> f64 {
    dividend as f64 / divisor as f64
}

/// A count with separators: `1,234,567`.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits that count: `0.0421`, `7.98`, `30.6`, `241`.
pub(super) fn short(number: f64) -> String {
    let decimals = match number.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        size if size >= 0.09995 => 3,
        _ => 4,
    };
    format!("{number:.decimals$}")
}

/// A size: `512 bytes`, `11.7 MB`.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", short(quotient(bytes, 1_000))),
        1_000_000..1_000_000_000 => format!("{} MB", short(quotient(bytes, 1_000_000))),
        _ => format!("{} GB", short(quotient(bytes, 1_000_000_000))),
    }
}

/// A count with its noun, which takes an `s` unless it is one.
pub(super) fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// The middle of some numbers, of which there is at least one.
pub(super) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len().is_multiple_of(2) {
        f64::midpoint(numbers[middle - 1], numbers[middle])
    } else {
        numbers[middle]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        let texts = [0, 999, 1_000, 12_345, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!(
            (counted(1, "line"), counted(2_000, "line")),
            ("1 line".into(), "2,000 lines".into())
        );
    }

    #[test]
    fn three_digits_are_shown() {
        let texts = [0.0421, 0.1234, 0.9999, 7.984, 30.55, 99.96, 241.2, -3.217].map(short);
        assert_eq!(texts, ["0.0421", "0.123", "1.00", "7.98", "30.6", "100", "241", "-3.22"]);
        assert_eq!([999, 1_500, 11_700_000].map(size), ["999 bytes", "1.50 kB", "11.7 MB"]);
    }

    #[test]
    fn the_median_of_an_even_number_is_between_two() {
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-12);
        assert!((median(vec![9.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
    }
}
