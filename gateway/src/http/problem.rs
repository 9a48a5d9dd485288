//! Refusals as RFC 9457 problem details.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;
use warp::http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use warp::http::{Response, StatusCode};
use wire::ErrorCode;

use crate::answer;
use crate::refusal::Refusal;

/// Problem types are tags (RFC 4151): names, not pages.
const TYPE_PREFIX: &str = "tag:classifierfleet.dev,2026:";

#[derive(Debug, Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    /// The worker's own word for what is wrong with an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<ErrorCode>,
    /// Each image of a request that had several, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Value>,
}

/// The response to a refused request; `images` are those of a request that had several.
pub(crate) fn response(refusal: &Refusal, images: Vec<Value>) -> Response<String> {
    let (status, name, title) = refusal.class();
    log(refusal, status);
    let code = match refusal {
        Refusal::Failed { code, .. } => Some(*code),
        _ => None,
    };
    let id = refusal.id();
    let problem = Problem {
        kind: format!("{TYPE_PREFIX}{name}"),
        title,
        status: status.as_u16(),
        detail: detail(refusal, &images),
        instance: id.map(answer::url),
        id,
        code,
        images,
    };
    let mut response = Response::new(serde_json::to_string(&problem).unwrap_or_default());
    *response.status_mut() = status;
    set_headers(&mut response, refusal);
    response
}

fn detail(refusal: &Refusal, images: &[Value]) -> String {
    if images.is_empty() {
        return refusal.to_string();
    }
    let good = images.iter().filter(|image| image["status"] == "Classified" || image["status"] == "Pending").count();
    format!("{good} of {} images are classified or wait for it, see each under images; the gravest problem is: {refusal}", images.len())
}

fn set_headers(response: &mut Response<String>, refusal: &Refusal) {
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    let mut set = |name: HeaderName, value: HeaderValue| headers.insert(name, value);
    if let Some(seconds) = refusal.retry_after() {
        set(RETRY_AFTER, seconds.into());
    }
    if status == StatusCode::UNAUTHORIZED {
        set(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Refusal::MethodNotAllowed { allow, .. } = refusal {
        set(ALLOW, HeaderValue::from_static(allow));
    }
}

/// What the operator of the gateway must know; what is wrong with requests, the requester is told.
fn log(refusal: &Refusal, status: StatusCode) {
    match refusal {
        Refusal::Unavailable { source } => tracing::warn!(error = %source, "an upload or a lookup failed for want of AWS"),
        Refusal::Disk { source } => tracing::warn!(error = %source, "an upload could not be written into the spool folder"),
        _ if status.is_server_error() => tracing::warn!(reason = %refusal, status = status.as_u16(), "a request could not be served"),
        _ => tracing::debug!(reason = %refusal, status = status.as_u16(), "a request was refused"),
    }
}
