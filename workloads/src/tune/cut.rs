//! Where batches begin and end: the batcher's limits without its clock. Pure.

use std::ops::Range;

use super::sample::Sample;

/// A batch of the sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Where its records are in the sample, by number.
    pub(super) records: Range<usize>,
    /// Where they are in its text.
    pub(super) text: Range<usize>,
}

impl Cut {
    /// Number of records.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.records.len()).expect("a sample has fewer than 2^32 records")
    }
}

/// All batches of the sample with one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) max_records: u32,
    pub(super) cuts: Vec<Cut>,
}

impl Layout {
    /// Fills one batch after the other as a producer that never waits would.
    pub(super) fn new(sample: &Sample, max_records: u32, max_bytes: usize) -> Self {
        let (mut cuts, mut first) = (Vec::new(), 0);
        while first < sample.len() {
            let start = sample.start(first);
            let reach = sample.len().min(first + max_records as usize);
            let next = (first + 1..reach).find(|next| sample.end(*next) - start > max_bytes);
            let next = next.unwrap_or(reach);
            cuts.push(Cut { records: first..next, text: start..sample.end(next - 1) });
            first = next;
        }
        Self { max_records, cuts }
    }
}

/// A layout for each limit that makes a difference, and the limits that make none. Limits in rising order.
pub(super) fn layouts(
    sample: &Sample,
    limits: &[u32],
    max_bytes: usize,
) -> (Vec<Layout>, Vec<u32>) {
    let (mut layouts, mut left_out) = (Vec::<Layout>::new(), Vec::new());
    for limit in limits {
        let is_fillable = *limit as usize <= sample.len() || layouts.is_empty();
        let layout = Layout::new(sample, *limit, max_bytes);
        let is_new = layouts.last().is_none_or(|last| last.cuts != layout.cuts);
        if is_fillable && is_new {
            layouts.push(layout);
        } else {
            left_out.push(*limit);
        }
    }
    (layouts, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::sample::Limits;

    fn sample(text: &str) -> Sample {
        let limits = Limits { records: 0, bytes: 1 << 20, record_bytes: 100 };
        Sample::read(text.as_bytes(), &limits).unwrap()
    }

    fn texts(max_records: u32, max_bytes: usize) -> Vec<String> {
        let sample = sample("1\n22\n3\n4444\n5");
        let layout = Layout::new(&sample, max_records, max_bytes);
        let text = |cut: &Cut| String::from_utf8_lossy(&sample.text()[cut.text.clone()]).into();
        layout.cuts.iter().map(text).collect()
    }

    #[test]
    fn a_batch_ends_at_the_first_limit() {
        assert_eq!(texts(2, 100), ["1\n22", "3\n4444", "5"]);
        assert_eq!(texts(9, 4), ["1\n22", "3", "4444", "5"]);
        assert_eq!(texts(9, 100), ["1\n22\n3\n4444\n5"]);
        assert_eq!(texts(1, 1), ["1", "22", "3", "4444", "5"], "a large record travels alone");
    }

    #[test]
    fn limits_that_change_nothing_are_left_out() {
        let sample = sample("1\n2\n3\n4");
        let chosen = |limits, max_bytes| {
            let (layouts, left_out) = layouts(&sample, limits, max_bytes);
            let sizes: Vec<_> = layouts.iter().map(|layout| layout.max_records).collect();
            (sizes, left_out)
        };
        assert_eq!(chosen(&[1, 2, 4, 5], 100), (vec![1, 2, 4], vec![5]));
        assert_eq!(chosen(&[10, 20], 100), (vec![10], vec![20]));
        assert_eq!(chosen(&[1, 2, 3, 4], 3), (vec![1, 2], vec![3, 4]));
    }
}
