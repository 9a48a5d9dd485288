//! Owns RunInstances: token, template, overrides, capacity, new instances. Knows nothing of how a request is written.

use std::sync::Arc;

use jiff::Timestamp;
use rand::RngExt as _;

use super::Cloud;
use super::instance::{Instance, Phase, StateReason};
use super::spec::{LaunchSpec, TagSpec};
use super::templates::Version;
use super::timers::Timer;
use crate::ids;
use crate::refusal::Refusal;

/// EC2 has quotas by vCPU instead; this only keeps a slip of the pen from filling the memory.
const MAX_COUNT: u32 = 10_000;

/// A launch template, by id or name, and which of its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateRef {
    /// The id; exactly one of id and name is given.
    pub id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// A number, `$Latest` or `$Default`; absent is `$Default`.
    pub version: Option<String>,
}

/// RunInstances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchRequest {
    /// `ClientToken`
    pub token: Option<String>,
    /// `MinCount`: fewer than these, and none is launched.
    pub min_count: u32,
    /// `MaxCount`
    pub max_count: u32,
    /// `LaunchTemplate`
    pub template: Option<TemplateRef>,
    /// Laid over the template.
    pub overrides: LaunchSpec,
}

/// What a launch made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launched {
    /// `r-…`
    pub reservation_id: String,
    /// The instances, in the order of their launch index.
    pub instance_ids: Vec<String>,
}

impl Cloud {
    /// Launches instances, or gives back those that the request's token launched before.
    ///
    /// The token's promise is that of "Ensuring idempotency in Amazon EC2 API requests": the same request gives the same
    /// reservation for ever; another request is a mismatch; when all its instances are terminated, that is said.
    ///
    /// # Errors
    /// The codes of RunInstances, `Idempotent…` and `InsufficientInstanceCapacity` among them.
    pub fn run_instances(&mut self, request: LaunchRequest, now: Timestamp) -> Result<Launched, Refusal> {
        if let Some(earlier) = self.launches.outcome(request.token.as_ref(), &request)? {
            return self.relaunch(earlier.clone(), request.token);
        }
        let (count, spec) = self.check_launch(&request)?;
        let zone = self.zone_of(&spec);
        let room = self.room_for(&spec);
        if room < request.min_count {
            return Err(spec.no_room(&zone));
        }
        let launched = self.make(count.min(room), &Arc::new(spec), &zone, request.token.as_ref(), now);
        self.launches.keep(request.token.clone(), request, launched.clone());
        Ok(launched)
    }

    /// How many would be launched, and as what: all that a dry run does. EC2 says nothing of capacity then.
    ///
    /// # Errors
    /// The codes of RunInstances but those of tokens and capacity.
    pub(crate) fn check_launch(&self, request: &LaunchRequest) -> Result<(u32, LaunchSpec), Refusal> {
        let count = check_counts(request)?;
        let (spec, origin) = self.resolve(request)?;
        let mut spec = self.with_image(spec)?;
        spec.check(&self.settings.images)?;
        spec.tags.extend(origin);
        Ok((count, spec))
    }

    fn relaunch(&self, earlier: Launched, token: Option<String>) -> Result<Launched, Refusal> {
        let gone = |id: &String| self.instance(id).is_none_or(|instance| instance.phase == Phase::Terminated);
        if earlier.instance_ids.iter().all(gone) {
            return Err(Refusal::IdempotentInstanceTerminated(token.unwrap_or_default()));
        }
        Ok(earlier)
    }

    /// What to launch, and the tags by which EC2 says which template it came from.
    fn resolve(&self, request: &LaunchRequest) -> Result<(LaunchSpec, Option<TagSpec>), Refusal> {
        let overrides = request.overrides.clone();
        let Some(reference) = &request.template else {
            return Ok((overrides, None));
        };
        let template = self.template(reference.id.as_ref(), reference.name.as_ref())?;
        let version = reference.version.as_deref().map_or(Ok(Version::Default), str::parse)?;
        let version = template.version(version)?;
        let tags = [("id", template.id.clone()), ("version", version.number.to_string())];
        let tags = tags.map(|(what, value)| (format!("aws:ec2launchtemplate:{what}"), value)).into();
        let origin = TagSpec { resource_type: "instance".to_owned(), tags };
        Ok((overrides.over(version.data.clone()), Some(origin)))
    }

    /// The zone given, or one that is always the same for a subnet: cloudsim has no subnets of its own.
    fn zone_of(&self, spec: &LaunchSpec) -> String {
        let letter = |subnet: &String| char::from(b'a' + subnet.bytes().fold(0, u8::wrapping_add) % 3);
        let of_subnet = || format!("{}{}", self.settings.region, spec.subnet_id.as_ref().map_or('a', letter));
        spec.zone.clone().unwrap_or_else(of_subnet)
    }

    fn make(&mut self, count: u32, spec: &Arc<LaunchSpec>, zone: &str, token: Option<&String>, now: Timestamp) -> Launched {
        let reservation_id = self.fresh_id("r-");
        let mut instance_ids = Vec::new();
        for launch_index in 0..count {
            let mut instance = self.instance_from(spec, now);
            instance.reservation_id.clone_from(&reservation_id);
            instance.client_token = token.cloned();
            instance.launch_index = launch_index;
            zone.clone_into(&mut instance.zone);
            instance_ids.push(instance.id.clone());
            self.admit(instance, now);
        }
        Launched { reservation_id, instance_ids }
    }

    fn instance_from(&mut self, spec: &Arc<LaunchSpec>, now: Timestamp) -> Instance {
        let tags = spec.tags_for("instance");
        let mut volumes = spec.volumes();
        for volume in &mut volumes {
            volume.id = self.fresh_id("vol-");
        }
        Instance {
            id: self.fresh_id("i-"),
            reservation_id: String::new(),
            client_token: None,
            launch_index: 0,
            spec: spec.clone(),
            spot_request_id: spec.market.as_ref().map(|_| ids::fresh_spot_request(&mut self.rng)),
            tags_at_start: tags.clone(),
            tags,
            volumes,
            zone: String::new(),
            private_ip: self.fresh_address(),
            phase: Phase::Pending,
            reason: Some(StateReason::pending()),
            launched_at: now,
            created_at: now,
            interrupted_at: None,
            rebalance_since: None,
            booted_before: false,
            due: None,
        }
    }

    /// 10.0.0.10 and up. Of loopback, which clouds beside this one may use too, any from 127.1.0.1: a chance of 1 in 16 million.
    fn fresh_address(&mut self) -> String {
        let [_, b, c, d] = u32::try_from(self.records.next() + 10).unwrap_or_default().to_be_bytes();
        if self.settings.loopback_addresses {
            let [b, c, d]: [u8; 3] = self.rng.random();
            return format!("127.{}.{c}.{}", b.clamp(1, 254), d.clamp(1, 254));
        }
        format!("10.{b}.{c}.{d}")
    }

    fn admit(&mut self, instance: Instance, now: Timestamp) {
        let due = now + self.settings.pending_delay;
        let order = self.records.insert(Instance { due: Some(due), ..instance });
        self.timers.insert(due, order, Timer::Phase);
    }
}

fn check_counts(request: &LaunchRequest) -> Result<u32, Refusal> {
    let LaunchRequest { min_count, max_count, .. } = *request;
    let wrong = if min_count == 0 {
        format!("Value ({min_count}) for parameter minCount is invalid. It must be 1 or more.")
    } else if max_count < min_count {
        format!("Value ({max_count}) for parameter maxCount is invalid. It must be minCount ({min_count}) or more.")
    } else if max_count > MAX_COUNT {
        return Err(Refusal::UnsupportedOperation(format!("MaxCount above {MAX_COUNT}")));
    } else {
        return Ok(max_count);
    };
    Err(Refusal::InvalidParameterValue(wrong))
}
