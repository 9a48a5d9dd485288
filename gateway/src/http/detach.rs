//! A request's head in memory of its own. hyper's is a part of the buffer that the connection reads into: while somebody holds
//! a header, each of many slow uploads would keep that buffer besides the one that its body goes through. Pure.

use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Uri};

/// The same request.
pub(crate) fn detach<B>(request: Request<B>) -> Request<B> {
    let (mut head, body) = request.into_parts();
    head.headers = head.headers.iter().map(|(name, value)| (copy_name(name), copy_value(value))).collect();
    head.uri = copy_uri(&head.uri);
    Request::from_parts(head, body)
}

fn copy_name(name: &HeaderName) -> HeaderName {
    HeaderName::from_bytes(name.as_str().as_bytes()).unwrap_or_else(|_| name.clone())
}

fn copy_value(value: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone())
}

fn copy_uri(uri: &Uri) -> Uri {
    Uri::try_from(uri.to_string().as_str()).unwrap_or_else(|_| uri.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hyper::HeaderMap;

    use super::*;

    fn lines(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
        headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_detached_request_says_the_same() {
        for uri in ["/upload?a=b%20c", "/", "*", "http://example.com:80/x?y"] {
            let request = Request::post(uri)
                .header("host", "x")
                .header("x-own", "1")
                .header("x-own", &b"\xFF\x80"[..])
                .header("content-type", "text/plain")
                .body("body")
                .unwrap();
            let (uri, headers) = (request.uri().clone(), lines(request.headers()));
            let detached = detach(request);
            assert_eq!((detached.uri(), lines(detached.headers())), (&uri, headers));
            assert_eq!((detached.method().as_str(), *detached.body()), ("POST", "body"));
        }
    }
}
