//! Owns the EC2 Query protocol: which action is which, how its parameters are read and its answer is written.
//! Knows nothing of HTTP; what an action means is the state's.

mod images;
mod instances;
mod render;
mod spec;
mod tags;
mod templates;
mod types;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::query::{self, Params};
use crate::refusal::Refusal;
use crate::state::{Cloud, Effect, Filter, Paging};
use crate::xml::Xml;

/// The version of the API that the SDK speaks.
const API_VERSION: &str = "2016-11-15";

/// What a call came to.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) xml: String,
    pub(crate) instance_ids: Vec<String>,
    pub(crate) effects: Vec<Effect>,
}

/// The inside of an answer, before the action's name is put around it.
struct Done {
    body: Xml,
    instance_ids: Vec<String>,
    effects: Vec<Effect>,
}

impl Done {
    fn with(write: impl FnOnce(&mut Xml)) -> Self {
        let mut body = Xml::default();
        write(&mut body);
        Self { body, instance_ids: Vec::new(), effects: Vec::new() }
    }
}

/// Performs one call.
///
/// # Errors
/// Whatever EC2 would refuse.
pub(crate) fn call(cloud: &mut Cloud, request: &BTreeMap<String, String>, request_id: &str, now: Timestamp) -> Result<Answer, Refusal> {
    let action = request.get("Action").ok_or_else(|| Refusal::MissingParameter("Action".to_owned()))?;
    if let Some(other) = request.get("Version").filter(|version| *version != API_VERSION) {
        return Err(Refusal::UnsupportedOperation(format!("Version={other}, only {API_VERSION}")));
    }
    let perform = action_named(action)?;
    let Done { body, instance_ids, effects } = perform(cloud, request, now)?;
    let attributes = format!(" xmlns=\"http://ec2.amazonaws.com/doc/{API_VERSION}/\"");
    let xml = Xml::document(&format!("{action}Response"), &attributes, |xml| {
        xml.leaf("requestId", request_id);
        xml.append(body);
    });
    Ok(Answer { xml, instance_ids, effects })
}

/// The answer that carries a refusal.
pub(crate) fn error_document(refusal: &Refusal, request_id: &str) -> String {
    Xml::document("Response", "", |xml| {
        xml.node("Errors", |xml| {
            xml.node("Error", |xml| {
                xml.leaf("Code", refusal.code());
                xml.leaf("Message", refusal);
            });
        });
        xml.leaf("RequestID", request_id);
    })
}

type Action = fn(&mut Cloud, &BTreeMap<String, String>, Timestamp) -> Result<Done, Refusal>;

fn action_named(name: &str) -> Result<Action, Refusal> {
    Ok(match name {
        "RunInstances" => instances::run,
        "DescribeInstances" => instances::describe,
        "StartInstances" => instances::start,
        "StopInstances" => instances::stop,
        "TerminateInstances" => instances::terminate,
        "DescribeImages" => images::describe,
        "DescribeInstanceTypes" => types::describe,
        "CreateLaunchTemplate" => templates::create,
        "CreateLaunchTemplateVersion" => templates::create_version,
        "DescribeLaunchTemplates" => templates::describe,
        "DescribeLaunchTemplateVersions" => templates::describe_versions,
        "ModifyLaunchTemplate" => templates::modify,
        "DeleteLaunchTemplate" => templates::delete,
        "CreateTags" => tags::create,
        "DeleteTags" => tags::delete,
        "DescribeTags" => tags::describe,
        _ => return Err(Refusal::InvalidAction(name.to_owned())),
    })
}

/// Reads a request; every action begins so.
fn read<T>(request: &BTreeMap<String, String>, parse: impl FnOnce(&mut Params) -> Result<T, Refusal>) -> Result<T, Refusal> {
    query::read(request, |params| {
        params.only_off("DryRun")?;
        parse(params)
    })
}

fn paging(params: &mut Params) -> Result<Paging, Refusal> {
    Ok(Paging { max_results: params.parsed("MaxResults")?, next_token: params.text("NextToken") })
}

fn filters(params: &mut Params) -> Result<Vec<Filter>, Refusal> {
    params.list("Filter", |filter| Ok(Filter { name: filter.required("Name")?, values: filter.texts("Value")? }))
}

/// An empty token is none.
fn client_token(params: &mut Params) -> Option<String> {
    params.text("ClientToken").filter(|token| !token.is_empty())
}
