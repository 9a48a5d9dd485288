//! What every request passes, whatever it asks for: the token, and the rules for web pages of other origins.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::BodyDataStream;
use hyper::body::{Body as _, Incoming};
use hyper::service::Service;
use hyper::{HeaderMap, Method, Request};
use warp::reply::Response;

use super::access::Access;
use super::body::Body;
use super::cors::Cors;
use super::detach::detach;
use super::problem;
use super::server::Tracked;
use crate::core::Core;
use crate::refusal::Refusal;

/// The rules, and what is behind them.
pub(crate) struct Gate<S> {
    pub(crate) core: Arc<Core>,
    pub(crate) access: Access,
    pub(crate) cors: Cors,
    pub(crate) inside: S,
}

impl<S> Gate<S>
where
    S: Service<Request<Tracked<Incoming>>, Response = Response, Error = Infallible>,
{
    /// The answer to a request that is let in, or why it is not.
    pub(crate) async fn pass(&self, request: Request<Tracked<Incoming>>) -> Response {
        let (method, path, headers) = (request.method(), request.uri().path(), request.headers());
        let allowed = self.cors.allowed(headers);
        let mut response = if let Some(answer) = self.cors.preflight(method, headers) {
            answer.map(Into::into)
        } else if let Err(refusal) = self.check(method, path, headers) {
            let answer = problem::response(&refusal, Vec::new()).map(Into::into);
            self.discard(request);
            answer
        } else {
            match self.inside.call(if request.body().is_end_stream() { request } else { detach(request) }).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        };
        self.cors.mark(allowed, response.headers_mut());
        response
    }

    fn check(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        // A tunnel's target is no path, which the filters behind this count on.
        if *method == Method::CONNECT {
            return Err(Refusal::MethodNotAllowed { method: method.to_string(), allow: "POST" });
        }
        self.access.check(method, path, headers)
    }

    fn discard(&self, request: Request<Tracked<Incoming>>) {
        let (head, body) = request.into_parts();
        let body = BodyDataStream::new(body);
        Body::new(body, &head.headers, self.core.metrics.received.clone()).discard(&self.core.tasks);
    }
}
