//! The binary in the hands of somebody who gets it wrong. No broker is needed: nothing here may reach for one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod commands;
mod demo;
mod folder;
mod http_source;
mod invalid;
mod overrides;
mod places;
mod program;
mod silence;
mod tune;
mod unsupported;

/// A pipeline whose parts a test can choose.
fn pipeline(brokers: &str, source: &str, sink: &str) -> String {
    format!(
        "{{apiVersion: batchpipe.dev/v1alpha1, kind: BatchPipeline, metadata: {{name: usage}}, spec: {{kafka: \
         {{bootstrapServers: '{brokers}'}}, producer: {{source: {source}}}, consumer: {{sink: {sink}}}}}}}"
    )
}

/// A valid pipeline with these brokers.
fn simple(brokers: &str) -> String {
    pipeline(brokers, "{generator: {limit: 1}}", "{blackhole: {}}")
}

impl program::Ended {
    /// Fails unless it was refused as wrong usage, with all of these words.
    fn refused(&self, words: &[&str]) {
        assert_eq!(self.code, Some(2), "{self:#?}");
        assert_eq!(self.stdout, "", "{self:#?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not said: {self:#?}");
        }
    }
}
