//! Writes AWS requests down, one JSON object a line, for checks against AWS's own service models and IAM policies.
//! Knows how requests look on the wire, not what they mean.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use jiff::Timestamp;
use serde::Serialize;

use super::Service;

/// S3 objects above this are left out.
const BODY_AT_MOST: usize = 64 * 1024;
/// Bytes of an answer that are kept.
const ANSWER_AT_MOST: usize = 16 * 1024;

/// Appends to a file, from any number of relays.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Mutex<File>>);

/// One line of the file. Names of headers are in lower case; of several values of one header, the last stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    at: Timestamp,
    service: &'static str,
    /// From the user agent's `app/NAME`.
    program: Option<&'a str>,
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: BTreeMap<&'a str, String>,
    #[serde(flatten)]
    body: Content<'a>,
    /// Absent when no answer came, or none was let through to us.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
}

#[derive(Debug, Serialize)]
enum Content<'a> {
    /// UTF-8.
    #[serde(rename = "body")]
    Text(&'a str),
    /// Anything else.
    #[serde(rename = "bodyBase64")]
    Binary(String),
    /// An S3 object too large to be written down; its size in bytes.
    #[serde(rename = "bodyLength")]
    TooLong(usize),
}

/// A request as it came.
#[derive(Debug)]
pub(super) struct Recorded<'a> {
    pub(super) at: Timestamp,
    pub(super) service: Service,
    pub(super) parts: &'a Parts,
    pub(super) body: &'a Bytes,
    pub(super) status: Option<u16>,
    pub(super) answer: &'a [u8],
}

impl Recorder {
    /// Appends to the file at `path`, which is made if it is missing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    pub(super) fn write(&self, recorded: &Recorded<'_>) {
        let Ok(mut text) = serde_json::to_vec(&line(recorded)) else { return };
        text.push(b'\n');
        // A disk that is full shows in the check of what was recorded; the request passes all the same.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&text);
    }
}

fn line<'a>(recorded: &Recorded<'a>) -> Line<'a> {
    let Recorded { at, service, parts, body, status, answer } = *recorded;
    let header = |(name, value): (&'a hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Line {
        at,
        service: service.name(),
        program: program(parts),
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: parts.headers.iter().map(header).collect(),
        body: written(service, body),
        status,
        answer: status.map(|_| String::from_utf8_lossy(&answer[..answer.len().min(ANSWER_AT_MOST)]).into_owned()),
    }
}

/// Our programs give their name to the SDK, which puts `app/NAME` into the user agent.
fn program(parts: &Parts) -> Option<&str> {
    let agents = ["x-amz-user-agent", "user-agent"].into_iter().filter_map(|name| parts.headers.get(name)?.to_str().ok());
    agents.flat_map(str::split_whitespace).find_map(|word| word.strip_prefix("app/"))
}

fn written(service: Service, body: &Bytes) -> Content<'_> {
    if service == Service::S3 && body.len() > BODY_AT_MOST {
        return Content::TooLong(body.len());
    }
    std::str::from_utf8(body).map_or_else(|_| Content::Binary(STANDARD.encode(body)), Content::Text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn recorded(service: Service, body: &'static [u8], answer: &[u8]) -> Value {
        let request = hyper::Request::post("/a/b?x-id=PutObject").header("User-Agent", "aws-sdk-rust/1.3 app/classifierfleet-worker");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let (body, at) = (Bytes::from_static(body), Timestamp::UNIX_EPOCH);
        serde_json::to_value(line(&Recorded { at, service, parts: &parts, body: &body, status: Some(200), answer })).unwrap()
    }

    #[test]
    fn a_request_is_one_object() {
        let expected = json!({
            "at": "1970-01-01T00:00:00Z", "service": "s3", "program": "classifierfleet-worker", "method": "POST", "path": "/a/b",
            "query": "x-id=PutObject", "headers": {"user-agent": "aws-sdk-rust/1.3 app/classifierfleet-worker"}, "body": "text",
            "status": 200, "answer": "ok",
        });
        assert_eq!(recorded(Service::S3, b"text", b"ok"), expected);
    }

    #[test]
    fn what_is_no_text_or_too_long_is_not_written_as_text() {
        assert_eq!(recorded(Service::S3, b"\xff", b"")["bodyBase64"], "/w==");
        static LONG: [u8; BODY_AT_MOST + 1] = [b'a'; BODY_AT_MOST + 1];
        assert_eq!(recorded(Service::S3, &LONG, b"")["bodyLength"], BODY_AT_MOST + 1);
        assert_eq!(recorded(Service::Sqs, &LONG, &LONG)["body"].as_str().unwrap().len(), BODY_AT_MOST + 1);
        assert_eq!(recorded(Service::Sqs, b"", &LONG)["answer"].as_str().unwrap().len(), ANSWER_AT_MOST);
    }
}
