//! The server behind a relay, and how it is reached.

use anyhow::{Context as _, Result};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, Scheme};
use hyper::{HeaderMap, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::server::{Answer, BoxError};

/// The server behind a relay.
#[derive(Debug)]
pub(super) enum Upstream {
    Aws { http: Box<Client<HttpConnector, Full<Bytes>>>, authority: Authority },
    Kubernetes(KubeClient),
}

/// Not Debug itself.
pub(super) struct KubeClient(kube::Client);

impl std::fmt::Debug for KubeClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KubeClient")
    }
}

impl Upstream {
    pub(super) fn aws(endpoint: &str) -> Result<Self> {
        let uri: Uri = endpoint.parse().with_context(|| format!("{endpoint} is no URL"))?;
        let authority = uri.authority().with_context(|| format!("{endpoint} names no host"))?.clone();
        // A connection of its own for each request: none can turn out to be closed when it is used again.
        let http = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(HttpConnector::new());
        Ok(Self::Aws { http: Box::new(http), authority })
    }

    pub(super) fn kubernetes(mut config: kube::Config) -> Result<Self> {
        // What fails, the client behind us shall hear of and try again.
        config.default_retry = false;
        Ok(Self::Kubernetes(KubeClient(kube::Client::try_from(config)?)))
    }

    /// Passes a request on, and returns the answer as it comes.
    pub(super) async fn send(&self, parts: &Parts, body: Bytes) -> Result<Response<Answer>, BoxError> {
        let mut answer = match self {
            Self::Aws { http, authority } => {
                http.request(to_aws(parts, authority, body)?).await?.map(|body| body.map_err(Into::into).boxed_unsync())
            }
            Self::Kubernetes(client) => {
                client.0.send(to_kubernetes(parts, body)?).await?.map(|body| body.map_err(Into::into).boxed_unsync())
            }
        };
        without_framing(answer.headers_mut());
        Ok(answer)
    }
}

/// The client's Host stays: the stand-in for SQS makes the URLs of queues from it.
fn to_aws(parts: &Parts, authority: &Authority, body: Bytes) -> Result<Request<Full<Bytes>>, BoxError> {
    let mut uri = hyper::http::uri::Parts::default();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(authority.clone());
    uri.path_and_query = parts.uri.path_and_query().cloned();
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = Uri::from_parts(uri)?;
    *request.headers_mut() = parts.headers.clone();
    without_framing(request.headers_mut());
    Ok(request)
}

/// kube's client adds server and credentials.
fn to_kubernetes(parts: &Parts, body: Bytes) -> Result<Request<kube::client::Body>, BoxError> {
    let mut request = Request::new(kube::client::Body::from(body));
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = parts.uri.path_and_query().map_or_else(|| Ok(Uri::from_static("/")), |path| path.as_str().parse())?;
    *request.headers_mut() = parts.headers.clone();
    request.headers_mut().remove(HOST);
    request.headers_mut().remove(CONTENT_LENGTH);
    without_framing(request.headers_mut());
    Ok(request)
}

/// How a message is cut into pieces is up to each connection.
fn without_framing(headers: &mut HeaderMap) {
    headers.remove(TRANSFER_ENCODING);
    headers.remove(CONNECTION);
}
