//! What the program's metrics say. Pure but for printing.

use std::collections::BTreeMap;

const REQUESTS: &str = "batchpipe_operator_api_requests_total{verb=";
const BUCKETS: &str = "batchpipe_operator_reconcile_duration_seconds_bucket{le=\"";
/// The only verb that nothing but the Lease is written with.
const OF_LEASES: &str = "\"update\"";
const WRITES: [&str; 3] = ["\"create\"", "\"patch\"", "\"delete\""];

/// The counters and gauges of one moment, or of the time between two.
#[derive(Clone, Debug)]
pub(super) struct Figures(BTreeMap<String, u64>);

impl Figures {
    pub(super) fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| line.starts_with("batchpipe_"));
        let pair = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Self(lines.filter_map(pair).collect())
    }

    /// What was added since.
    pub(super) fn since(&self, before: &Self) -> Self {
        let earlier = |name: &String| before.0.get(name).copied().unwrap_or(0);
        let of =
            |(name, value): (&String, &u64)| (name.clone(), value.saturating_sub(earlier(name)));
        Self(self.0.iter().map(of).collect())
    }

    fn sum(&self, is_wanted: impl Fn(&str) -> bool) -> u64 {
        self.0.iter().filter(|(name, _)| is_wanted(name)).map(|it| it.1).sum()
    }

    fn sum_of_requests(&self, is_wanted: impl Fn(&str) -> bool) -> u64 {
        self.sum(|name| name.strip_prefix(REQUESTS).is_some_and(&is_wanted))
    }

    /// Everything that was written but the Lease.
    pub(super) fn writes(&self) -> u64 {
        self.sum_of_requests(|rest| WRITES.iter().any(|verb| rest.starts_with(verb)))
    }

    fn requests(&self) -> u64 {
        self.sum_of_requests(|rest| !rest.starts_with(OF_LEASES))
    }

    pub(super) fn reconciliations(&self) -> u64 {
        self.sum(|name| name.starts_with("batchpipe_operator_reconciliations_total"))
    }

    /// How many pipelines are said to run.
    pub(super) fn running(&self) -> u64 {
        self.sum(|name| name == "batchpipe_operator_pipelines{phase=\"Running\"}")
    }

    /// Prints what each of `count` pipelines took.
    pub(super) fn print_per(&self, what: &str, count: usize) {
        let each = |total: u64| {
            let tenths = total * 10 / count as u64;
            format!("{}.{}", tenths / 10, tenths % 10)
        };
        println!("for each pipeline that is {what}");
        println!("{:<44} {:>10}", "  API requests", each(self.requests()));
        println!("{:<44} {:>10}", "  of these, writes", each(self.writes()));
        println!("{:<44} {:>10}", "  reconciliations", each(self.reconciliations()));
    }

    /// Prints the bounds of the buckets in which the median and the slowest hundredth are.
    pub(super) fn print_latencies(&self) {
        for percent in [50, 99] {
            let at_most = self.percentile(percent) * 1000.0;
            let name = format!("  reconciliation, p{percent}");
            println!("{name:<44} {at_most:>10.0} ms at most");
        }
    }

    fn percentile(&self, percent: u64) -> f64 {
        let bound = |(name, count): (&String, &u64)| {
            let bound = name.strip_prefix(BUCKETS)?.strip_suffix("\"}")?;
            Some((bound.parse().unwrap_or(f64::INFINITY), *count))
        };
        let mut buckets: Vec<(f64, u64)> = self.0.iter().filter_map(bound).collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let all = buckets.last().map_or(0, |it| it.1);
        let found = buckets.iter().find(|it| it.1 * 100 >= percent * all);
        found.map_or(f64::NAN, |it| it.0)
    }
}
