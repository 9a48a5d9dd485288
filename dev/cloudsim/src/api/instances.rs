//! Owns the instance actions' parameters and answers.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::spec::launch_spec;
use super::{Done, client_token, filters, paging, read, render};
use crate::query::{self, Params};
use crate::refusal::Refusal;
use crate::state::{Cloud, Effect, InstanceQuery, LaunchRequest, StateChange, TemplateRef};

pub(super) fn run(cloud: &mut Cloud, request: &BTreeMap<String, String>, now: Timestamp) -> Result<Done, Refusal> {
    let (request, is_dry) = query::read(request, |params| {
        let is_dry = params.parsed("DryRun")?.unwrap_or(false);
        Ok((launch_request(params)?, is_dry))
    })?;
    if is_dry {
        cloud.check_launch(&request)?;
        return Err(Refusal::DryRunOperation);
    }
    let launched = cloud.run_instances(request, now)?;
    let instances: Vec<_> = launched.instance_ids.iter().filter_map(|id| cloud.instance(id)).collect();
    let done = Done::with(|xml| render::reservation(xml, &launched.reservation_id, &instances));
    Ok(Done { instance_ids: launched.instance_ids, ..done })
}

pub(super) fn describe(cloud: &mut Cloud, request: &BTreeMap<String, String>, now: Timestamp) -> Result<Done, Refusal> {
    let query = read(request, |params| {
        params.only_off("IncludeManagedResources")?;
        Ok(InstanceQuery { ids: params.texts("InstanceId")?, filters: filters(params)?, paging: paging(params)? })
    })?;
    let page = cloud.describe_instances(&query, now)?;
    let instances: Vec<_> = page.items.iter().map(|(_, instance)| *instance).collect();
    let same_launch = instances.chunk_by(|a, b| a.reservation_id == b.reservation_id);
    Ok(Done::with(|xml| {
        xml.set("reservationSet", same_launch, render::reservation_of);
        xml.maybe("nextToken", page.next_token);
    }))
}

pub(super) fn start(cloud: &mut Cloud, request: &BTreeMap<String, String>, now: Timestamp) -> Result<Done, Refusal> {
    let ids = read(request, instance_ids)?;
    cloud.start_instances(&ids, now).map(changed)
}

pub(super) fn stop(cloud: &mut Cloud, request: &BTreeMap<String, String>, now: Timestamp) -> Result<Done, Refusal> {
    let (ids, force) = read(request, |params| {
        params.only_off("Hibernate")?;
        params.only_off("SkipOsShutdown")?;
        let force = params.parsed("Force")?.unwrap_or(false);
        Ok((instance_ids(params)?, force))
    })?;
    cloud.stop_instances(&ids, force, now).map(changed)
}

pub(super) fn terminate(cloud: &mut Cloud, request: &BTreeMap<String, String>, now: Timestamp) -> Result<Done, Refusal> {
    let ids = read(request, |params| {
        params.only_off("Force")?;
        params.only_off("SkipOsShutdown")?;
        instance_ids(params)
    })?;
    cloud.terminate_instances(&ids, now).map(changed)
}

fn changed((changes, effects): (Vec<StateChange>, Vec<Effect>)) -> Done {
    let done = Done::with(|xml| xml.set("instancesSet", &changes, render::state_change));
    let instance_ids = changes.into_iter().map(|change| change.instance_id).collect();
    Done { instance_ids, effects, ..done }
}

fn instance_ids(params: &mut Params) -> Result<Vec<String>, Refusal> {
    let ids = params.texts("InstanceId")?;
    if ids.is_empty() { Err(Refusal::InvalidParameterCombination("No instances specified".to_owned())) } else { Ok(ids) }
}

fn launch_request(params: &mut Params) -> Result<LaunchRequest, Refusal> {
    let mut overrides = launch_spec(params)?;
    overrides.subnet_id = params.text("SubnetId");
    params.only_off("DisableApiTermination")?;
    Ok(LaunchRequest {
        token: client_token(params),
        min_count: required_count(params, "MinCount")?,
        max_count: required_count(params, "MaxCount")?,
        template: params.structure("LaunchTemplate", |template| {
            Ok(TemplateRef {
                id: template.text("LaunchTemplateId"),
                name: template.text("LaunchTemplateName"),
                version: template.text("Version"),
            })
        })?,
        overrides,
    })
}

fn required_count(params: &mut Params, name: &str) -> Result<u32, Refusal> {
    params.parsed(name)?.ok_or_else(|| Refusal::MissingParameter(name.to_owned()))
}
