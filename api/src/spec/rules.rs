//! Bounds of sizes and times, which a schema can only say in CEL.

use kube::core::Rule;

/// A size from `least` to `most`, both included.
pub(crate) fn size_between(least: &str, most: &str) -> Rule {
    Rule::new(format!(
        "quantity(self).compareTo(quantity('{least}')) >= 0 && quantity(self).compareTo(quantity('{most}')) <= 0"
    ))
    .message(format!("must be {least} to {most}").as_str())
}

/// A time from `least` to `most`, both included.
pub(crate) fn time_between(least: &str, most: &str) -> Rule {
    Rule::new(format!(
        "duration(self) >= duration('{least}') && duration(self) <= duration('{most}')"
    ))
    .message(format!("must be {least} to {most}").as_str())
}
