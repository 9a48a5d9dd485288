//! The cloud in virtual time: no server, no process, no clock. What a simulator relies on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod guests;
mod images;
mod lag;
mod life;
mod offerings;
mod protocol;
mod spot;

use std::collections::BTreeSet;

use cloudsim::state::{Cloud, Effect, LaunchRequest, LaunchSpec, Settings, ShutdownBehavior};
use jiff::{SignedDuration, Timestamp};

pub(crate) const IMAGE: &str = "ami-0123456789abcdef0";

pub(crate) fn settings() -> Settings {
    Settings {
        images: BTreeSet::from([IMAGE.to_owned()]),
        pending_delay: SignedDuration::from_secs(10),
        boot_delay: SignedDuration::from_secs(5),
        ..Settings::default()
    }
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

pub(crate) fn request(token: &str, shutdown_behavior: ShutdownBehavior) -> LaunchRequest {
    LaunchRequest {
        token: Some(token.to_owned()),
        min_count: 1,
        max_count: 1,
        template: None,
        overrides: LaunchSpec { image_id: Some(IMAGE.to_owned()), shutdown_behavior: Some(shutdown_behavior), ..LaunchSpec::default() },
    }
}

/// A cloud with one instance, launched at 0.
pub(crate) fn launched(shutdown_behavior: ShutdownBehavior) -> (Cloud, String) {
    let mut cloud = Cloud::new(settings());
    let id = cloud.run_instances(request("token", shutdown_behavior), at(0)).unwrap().instance_ids.remove(0);
    (cloud, id)
}

pub(crate) fn state(cloud: &Cloud, id: &str) -> &'static str {
    cloud.instance(id).map_or("gone", |instance| instance.phase.name())
}

/// What effects are about, in a word.
pub(crate) fn words(effects: &[Effect]) -> Vec<&'static str> {
    let word = |effect: &Effect| match effect {
        Effect::Boot(boot) if boot.first => "first boot",
        Effect::Boot(_) => "boot",
        Effect::Shutdown { force: true, .. } => "kill",
        Effect::Shutdown { force: false, .. } => "shutdown",
    };
    effects.iter().map(word).collect()
}
