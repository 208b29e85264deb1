//! What has to change outside before Kafka can be used: a reason, words, and the condition that does not hold.

use batchpipe_api::conditions::reasons;

use super::topics::TopicError;
use crate::secrets::SecretError;
use crate::{
    admin::{Gate, Side},
    error::chain,
};

/// What has to change outside before Kafka can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// One of [`batchpipe_api::conditions::reasons`].
    pub reason: &'static str,
    /// The same in words.
    pub what: String,
}

impl Waiting {
    /// Which condition of readiness does not hold.
    pub fn gate(&self) -> Gate {
        match self.reason {
            reasons::SECRET_MISSING => Gate::Configuration,
            reasons::BROKERS_UNREACHABLE | reasons::AUTHENTICATION_FAILED => Gate::Brokers,
            _ => Gate::Topic,
        }
    }

    /// Whether it is worth a line in the log after this one. Which broker is tried, and how it fails, may change
    /// at every try; that is none.
    pub fn is_news_after(&self, before: Option<&Self>) -> bool {
        match before {
            Some(before) if self.gate() == Gate::Brokers => before.reason != self.reason,
            _ => before != Some(self),
        }
    }

    /// Closes the gate, and opens those that come before it.
    pub fn tell(&self, side: &Side) {
        let gate = self.gate();
        if gate != Gate::Configuration {
            side.gate(Gate::Configuration).open();
        }
        if gate == Gate::Topic {
            side.gate(Gate::Brokers).open(); // they have answered
        }
        side.gate(gate).close(self.reason, &self.what);
    }
}

impl From<&SecretError> for Waiting {
    fn from(error: &SecretError) -> Self {
        let reason = match error {
            SecretError::Missing { .. } | SecretError::Unreadable { .. } => reasons::SECRET_MISSING,
            SecretError::NotText { .. } | SecretError::NoCertificate { .. } => {
                reasons::AUTHENTICATION_FAILED
            }
        };
        Self { reason, what: error.to_string() }
    }
}

impl From<&TopicError> for Waiting {
    fn from(error: &TopicError) -> Self {
        let reason = match error {
            TopicError::Secret(error) => return error.into(),
            TopicError::Unreachable { .. } => reasons::BROKERS_UNREACHABLE,
            TopicError::LoginFailed { .. } | TopicError::Credentials { .. } => {
                reasons::AUTHENTICATION_FAILED
            }
            TopicError::Unauthorized { .. } => reasons::AUTHORIZATION_FAILED,
            TopicError::Settings { .. } => reasons::INVALID_SPEC,
            TopicError::Missing { .. }
            | TopicError::Create { .. }
            | TopicError::Unusable { .. } => reasons::TOPIC_MISSING,
        };
        Self { reason, what: chain(error) }
    }
}

#[cfg(test)]
mod tests {
    use batchpipe_api::report::missing_topic;

    use super::*;

    #[test]
    fn a_topic_that_does_not_exist_is_told_in_the_words_that_the_operator_knows() {
        let waiting = Waiting::from(&TopicError::Missing { topic: "t".to_owned() });
        assert_eq!(waiting.reason, reasons::TOPIC_MISSING);
        assert!(waiting.what.starts_with(&missing_topic("t")), "{}", waiting.what);
    }
}
