//! What of a message is still to be sent, in which requests, and what was refused. Pure.
//!
//! Requests are parts of the message, in order. A part that is refused for good is cut into halves, and these again,
//! until a record stands alone: that is the one at fault. What is delivered or refused is never sent again, however
//! often the rest has to be.

use std::ops::Range;

use super::{body::Layout, verdict::Verdict};
use crate::{
    lines::lines,
    sink::{Delivery, Refused},
};

/// Neighbouring records that are sent together.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    /// Their numbers in the message.
    records: Range<usize>,
    /// How often they were tried in vain.
    tries: u32,
}

/// One message's way to the receiver.
#[derive(Debug)]
pub(super) struct Plan {
    records: Vec<Range<usize>>,
    /// Whether a record is neither delivered nor refused.
    is_open: Vec<bool>,
    /// What is to be sent, the next one last. None is without an open record.
    parts: Vec<Part>,
    refused: Vec<usize>,
}

impl Plan {
    /// All records of a message, in requests of at most so many bytes.
    pub(super) fn new(delivery: &Delivery<'_>, layout: &Layout, most_bytes: usize) -> Self {
        let runs = delivery.runs.iter();
        let records: Vec<_> = runs.flat_map(|run| records(delivery.text, run)).collect();
        let mut parts: Vec<Part> = Vec::new();
        let mut bytes = 0;
        for (number, record) in records.iter().enumerate() {
            let size = layout.size_of(record);
            match parts.last_mut() {
                Some(Part { records, .. })
                    if bytes + size <= most_bytes && records.len() < layout.most_records =>
                {
                    records.end = number + 1;
                    bytes += size;
                }
                _ => {
                    parts.push(Part { records: number..number + 1, tries: 0 });
                    bytes = size;
                }
            }
        }
        parts.reverse();
        Self { is_open: vec![true; records.len()], records, parts, refused: Vec::new() }
    }

    /// Whether there is nothing left to send.
    pub(super) const fn is_sent(&self) -> bool {
        self.parts.is_empty()
    }

    /// The records of the next request.
    pub(super) fn next_request(&self) -> impl Iterator<Item = &Range<usize>> + Clone {
        self.next_numbers().map(|number| &self.records[number])
    }

    fn next_numbers(&self) -> impl Iterator<Item = usize> + Clone {
        let records = self.parts.last().map_or(0..0, |part| part.records.clone());
        records.filter(|number| self.is_open[*number])
    }

    /// Whether the next request is the first of all, and carries the whole message.
    pub(super) fn is_untouched(&self) -> bool {
        let [part] = &self.parts[..] else { return false };
        *part == Part { records: 0..self.records.len(), tries: 0 }
            && self.is_open.iter().all(|is_open| *is_open)
    }

    /// The receiver has the records of the last request.
    pub(super) fn deliver(&mut self) {
        if let Some(part) = self.parts.pop() {
            self.is_open[part.records].fill(false);
        }
    }

    /// It will not take them as they are: a single record is at fault, several are tried in two halves.
    pub(super) fn refuse(&mut self) {
        if let Some(part) = self.parts.last_mut() {
            part.tries = 0; // its halves are other requests
        }
        if !self.halve() {
            self.give_up();
        }
    }

    /// The last request is sent again in two halves, which count as tried as often; false when it has one record.
    pub(super) fn halve(&mut self) -> bool {
        let numbers: Vec<_> = self.next_numbers().collect();
        if numbers.len() <= 1 {
            return false;
        }
        let Some(Part { records, tries }) = self.parts.pop() else { return false };
        let middle = numbers[numbers.len() / 2];
        for records in [middle..records.end, records.start..middle] {
            self.parts.push(Part { records, tries });
        }
        true
    }

    /// It does not take them now. True when they may be tried again; with `max_tries` (unless 0) spent they are refused.
    pub(super) fn fail(&mut self, max_tries: u32) -> bool {
        let Some(part) = self.parts.last_mut() else { return false };
        part.tries = part.tries.saturating_add(1);
        let is_spent = max_tries > 0 && part.tries >= max_tries;
        if is_spent {
            self.give_up();
        }
        !is_spent
    }

    /// Takes a verdict on each record of the last request. True when some have to be tried again.
    pub(super) fn judge(&mut self, verdicts: &[Verdict]) -> bool {
        let numbers: Vec<_> = self.next_numbers().collect();
        for (number, verdict) in numbers.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Delivered => self.is_open[number] = false,
                Verdict::Refused => {
                    self.is_open[number] = false;
                    self.refused.push(number);
                }
                Verdict::Later => {}
            }
        }
        let is_left = self.next_numbers().next().is_some();
        if !is_left {
            self.parts.pop();
        }
        is_left
    }

    /// Refuses what the last request still has.
    fn give_up(&mut self) {
        let Some(part) = self.parts.pop() else { return };
        for number in part.records {
            if std::mem::replace(&mut self.is_open[number], false) {
                self.refused.push(number);
            }
        }
    }

    /// What was refused since this was last asked, in order.
    pub(super) fn take_refused(&mut self) -> Vec<Refused> {
        let mut numbers = std::mem::take(&mut self.refused);
        numbers.sort_unstable();
        let refused = |number: usize| Refused {
            number: u32::try_from(number).expect("a batch has at most u32::MAX records"),
            range: self.records[number].clone(),
        };
        numbers.into_iter().map(refused).collect()
    }
}

/// The records of a run.
fn records(text: &[u8], run: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let start = run.start;
    lines(&text[run.clone()]).map(move |line| start + line.start..start + line.end)
}

#[cfg(test)]
mod tests {
    use batchpipe_api::spec::sink::HttpFormat;

    use super::*;

    const TEXT: &[u8] = b"0\n1\n2\n3\n4\n5\n6\n7\n8\n9";

    fn plan(runs: &[Range<usize>], most_bytes: usize) -> Plan {
        let delivery =
            Delivery { offset: 0, timestamp_ms: 0, text: TEXT, runs, records: 10, packed: None };
        Plan::new(&delivery, &Layout::of(HttpFormat::Ndjson), most_bytes)
    }

    fn whole() -> Plan {
        plan(std::slice::from_ref(&(0..TEXT.len())), usize::MAX)
    }

    fn text(plan: &Plan) -> String {
        plan.next_request().map(|record| char::from(TEXT[record.start])).collect()
    }

    fn refused(plan: &mut Plan) -> Vec<u32> {
        plan.take_refused().into_iter().map(|refused| refused.number).collect()
    }

    /// Sends until nothing is left, to a receiver that refuses requests with any of these; what it took, and how
    /// many requests that needed.
    fn send_all(plan: &mut Plan, bad: &str) -> (String, u32) {
        let (mut taken, mut requests) = (String::new(), 0);
        while !plan.is_sent() {
            requests += 1;
            let request = text(plan);
            if request.contains(|record| bad.contains(record)) {
                plan.refuse();
            } else {
                taken.push_str(&request);
                plan.deliver();
            }
        }
        (taken, requests)
    }

    #[test]
    fn a_message_is_one_request() {
        let mut plan = whole();
        assert!(plan.is_untouched());
        assert_eq!(send_all(&mut plan, ""), ("0123456789".into(), 1));
        assert!(!plan.is_untouched());
        assert_eq!(refused(&mut plan), [0_u32; 0]);
    }

    #[test]
    fn refusals_are_narrowed_down_to_the_records_at_fault() {
        for bad in ["0", "9", "45", "0246", "0123456789"] {
            let mut plan = whole();
            let (taken, _) = send_all(&mut plan, bad);
            let good: String = ('0'..='9').filter(|record| !bad.contains(*record)).collect();
            assert_eq!(taken, good, "in order, each once");
            let numbers: Vec<_> = bad.bytes().map(|record| u32::from(record - b'0')).collect();
            assert_eq!(refused(&mut plan), numbers);
        }
    }

    #[test]
    fn one_record_at_fault_is_found_with_few_requests() {
        assert_eq!(send_all(&mut whole(), "7").1, 7);
    }

    #[test]
    fn large_messages_are_several_requests_in_order() {
        let mut plan = plan(std::slice::from_ref(&(0..TEXT.len())), 8);
        assert_eq!(text(&plan), "0123");
        assert!(!plan.is_untouched());
        plan.deliver();
        assert_eq!(text(&plan), "4567");
        plan.deliver();
        assert_eq!(text(&plan), "89");
    }

    #[test]
    fn a_record_that_is_larger_than_a_request_may_be_travels_alone() {
        let plan = plan(std::slice::from_ref(&(0..TEXT.len())), 1);
        assert_eq!(text(&plan), "0");
        assert_eq!(plan.parts.len(), 10);
    }

    #[test]
    fn only_what_is_in_the_runs_is_sent() {
        let mut plan = plan(&[2..5, 8..9], usize::MAX);
        assert_eq!(text(&plan), "124");
        assert_eq!(send_all(&mut plan, "4").0, "12");
        let refused = plan.take_refused();
        assert_eq!(refused, [Refused { number: 2, range: 8..9 }]);
    }

    #[test]
    fn each_record_of_a_bulk_has_its_own_fate() {
        let mut plan = whole();
        let mut verdicts = [Verdict::Delivered; 10];
        (verdicts[3], verdicts[5], verdicts[8]) =
            (Verdict::Later, Verdict::Refused, Verdict::Later);
        assert!(plan.judge(&verdicts));
        assert_eq!(text(&plan), "38", "alone");
        assert!(plan.judge(&[Verdict::Delivered, Verdict::Later]));
        assert!(!plan.judge(&[Verdict::Refused]));
        assert!(plan.is_sent());
        assert_eq!(refused(&mut plan), [5, 8]);
    }

    #[test]
    fn tries_are_counted_for_each_request_and_spent_ones_refuse_what_is_left() {
        let mut plan = whole();
        assert!(plan.fail(3));
        assert!(!plan.is_untouched());
        plan.refuse();
        assert!(plan.fail(3) && plan.fail(3), "half of it is another request");
        assert!(!plan.fail(3));
        assert_eq!(refused(&mut plan), [0, 1, 2, 3, 4]);
        assert_eq!(text(&plan), "56789");
        assert!((0..1000).all(|_| plan.fail(0)), "without a limit for ever");
    }

    #[test]
    fn halves_of_a_request_that_is_tried_again_count_as_tried() {
        let mut plan = whole();
        assert!(plan.fail(2));
        assert!(plan.halve());
        assert_eq!(text(&plan), "01234");
        assert!(!plan.fail(2), "that was its second try");
        assert_eq!((text(&plan).as_str(), refused(&mut plan).len()), ("56789", 5));
        let mut single = self::plan(std::slice::from_ref(&(0..1)), usize::MAX);
        assert!(!single.halve());
        assert_eq!(text(&single), "0");
    }

    #[test]
    fn halves_are_halves_of_what_is_left() {
        let mut plan = whole();
        let mut verdicts = [Verdict::Delivered; 10];
        (verdicts[0], verdicts[1]) = (Verdict::Later, Verdict::Later);
        plan.judge(&verdicts);
        plan.refuse();
        assert_eq!(text(&plan), "0");
        plan.deliver();
        assert_eq!(text(&plan), "1");
        plan.deliver();
        assert!(plan.is_sent());
    }
}
