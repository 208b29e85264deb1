//! Whether the documents say of the operator what is so: its status, metrics, variables, rights, alerts and the
//! chart's values. No cluster and no helm is needed.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests do")]

mod chart;
mod metrics;
mod places;
mod status;
mod table;
mod variables;
