//! A request with its headers. Pure.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request,
    header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT},
};
use http_body_util::Full;

use super::{access::Presented, target::Target};

const AGENT: &str = concat!("batchpipe/", env!("CARGO_PKG_VERSION"));

/// Asks the receiver to take this body.
pub(super) fn build(
    target: &Target,
    presented: &Presented,
    content_type: &'static str,
    body: Bytes,
) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target.uri().clone();
    let headers: &mut HeaderMap = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    if let Some(authorization) = &presented.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    request
}
