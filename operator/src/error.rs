//! Errors for people: each error prints only its own layer, and the chain is put together once, at the edge.

use std::{error::Error, fmt::Write as _};

/// The error and all its causes in one line. A cause that the layer above it has printed already is left out.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let layer = error.to_string();
        if !text.contains(&layer) {
            write!(text, ": {layer}").expect("a String takes everything");
        }
        cause = error.source();
    }
    text
}

/// What the client says, without the noise of its own layers: the API server's message, or the chain.
pub fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        kube::Error::Service(inner) => chain(inner.as_ref()),
        other => chain(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot start")]
    struct Outer(#[source] std::io::Error);

    #[derive(Debug, thiserror::Error)]
    #[error("cannot start: no memory")]
    struct Talkative(#[source] std::io::Error);

    #[test]
    fn causes_follow_the_error() {
        assert_eq!(chain(&Outer(std::io::Error::other("no memory"))), "cannot start: no memory");
    }

    #[test]
    fn what_was_said_is_not_said_twice() {
        assert_eq!(
            chain(&Talkative(std::io::Error::other("no memory"))),
            "cannot start: no memory"
        );
    }
}
