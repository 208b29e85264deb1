//! From the client's errors to what people and the queue have to know of them. Pure.

use batchpipe_api::conditions::reasons;
use kube::core::Status;

use super::Failure;
use crate::error::words;

/// What was tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt<'a> {
    pub(super) verb: &'static str,
    pub(super) kind: &'a str,
    /// The plural and its group, as RBAC writes them.
    pub(super) resource: &'a str,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

impl Attempt<'_> {
    fn object(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }

    /// What came of it.
    pub(super) fn failed(&self, error: &kube::Error) -> Failure {
        match error {
            kube::Error::Api(status) if status.code == 403 && !is_ending(status) => {
                self.refused(&words(error))
            }
            _ if is_invalid(error) => self.invalid(&words(error)),
            _ => self.troubled(&words(error)),
        }
    }

    /// What is wanted was found to be right, as far as it could be: this is about the object that is there.
    fn invalid(&self, why: &str) -> Failure {
        let message = format!(
            "the API server refuses to {} {}: {why}; it is tried again, and made anew when it is deleted",
            self.verb,
            self.object()
        );
        Failure { object: self.object(), reason: reasons::API_ERROR, message, is_passing: false }
    }

    /// Somebody else changes it again and again.
    pub(super) fn contested(&self, by: Option<&str>) -> Failure {
        let (object, namespace) = (self.object(), self.namespace);
        let message = match by {
            Some(by) => format!(
                "{object} is changed again and again by {by}, and put back more seldom; \
                 change the pipeline instead, and keep {by} from it"
            ),
            None => format!(
                "{object} is changed again and again by another operator, and put back more seldom; \
                 let only one release look after namespace {namespace}"
            ),
        };
        Failure { object: self.object(), reason: reasons::CONFLICT, message, is_passing: false }
    }

    fn refused(&self, why: &str) -> Failure {
        let Self { verb, resource, namespace, .. } = self;
        let message = format!(
            "the API server refuses to {verb} {resource} in namespace {namespace}: {why}; \
             if it is about the operator's rights, give its Role this verb"
        );
        Failure { object: self.object(), reason: reasons::FORBIDDEN, message, is_passing: false }
    }

    fn troubled(&self, why: &str) -> Failure {
        let message = format!("cannot {} {}: {why}; it is tried again", self.verb, self.object());
        Failure { object: self.object(), reason: reasons::API_ERROR, message, is_passing: true }
    }

    /// Something else has the name.
    pub(super) fn taken(&self, why: &str) -> Failure {
        let message = format!(
            "{} exists already and is not touched: {why}; remove or rename it, or give the pipeline another name",
            self.object()
        );
        Failure { object: self.object(), reason: reasons::CONFLICT, message, is_passing: false }
    }

    /// The name becomes free by itself.
    pub(super) fn leaving(&self, why: &str) -> Failure {
        let message = format!("{} {why}; it is made again when it is gone", self.object());
        Failure { object: self.object(), reason: reasons::API_ERROR, message, is_passing: true }
    }

    /// This kind cannot be seen.
    pub(super) fn unseen(&self, why: &str) -> Failure {
        Failure { object: self.object(), ..blind(self.kind, why) }
    }
}

/// A kind cannot be seen, so nothing can be said or done about it.
pub(super) fn blind(kind: &str, why: &str) -> Failure {
    let message = format!(
        "the API server refuses to list or watch {kind}: {why}; give the operator's Role the verbs list and watch"
    );
    Failure { object: kind.to_owned(), reason: reasons::FORBIDDEN, message, is_passing: false }
}

/// Whether the API server says that the object would not be valid.
fn is_invalid(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if is_refusal(status))
}

/// Whether an answer says so.
pub(super) const fn is_refusal(status: &Status) -> bool {
    matches!(status.code, 400 | 422)
}

/// The namespace is being deleted: a refusal that no Role is to blame for.
fn is_ending(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ATTEMPT: Attempt<'static> = Attempt {
        verb: "patch",
        kind: "Deployment",
        resource: "deployments.apps",
        namespace: "a",
        name: "demo-producer",
    };

    fn failed(code: u16) -> Failure {
        let status = Status::failure("no", "Because").with_code(code);
        ATTEMPT.failed(&kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn a_refusal_names_the_verb_and_the_resource_and_waits_for_somebody() {
        let failure = failed(403);
        assert_eq!((failure.reason, failure.is_passing), (reasons::FORBIDDEN, false));
        assert!(
            failure.message.contains("patch deployments.apps in namespace a"),
            "{}",
            failure.message
        );
    }

    #[test]
    fn a_refusal_because_the_namespace_is_being_deleted_is_no_lack_of_a_right() {
        let of = |cause: &str| {
            let answer = json!({"status": "Failure", "message": "no", "reason": "Forbidden", "code": 403,
                "details": {"causes": [{"reason": cause}]}});
            let status: Status = serde_json::from_value(answer).unwrap();
            ATTEMPT.failed(&kube::Error::Api(Box::new(status)))
        };
        let ending = of("NamespaceTerminating");
        assert_eq!((ending.reason, ending.is_passing), (reasons::API_ERROR, true));
        assert_eq!(of("FieldValueForbidden").reason, reasons::FORBIDDEN);
    }

    #[test]
    fn everything_else_may_pass() {
        for code in [409, 410, 429, 500, 503] {
            let failure = failed(code);
            assert_eq!((failure.reason, failure.is_passing), (reasons::API_ERROR, true), "{code}");
            assert!(failure.message.contains("Deployment demo-producer"), "{}", failure.message);
        }
    }

    #[test]
    fn what_is_refused_as_invalid_waits_for_somebody() {
        for code in [400, 422] {
            let failure = failed(code);
            assert_eq!((failure.reason, failure.is_passing), (reasons::API_ERROR, false), "{code}");
        }
    }

    #[test]
    fn who_fights_for_a_child_is_named() {
        let message = |by| ATTEMPT.contested(by).message;
        assert!(message(Some("kubectl-edit")).contains("by kubectl-edit"));
        assert!(message(None).contains("another operator"));
    }
}
