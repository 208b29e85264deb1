//! A request with its headers. Pure.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT},
};
use http_body_util::Full;

use super::{access::Presented, target::Target};

const AGENT: &str = concat!("batchpipe/", env!("CARGO_PKG_VERSION"));

/// What a request carries.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    /// The header `content-type`.
    pub(super) content_type: &'static str,
    /// The header `content-encoding`, when the bytes are compressed.
    pub(super) coding: Option<&'static str>,
}

/// Asks the receiver to take this body.
pub(super) fn build(target: &Target, presented: &Presented, body: Body) -> Request<Full<Bytes>> {
    let Body { bytes, content_type, coding } = body;
    let mut request = Request::new(Full::new(bytes));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target.uri().clone();
    let headers: &mut HeaderMap = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    if let Some(coding) = coding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    if let Some(authorization) = &presented.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    request
}
