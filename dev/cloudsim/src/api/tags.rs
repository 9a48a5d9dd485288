//! Owns the tag actions' parameters and answers.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Done, filters, paging, read, render, spec};
use crate::query::Params;
use crate::refusal::Refusal;
use crate::state::Cloud;

pub(super) fn create(cloud: &mut Cloud, request: &BTreeMap<String, String>, now: Timestamp) -> Result<Done, Refusal> {
    let (resources, tags) = read(request, |params| Ok((resources(params)?, spec::tags(params)?)))?;
    if tags.is_empty() {
        return Err(Refusal::MissingParameter("Tag".to_owned()));
    }
    cloud.create_tags(&resources, &tags, now)?;
    Ok(succeeded(resources))
}

pub(super) fn delete(cloud: &mut Cloud, request: &BTreeMap<String, String>, now: Timestamp) -> Result<Done, Refusal> {
    let (resources, tags) = read(request, |params| {
        let tags = params.list("Tag", |tag| Ok((tag.required("Key")?, tag.text("Value"))))?;
        Ok((resources(params)?, tags))
    })?;
    cloud.delete_tags(&resources, &tags, now)?;
    Ok(succeeded(resources))
}

pub(super) fn describe(cloud: &mut Cloud, request: &BTreeMap<String, String>, now: Timestamp) -> Result<Done, Refusal> {
    let (filters, paging) = read(request, |params| Ok((filters(params)?, paging(params)?)))?;
    let page = cloud.describe_tags(&filters, &paging, now)?;
    Ok(Done::with(|xml| {
        xml.set("tagSet", &page.items, render::tag_row);
        xml.maybe("nextToken", page.next_token);
    }))
}

fn succeeded(resources: Vec<String>) -> Done {
    let done = Done::with(|xml| xml.leaf("return", true));
    Done { instance_ids: resources.into_iter().filter(|id| id.starts_with("i-")).collect(), ..done }
}

fn resources(params: &mut Params) -> Result<Vec<String>, Refusal> {
    let resources = params.texts("ResourceId")?;
    if resources.is_empty() { Err(Refusal::MissingParameter("ResourceId".to_owned())) } else { Ok(resources) }
}
