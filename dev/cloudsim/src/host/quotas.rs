//! Owns what Service Quotas answers, which is another service than EC2: an account that nobody has raised a quota of since it was
//! new. Nothing here enforces one.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use warp::http::StatusCode;
use warp::reply::{Response, with_header, with_status};
use warp::{Filter, Rejection, Reply};

/// The quotas of running instances' vCPUs, on demand and spot, by code ("Amazon EC2 endpoints and quotas").
#[rustfmt::skip]
const CODES: [&str; 16] = [
    "L-1216C47A", "L-34B43A08", "L-6E869C2A", "L-85EED4F7", "L-74FC7D96", "L-88CF9481", "L-DB2E81BA", "L-3819A6DF",
    "L-1945791B", "L-B5D1601B", "L-417A185B", "L-7212CCBC", "L-2C3B7624", "L-6B0D517C", "L-7295265B", "L-E3A00192",
];
/// Of each.
const VCPUS: f64 = 1152.0;
/// The only call that there is.
const TARGET: &str = "ServiceQuotasV20190624.GetServiceQuota";

/// A call by the AWS JSON 1.1 protocol.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetServiceQuota {
    service_code: String,
    quota_code: String,
}

/// `POST /_cloudsim/service-quotas/`: the endpoint for the SDK of Service Quotas.
pub(super) fn route() -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let call = warp::path!("service-quotas").and(warp::post()).and(warp::header::exact("x-amz-target", TARGET));
    // The protocol has a content type of its own.
    call.and(warp::body::bytes()).map(|body: Bytes| match serde_json::from_slice(&body) {
        Ok(GetServiceQuota { service_code, quota_code }) => answer(&service_code, &quota_code),
        Err(error) => refused("SerializationException", &error.to_string()),
    })
}

fn answer(service: &str, code: &str) -> Response {
    if service != "ec2" || !CODES.contains(&code) {
        return refused("NoSuchResourceException", "The request failed because the specified quota does not exist.");
    }
    amz_json(StatusCode::OK, &json!({"Quota": {"ServiceCode": service, "QuotaCode": code, "Value": VCPUS, "Unit": "None"}}))
}

fn refused(code: &str, message: &str) -> Response {
    amz_json(StatusCode::BAD_REQUEST, &json!({"__type": code, "Message": message}))
}

fn amz_json(status: StatusCode, body: &Value) -> Response {
    with_status(with_header(body.to_string(), "content-type", "application/x-amz-json-1.1"), status).into_response()
}
