//! Makes what is applied readable for the API server. An apply is read as YAML, which knows fewer characters than JSON:
//! DEL and some more are refused as they stand, and line separators would be folded away. All of them may be escaped.
//!
//! They are escaped here, in the one place that every request passes, because none of them occurs in JSON but in texts.

use std::{
    fmt::Write as _,
    task::{Context, Poll},
};

use futures_util::FutureExt as _;
use http::header::CONTENT_TYPE;
use kube::client::Body;
use tower::BoxError;

use super::{Answer, Call};

/// How an apply calls its body, which is JSON all the same.
const APPLY: &str = "application/apply-patch+yaml";

/// The layer.
#[derive(Debug)]
pub(super) struct Escape<S> {
    inner: S,
}

impl<S> Escape<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S> tower::Service<Call> for Escape<S>
where
    S: tower::Service<Call, Response = Answer, Error = BoxError>,
{
    type Response = Answer;
    type Error = BoxError;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Call) -> S::Future {
        let is_apply = request.headers().get(CONTENT_TYPE).is_some_and(|it| it == APPLY);
        let escaped = Some(request.body()).filter(|_| is_apply).and_then(escaped_body);
        self.inner.call(match escaped {
            Some(body) => request.map(|_| body),
            None => request,
        })
    }
}

/// The same body where something in it had to be escaped. What is applied is there as a whole, never a stream.
fn escaped_body(body: &Body) -> Option<Body> {
    let bytes = body.try_clone()?.collect_bytes().now_or_never()?.ok()?;
    let text = std::str::from_utf8(&bytes).ok().filter(|text| text.contains(is_unreadable))?;
    Some(Body::from(escape(text).into_bytes()))
}

/// Whether YAML does not take a character as it stands, or takes it for a line break.
const fn is_unreadable(character: char) -> bool {
    matches!(
        character,
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
    )
}

fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_unreadable(character) {
            write!(escaped, "\\u{:04x}", u32::from(character)).expect("a String takes everything");
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tower::{ServiceExt, service_fn};

    use super::*;

    const TEXT: &str = "a\u{7f}\u{80}\u{85}\u{9f}\u{a0}\u{2028}\u{feff}\u{ffff}\u{1f600}\u{e4}\n";

    /// What reaches the API server of a body that is called so.
    async fn sent(kind: &str, body: &str) -> String {
        let seen = Arc::new(Mutex::new(String::new()));
        let noted = Arc::clone(&seen);
        let server = service_fn(move |request: Call| {
            let noted = Arc::clone(&noted);
            async move {
                let bytes = request.into_body().collect_bytes().await?;
                *noted.lock().unwrap() = String::from_utf8(bytes.to_vec())?;
                Err::<Answer, BoxError>("no answer".into())
            }
        });
        let mut request = Call::new(Body::from(body.as_bytes().to_vec()));
        request.headers_mut().insert(CONTENT_TYPE, kind.parse().unwrap());
        let _ = Escape::new(server).oneshot(request).await;
        let seen = seen.lock().unwrap();
        seen.clone()
    }

    #[tokio::test]
    async fn what_is_applied_has_no_character_that_yaml_refuses_and_says_the_same() {
        let json = serde_json::to_string(&[TEXT]).unwrap();
        let sent = sent(APPLY, &json).await;
        assert!(!sent.contains(is_unreadable), "{sent:?}");
        assert!(sent.contains(r"a\u007f\u0080\u0085\u009f"), "{sent:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&sent).unwrap(), [TEXT]);
    }

    #[tokio::test]
    async fn everything_else_is_sent_as_it_is() {
        let json = serde_json::to_string(&[TEXT]).unwrap();
        assert_eq!(sent("application/merge-patch+json", &json).await, json);
        assert_eq!(sent(APPLY, r#"{"a": "b"}"#).await, r#"{"a": "b"}"#);
    }
}
