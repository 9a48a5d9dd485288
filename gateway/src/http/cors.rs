//! Which web pages of other origins may use the API: what browsers ask in advance, and what they look for in answers.

use warp::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN, VARY,
};
use warp::http::{HeaderMap, Method, Response, StatusCode};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, DELETE");
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key, last-event-id, traceparent, tracestate");
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static("location, content-location, retry-after, traceparent");
/// Seconds for which a browser need not ask again: the most that Chromium takes.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// The origins that are let in.
#[derive(Debug, Clone)]
pub(crate) struct Cors(Vec<HeaderValue>);

impl Cors {
    pub(crate) fn new(origins: Vec<HeaderValue>) -> Self {
        Self(origins)
    }

    /// The answer to a browser that asks in advance; none when this is no such question, or no origin is ever let in.
    pub(crate) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response<String>> {
        let asks = *method == Method::OPTIONS && headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || self.0.is_empty() {
            return None;
        }
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if self.allowed(headers).is_some() {
            let preflight = [
                (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
                (ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
                (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
            ];
            response.headers_mut().extend(preflight);
        }
        Some(response)
    }

    /// The value of Access-Control-Allow-Origin for a request, if its origin is let in.
    pub(crate) fn allowed(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(ORIGIN)?;
        self.0.iter().find(|allowed| *allowed == "*" || *allowed == origin).cloned()
    }

    /// Marks an answer for the origin that [`Self::allowed`] gave.
    pub(crate) fn mark(&self, allowed: Option<HeaderValue>, response: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        if !self.0.iter().any(|origin| origin == "*") {
            // Caches must not give one origin what was meant for another.
            response.append(VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = allowed {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn cors(origins: &[&'static str]) -> Cors {
        Cors::new(origins.iter().map(|origin| HeaderValue::from_static(origin)).collect())
    }

    fn from(origin: Option<&'static str>) -> HeaderMap {
        origin.map(|origin| (ORIGIN, HeaderValue::from_static(origin))).into_iter().collect()
    }

    #[test]
    fn an_origin_is_let_in_exactly_or_with_all() {
        let (a, b) = ("https://a.example", "http://localhost:3000");
        let table = [
            (vec![], Some(a), None, None),
            (vec![a, b], Some(b), Some(b), Some("origin")),
            (vec![a, b], Some("https://a.example.evil"), None, Some("origin")),
            (vec![a, b], Some("http://a.example"), None, Some("origin")),
            (vec![a, b], Some("null"), None, Some("origin")),
            (vec![a, b], None, None, Some("origin")),
            (vec!["*"], Some(a), Some("*"), None),
            (vec!["*"], Some("null"), Some("*"), None),
            (vec!["*"], None, None, None),
        ];
        for (origins, origin, allowed, vary) in table {
            let (cors, mut headers) = (cors(&origins), HeaderMap::new());
            cors.mark(cors.allowed(&from(origin)), &mut headers);
            let found = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            let expected = (allowed.map(str::to_owned), vary.map(str::to_owned));
            assert_eq!((found("access-control-allow-origin"), found("vary")), expected, "{origins:?} {origin:?}");
            assert_eq!(headers.contains_key("access-control-expose-headers"), allowed.is_some());
        }
    }

    #[test]
    fn only_a_browser_s_question_in_advance_is_answered_as_one() {
        let question = |origin| {
            let mut headers = from(Some(origin));
            headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
            headers
        };
        let cors = cors(&["https://a.example"]);
        let answer = cors.preflight(&Method::OPTIONS, &question("https://a.example")).unwrap();
        assert_eq!((answer.status(), &answer.headers()["access-control-max-age"]), (StatusCode::NO_CONTENT, &MAX_AGE));
        assert_eq!(answer.headers()["access-control-allow-headers"], REQUEST_HEADERS);
        let stranger = cors.preflight(&Method::OPTIONS, &question("https://b.example")).unwrap();
        assert!(stranger.headers().is_empty());
        assert!(cors.preflight(&Method::POST, &question("https://a.example")).is_none());
        assert!(cors.preflight(&Method::OPTIONS, &from(Some("https://a.example"))).is_none());
        assert!(Cors::new(Vec::new()).preflight(&Method::OPTIONS, &question("https://a.example")).is_none());
    }
}
