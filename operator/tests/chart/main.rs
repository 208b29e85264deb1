//! What the Helm chart renders, by the real helm: the defaults as committed, each option, what is refused, what the
//! operator may do, and whether the chart's documentation says what is so. No cluster is needed.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests do")]

mod documentation;
mod golden;
mod helm;
mod identity;
mod metrics;
mod monitoring;
mod options;
mod refusals;
mod roles;
mod security;
mod values;
