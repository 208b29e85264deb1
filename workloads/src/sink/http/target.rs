//! Where requests go, and how that is called in messages: without path and query, in which tokens may be. Pure.

use std::fmt;

use http::{Uri, uri::InvalidUri};

/// A receiver's address.
#[derive(Clone)]
pub(super) struct Target {
    uri: Uri,
}

impl Target {
    /// Reads `spec.consumer.sink.http.url`.
    pub(super) fn parse(url: &str) -> Result<Self, InvalidUri> {
        Ok(Self { uri: url.parse()? })
    }

    pub(super) const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Whether what is sent can be read by others on its way.
    pub(super) fn is_encrypted(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        write!(formatter, "{scheme}://{authority}")
    }
}

/// Also what is meant for us may end in a log.
impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_path_nor_query_is_shown() {
        let target =
            Target::parse("https://hooks.example.com:8443/T0/s3cret?token=hunter2#x").unwrap();
        assert_eq!(target.to_string(), "https://hooks.example.com:8443");
        assert_eq!(target.uri().path_and_query().unwrap(), "/T0/s3cret?token=hunter2");
        assert_eq!(format!("{target:?}"), target.to_string());
        assert!(target.is_encrypted());
    }

    #[test]
    fn an_address_without_a_path_asks_for_the_root() {
        let target = Target::parse("http://[::1]").unwrap();
        assert_eq!((target.to_string().as_str(), target.uri().path()), ("http://[::1]", "/"));
        assert!(!target.is_encrypted());
    }
}
