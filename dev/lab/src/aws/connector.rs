//! The SDK's way out: takes each HTTP request, has it done by the model of its service, as the weather allows, and answers. Knows the
//! protocols' envelopes, and nothing of what is in them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use aws_config::{BehaviorVersion, ConfigLoader};
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use cloudsim::Reply;
use service::aws::Sources;

use super::Aws;
use crate::judge::Judge;
use crate::process::{Answered, Call, Process};
use crate::script::Service;

/// An answer: status and body.
pub(super) type Answer = (u16, String);

#[derive(Debug, Clone)]
struct Connector {
    aws: Arc<Aws>,
    process: Arc<Process>,
    judge: Arc<Judge>,
}

/// AWS as a process reaches it.
pub fn sources(aws: &Arc<Aws>, process: &Arc<Process>, judge: &Arc<Judge>) -> Sources {
    let connector = Connector { aws: aws.clone(), process: process.clone(), judge: judge.clone() };
    Sources::new(move || {
        let connector = connector.clone();
        ConfigLoader::default()
            .behavior_version(BehaviorVersion::latest())
            .empty_test_environment()
            .credentials_provider(Credentials::from_keys("lab", "lab", None))
            .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(connector.clone())))
    })
}

/// A request, taken apart.
struct Asked {
    service: Service,
    what: String,
    writes: bool,
    method: String,
    uri: String,
    body: String,
}

impl Asked {
    fn read(request: &HttpRequest) -> Self {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let (method, uri) = (request.method().to_owned(), request.uri().to_owned());
        let (service, what, writes) = match request.headers().get("x-amz-target") {
            Some(target) => {
                let action = target.rsplit('.').next().unwrap_or_default();
                (Service::Sqs, action.to_owned(), !(action.starts_with("Get") || action.starts_with("List")))
            }
            None if body.starts_with("Action=") => {
                let action = body[7..].split('&').next().unwrap_or_default();
                (Service::Ec2, action.to_owned(), !action.starts_with("Describe"))
            }
            None => (Service::S3, format!("{method} {}", path(&uri)), method != "GET" && method != "HEAD"),
        };
        Self { service, what, writes, method, uri, body }
    }
}

/// The URI without scheme.
fn path(uri: &str) -> &str {
    uri.split_once("://").map_or(uri, |(_, rest)| rest)
}

impl Connector {
    async fn answer(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let asked = Asked::read(&request);
        let call = Call { service: asked.service, what: asked.what.clone(), writes: asked.writes };
        let service = asked.service;
        let answered = self.process.call(call, || self.act(&asked)).await;
        let (status, body) = match answered {
            Answered::With(Some(answer)) => answer,
            Answered::With(None) | Answered::Broken => return Err(ConnectorError::io("the connection broke".into())),
            Answered::Error => error(service, 503, "ServiceUnavailable"),
            Answered::Throttled => error(service, 503, "RequestLimitExceeded"),
        };
        let status = StatusCode::try_from(status).map_err(|error| ConnectorError::other(Box::new(error), None))?;
        Ok(HttpResponse::new(status, SdkBody::from(body)))
    }

    fn act(&self, asked: &Asked) -> Option<Answer> {
        match asked.service {
            Service::Ec2 => self.ec2(&asked.body),
            Service::Sqs => {
                let counts = self.aws.world.requests.counts();
                Some(self.aws.queues.lock().unwrap_or_else(PoisonError::into_inner).call(&asked.what, &asked.body, counts))
            }
            _ => Some(self.aws.buckets.lock().unwrap_or_else(PoisonError::into_inner).call(&asked.method, path(&asked.uri), &asked.body)),
        }
    }

    /// The judge sees what is asked before it is done, and what came of it.
    fn ec2(&self, body: &str) -> Option<Answer> {
        let params: BTreeMap<String, String> = serde_urlencoded::from_str(body).unwrap_or_default();
        self.judge.asks_ec2(&params);
        let reply = self.aws.world.ec2.handle(body);
        self.judge.ec2_answered(&params);
        match reply {
            Reply::Answer { status, body } => Some((status, body)),
            Reply::Drop => None,
        }
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().answer(request))
    }
}

/// An error as the service's protocol writes it.
fn error(service: Service, status: u16, code: &str) -> Answer {
    let body = match service {
        Service::Sqs => format!("{{\"__type\":\"com.amazonaws.sqs#{code}\",\"message\":\"{code}\"}}"),
        Service::Ec2 => format!("<Response><Errors><Error><Code>{code}</Code><Message>{code}</Message></Error></Errors></Response>"),
        _ => format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>"),
    };
    (status, body)
}
