//! What a request is about, as RBAC calls it. Pure.

use http::Method;

/// A verb of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// Reads one object, or anything that is no object.
    Get,
    /// Reads many.
    List,
    /// Follows many.
    Watch,
    /// Makes an object.
    Create,
    /// Replaces one.
    Update,
    /// Changes one, server-side apply included.
    Patch,
    /// Removes one.
    Delete,
}

impl Verb {
    /// The verb of a request. Lists and watches of this process always say how much or that they watch.
    pub fn of<B>(request: &http::Request<B>) -> Self {
        let has = |name: &str| {
            let query = request.uri().query().unwrap_or_default();
            query.split('&').any(|pair| pair.split('=').next() == Some(name))
        };
        match *request.method() {
            Method::POST => Self::Create,
            Method::PUT => Self::Update,
            Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            _ if has("watch") => Self::Watch,
            _ if has("limit") => Self::List,
            _ => Self::Get,
        }
    }

    /// Its name in RBAC and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }

    /// Whether it changes something.
    pub const fn is_mutating(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Patch | Self::Delete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verb(method: Method, uri: &str) -> Verb {
        Verb::of(&http::Request::builder().method(method).uri(uri).body(()).unwrap())
    }

    #[test]
    fn requests_are_told_apart_by_method_and_query() {
        let pods = "/api/v1/namespaces/a/pods";
        assert_eq!(verb(Method::GET, pods), Verb::Get);
        assert_eq!(verb(Method::GET, &format!("{pods}?&limit=500")), Verb::List);
        assert_eq!(
            verb(Method::GET, &format!("{pods}?&watch=true&timeoutSeconds=60")),
            Verb::Watch
        );
        assert_eq!(verb(Method::PATCH, &format!("{pods}/x?&force=true")), Verb::Patch);
    }

    #[test]
    fn only_reading_changes_nothing() {
        let reading = [Verb::Get, Verb::List, Verb::Watch];
        assert!(reading.iter().all(|verb| !verb.is_mutating()));
        assert!(
            [Verb::Create, Verb::Update, Verb::Patch, Verb::Delete]
                .iter()
                .all(|it| it.is_mutating())
        );
    }
}
