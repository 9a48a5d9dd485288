//! Refusals in the words of each service. Pure.

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Response, StatusCode};

use super::server::Answer;
use super::{Refusal, Service};

/// The answer of a `service` that says no.
pub(super) fn refusal(service: Service, refusal: Refusal) -> Response<Answer> {
    let (status, code) = code(service, refusal);
    let message = "The relay was told to answer so.";
    let (content_type, body) = match service {
        Service::Ec2 => (
            "text/xml;charset=UTF-8",
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>relay</RequestID></Response>"
            ),
        ),
        Service::S3 => (
            "application/xml",
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>relay</RequestId></Error>"),
        ),
        Service::Sqs => {
            ("application/x-amz-json-1.0", serde_json::json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": message}).to_string())
        }
        Service::Kubernetes => (
            "application/json",
            serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": code, "code": status.as_u16()})
                .to_string(),
        ),
    };
    let mut answer = Response::new(whole(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    answer
}

/// The answer when the server behind the relay cannot be reached.
pub(super) fn unreachable(reason: &str) -> Response<Answer> {
    let mut answer = Response::new(whole(Bytes::from(format!("the relay cannot reach the server: {reason}\n"))));
    *answer.status_mut() = StatusCode::BAD_GATEWAY;
    answer
}

pub(super) fn whole(body: Bytes) -> Answer {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

/// As the services document their errors.
fn code(service: Service, refusal: Refusal) -> (StatusCode, &'static str) {
    let (unavailable, internal) = (StatusCode::SERVICE_UNAVAILABLE, StatusCode::INTERNAL_SERVER_ERROR);
    match (service, refusal) {
        (Service::Ec2, Refusal::NoCapacity) => (internal, "InsufficientInstanceCapacity"),
        (Service::Ec2, Refusal::Throttled) => (unavailable, "RequestLimitExceeded"),
        (Service::S3, Refusal::Throttled) => (unavailable, "SlowDown"),
        (Service::Sqs, Refusal::Throttled) => (StatusCode::BAD_REQUEST, "RequestThrottled"),
        (Service::Kubernetes, Refusal::Throttled) => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
        (Service::Ec2, Refusal::Unavailable) => (unavailable, "Unavailable"),
        (_, Refusal::Unavailable | Refusal::NoCapacity) => (unavailable, "ServiceUnavailable"),
        (_, Refusal::Internal) => (internal, "InternalError"),
    }
}
