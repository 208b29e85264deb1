//! A delivery as the byte slices that make it complete lines, without copying a record.

use super::Delivery;

const NEWLINE: &[u8] = b"\n";

/// The records of a delivery in order, each followed by `\n`. Inside a batch a run's terminator is already
/// there (it is the separator to what comes next), so only the end of the batch needs one from elsewhere.
pub(super) fn terminated<'a>(delivery: &Delivery<'a>) -> Vec<&'a [u8]> {
    let mut slices = Vec::with_capacity(delivery.runs.len() + 1);
    for run in delivery.runs {
        if delivery.text.get(run.end) == Some(&b'\n') {
            slices.push(&delivery.text[run.start..=run.end]);
        } else {
            slices.push(&delivery.text[run.clone()]);
            slices.push(NEWLINE);
        }
    }
    slices
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    fn joined(text: &[u8], runs: &[Range<usize>]) -> Vec<u8> {
        terminated(&Delivery { offset: 0, timestamp_ms: 0, text, runs, records: 0, packed: None })
            .concat()
    }

    #[test]
    fn a_flawless_batch_gets_one_terminator() {
        let whole = 0..5;
        assert_eq!(joined(b"11\n22", std::slice::from_ref(&whole)), b"11\n22\n");
    }

    #[test]
    fn what_is_between_the_runs_is_left_out() {
        assert_eq!(joined(b"11\nbad\n22\nbad\n33", &[0..2, 7..9, 14..16]), b"11\n22\n33\n");
        assert_eq!(joined(b"bad\n22\nbad", std::slice::from_ref(&(4..6))), b"22\n");
    }

    #[test]
    fn no_runs_are_no_bytes() {
        assert_eq!(joined(b"bad", &[]), b"");
    }
}
