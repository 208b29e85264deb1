//! The words in which a side describes itself that the Report does not have already.

use batchpipe_api::report::Role;

use super::conditions::Gate;

/// What must hold before a side is ready.
pub(super) const fn gates(role: Role) -> &'static [Gate] {
    match role {
        Role::Producer => &[Gate::Configuration, Gate::Brokers, Gate::Topic],
        Role::Consumer => &[Gate::Configuration, Gate::Brokers, Gate::Topic, Gate::Group],
    }
}

/// A moment as text, RFC 3339 in UTC.
pub(super) fn moment(unix_millis: i64) -> String {
    jiff::Timestamp::from_millisecond(unix_millis).unwrap_or(jiff::Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        assert_eq!(moment(1_700_000_000_500), "2023-11-14T22:13:20.5Z");
    }
}
