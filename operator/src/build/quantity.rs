//! Amounts of resources as the API server stores them: `0.5` becomes `500m`, `1024Mi` becomes `1Gi`. Pure.
//!
//! What is applied must be what is stored, or every comparison with the live object would find a difference.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Suffixes and their powers of 1024.
const BINARY: [(&str, u32); 6] = [("Ki", 1), ("Mi", 2), ("Gi", 3), ("Ti", 4), ("Pi", 5), ("Ei", 6)];
/// Suffixes and their powers of 1000, counted from a thousandth.
const DECIMAL: [(&str, u32); 7] =
    [("m", 0), ("k", 2), ("M", 3), ("G", 4), ("T", 5), ("P", 6), ("E", 7)];
/// The power of a number without suffix.
const PLAIN: u32 = 1;
/// Binary amounts are cut to what fits into 64 bits with a sign, in thousandths.
const MOST: u128 = i64::MAX as u128 * 1000;

/// The same amounts as they are stored.
pub(super) fn canonical(amounts: &BTreeMap<String, Quantity>) -> BTreeMap<String, Quantity> {
    amounts.iter().map(|(name, amount)| (name.clone(), canonical_quantity(amount))).collect()
}

/// A number of bytes as it is stored.
pub(super) fn of_bytes(bytes: u64) -> Quantity {
    Quantity(binary(u128::from(bytes) * 1000).unwrap_or_else(|| decimal(u128::from(bytes) * 1000)))
}

/// What cannot be read stays as it is: the API server will say what is wrong with it. So do leading zeros where
/// nothing else has to change.
fn canonical_quantity(amount: &Quantity) -> Quantity {
    let text = amount.0.trim();
    let stored = canonical_text(text).filter(|stored| text.trim_start_matches('0') != stored);
    Quantity(stored.unwrap_or_else(|| amount.0.clone()))
}

fn canonical_text(text: &str) -> Option<String> {
    let (thousandths, is_binary) = parse(text)?;
    let written = if is_binary { binary(thousandths) } else { None };
    Some(written.unwrap_or_else(|| decimal(thousandths)))
}

/// Whether two texts say the same amount: `1000m` is `1`, and `1e3` is `1k`.
pub fn is_same_amount(a: &str, b: &str) -> bool {
    amount(a).is_some_and(|amount_of_a| amount(b) == Some(amount_of_a))
}

/// In thousandths.
fn amount(text: &str) -> Option<u128> {
    with_exponent(text).or_else(|| parse(text).map(|(thousandths, _)| thousandths))
}

/// Only read, never written: the API server leaves such a text as it is.
fn with_exponent(text: &str) -> Option<u128> {
    let (number, power) = text.split_once(['e', 'E'])?;
    let power = power.parse::<i32>().ok()?.checked_add(3)?;
    thousandths(number, 10u128.checked_pow(u32::try_from(power).ok()?)?)
}

/// Thousandths, and whether they were written with a suffix of 1024.
fn parse(text: &str) -> Option<(u128, bool)> {
    let suffixed = |suffix: &str| text.strip_suffix(suffix);
    for (suffix, power) in BINARY {
        if let Some(number) = suffixed(suffix) {
            let thousandths = thousandths(number, 1024u128.pow(power) * 1000)?.min(MOST);
            return Some((thousandths, true));
        }
    }
    let unit = DECIMAL.iter().find_map(|(suffix, power)| Some((suffixed(suffix)?, *power)));
    let (number, power) = unit.unwrap_or((text, PLAIN));
    Some((thousandths(number, 1000u128.pow(power))?, false))
}

/// The number times its unit, which is given in thousandths; what is left of a thousandth counts as a whole one.
fn thousandths(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let digits = digits.parse::<u128>().ok()?;
    Some(if unit.is_multiple_of(scale) {
        digits.saturating_mul(unit / scale)
    } else {
        digits.saturating_mul(unit).div_ceil(scale)
    })
}

/// With the largest suffix that keeps the number whole; `None` for what is written in decimal in any case: less than
/// 1024, and fractions.
fn binary(thousandths: u128) -> Option<String> {
    if thousandths < 1_024_000 || !thousandths.is_multiple_of(1000) {
        return None;
    }
    let whole = thousandths / 1000;
    let mut suffixes = BINARY.iter().rev().map(|(suffix, power)| (*suffix, 1024u128.pow(*power)));
    let (suffix, unit) = suffixes.find(|(_, unit)| whole.is_multiple_of(*unit)).unwrap_or(("", 1));
    Some(format!("{}{suffix}", whole / unit))
}

/// With the largest suffix that keeps the number whole.
fn decimal(thousandths: u128) -> String {
    if thousandths == 0 {
        return "0".to_owned();
    }
    let suffixes = DECIMAL.iter().copied().chain([("", PLAIN)]);
    let fitting = suffixes.filter(|(_, power)| thousandths.is_multiple_of(1000u128.pow(*power)));
    let (suffix, power) = fitting.max_by_key(|(_, power)| *power).unwrap_or(("m", 0));
    format!("{}{suffix}", thousandths / 1000u128.pow(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> String {
        canonical_quantity(&Quantity(text.to_owned())).0
    }

    #[test]
    fn amounts_have_the_largest_suffix_that_keeps_them_whole() {
        let cases = [
            ("1024Mi", "1Gi"),
            ("1536Mi", "1536Mi"),
            ("1.5Gi", "1536Mi"),
            ("2048", "2048"),
            ("1000m", "1"),
            ("1000", "1k"),
            ("1000k", "1M"),
            ("1000P", "1E"),
            ("1500", "1500"),
            ("256Mi", "256Mi"),
            ("1000Mi", "1000Mi"),
            ("2", "2"),
            ("010", "010"),
            ("0001024Mi", "1Gi"),
            ("999999999999999.9P", "999999999999999900T"),
            ("999999999999999.9Pi", "9223372036854775807"),
        ];
        for (written, expected) in cases {
            assert_eq!(stored(written), expected, "{written}");
        }
    }

    #[test]
    fn fractions_become_thousandths() {
        for (written, expected) in
            [("0.5", "500m"), ("1.50", "1500m"), ("1.0", "1"), ("0.001", "1m")]
        {
            assert_eq!(stored(written), expected, "{written}");
        }
    }

    #[test]
    fn less_than_a_thousandth_is_rounded_up() {
        for (written, expected) in [("0.0001", "1m"), ("0.1m", "1m"), ("1.0005", "1001m")] {
            assert_eq!(stored(written), expected, "{written}");
        }
    }

    #[test]
    fn little_and_broken_binary_amounts_are_written_in_decimal() {
        for (written, expected) in
            [("0.5Ki", "512"), ("1Ki", "1Ki"), ("0.3Mi", "314572800m"), ("0Mi", "0")]
        {
            assert_eq!(stored(written), expected, "{written}");
        }
    }

    #[test]
    fn nothing_is_nothing() {
        for written in ["0", "0m", "0.0", "0Gi", "00"] {
            assert_eq!(stored(written), "0", "{written}");
        }
    }

    #[test]
    fn what_cannot_be_read_stays() {
        for written in ["", "much", "-1", "1e3", "1.x", ".5"] {
            assert_eq!(stored(written), written);
        }
    }

    #[test]
    fn amounts_are_compared_by_value() {
        let same =
            [("1", "1000m"), ("1Gi", "1024Mi"), ("0.5", "500m"), ("1k", "1000"), ("1e3", "1k")];
        for (a, b) in same {
            assert!(is_same_amount(a, b), "{a} {b}");
        }
        let other = [("1", "1001m"), ("1G", "1Gi"), ("x", "y"), ("1", ""), ("1E", "1e1")];
        for (a, b) in other.into_iter().chain([("9007199254740993", "9007199254740992")]) {
            assert!(!is_same_amount(a, b), "{a} {b}");
        }
    }

    #[test]
    fn bytes_are_written_in_binary() {
        assert_eq!(of_bytes(256 << 20).0, "256Mi");
        assert_eq!(of_bytes(512).0, "512");
    }

    #[test]
    fn what_is_stored_stays_as_it_is() {
        for written in ["0.5", "1024Mi", "0.3Mi", "1000P", "0.5Ki", "999k"] {
            assert_eq!(stored(&stored(written)), stored(written), "{written}");
        }
    }
}
