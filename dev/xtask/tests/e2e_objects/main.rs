//! What a fleet has besides its instances: the gateway's Kubernetes objects, queues, buckets and names, in whatever region. Made
//! as the spec says, put right when somebody changes them, never taken from others, and gone or kept with the fleet as it says.
//!
//! One stack, and in it a fleet for each story; the stories go on at the same time. Workers are simulated but where a job goes
//! through them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod buckets;
#[path = "../support/cluster.rs"]
mod cluster;
mod deletion;
mod drift;
#[path = "../support/front_door.rs"]
mod front_door;
mod gateway;
mod names;
mod queues;
mod regions;
#[path = "../support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use cluster::{Cluster, small};
use futures::FutureExt as _;
use futures::future::{LocalBoxFuture, join_all};
use serde_json::Value;
use xtask::stack::{CloudDelays, Extent, Guests, Stack};

/// Quick machines.
const QUICK: CloudDelays = CloudDelays { pending: 0.3, boot: 0.3, describe_lag: 0.3 };

/// Where the stories happen.
pub struct Stage {
    pub stack: Stack,
    pub cluster: Cluster,
    pub s3: aws_sdk_s3::Client,
    pub sqs: aws_sdk_sqs::Client,
}

impl Stage {
    async fn raise() -> Self {
        let stack = Stack::for_test("objects", |options| {
            options.extent = Extent::Operator;
            options.delays = QUICK;
            options.guests = Guests::Simulated { drain: 0.1 };
        });
        let stack = stack.await.unwrap();
        let (s3, sqs) = support::aws::clients(&stack).await;
        Self { cluster: Cluster::of(&stack).await, stack, s3, sqs }
    }

    /// Makes a fleet, and returns it as it was stored.
    pub async fn apply(&self, name: &str, spec: Value) -> Value {
        self.cluster.create("classifierfleets", "default", &small(name, &spec)).await
    }

    /// Changes a fleet's spec.
    pub async fn change(&self, name: &str, spec: Value) {
        self.cluster.respec("default", name, spec).await;
    }

    /// Waits until a fleet is as it should be, and returns it.
    pub async fn fleet(&self, name: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.cluster.fleet("default", name, what, is).await
    }

    /// Waits until a condition of a fleet has this truth and reason. Returns its message.
    pub async fn says(&self, name: &str, type_: &str, status: &str, reason: &str) -> String {
        let is = |fleet: &Value| cluster::condition(fleet, type_) == (status, reason);
        let fleet = self.fleet(name, &format!("{type_} is {status} {reason}"), is).await;
        let conditions = fleet["status"]["conditions"].as_array().unwrap();
        conditions.iter().find(|condition| condition["type"] == type_).unwrap()["message"].as_str().unwrap().to_owned()
    }

    /// Deletes a fleet and waits until it is gone.
    pub async fn delete(&self, name: &str) {
        self.cluster.delete("classifierfleets", "default", name).await;
        self.cluster.gone("classifierfleets", "default", name).await;
    }

    /// URL of a queue, if there is such a queue.
    pub async fn queue(&self, name: &str) -> Option<String> {
        self.sqs.get_queue_url().queue_name(name).send().await.ok()?.queue_url
    }

    /// Settings of a queue; none when there is no such queue.
    pub async fn attributes(&self, name: &str) -> HashMap<String, String> {
        attributes(&self.sqs, name).await
    }

    /// Whether there is such a bucket.
    pub async fn has_bucket(&self, name: &str) -> bool {
        self.s3.head_bucket().bucket(name).send().await.is_ok()
    }
}

/// Settings of a queue; none when there is no such queue.
pub async fn attributes(sqs: &aws_sdk_sqs::Client, name: &str) -> HashMap<String, String> {
    let Ok(found) = sqs.get_queue_url().queue_name(name).send().await else { return HashMap::new() };
    let answer = sqs.get_queue_attributes().set_queue_url(found.queue_url).attribute_names("All".into()).send().await.unwrap();
    answer.attributes.unwrap_or_default().into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect()
}

/// A story and its name.
type Story<'a> = (&'static str, LocalBoxFuture<'a, ()>);

macro_rules! stories {
    ($stage:expr, $($module:ident :: $story:ident),* $(,)?) => {
        vec![$((concat!(stringify!($module), "::", stringify!($story)), $module::$story($stage).boxed_local())),*]
    };
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn what_a_fleet_has_is_as_its_spec_says() {
    let stage = Stage::raise().await;
    let stories: Vec<Story<'_>> = stories![
        &stage,
        gateway::has_its_objects_and_no_rights_but_its_leases,
        gateway::takes_the_users_template,
        gateway::waits_for_the_secrets_that_its_fleet_names,
        drift::is_put_right_at_once,
        drift::somebody_elses_service_is_not_stolen,
        queues::settings_are_changed_in_place,
        queues::a_queue_that_somebody_deleted_is_made_again,
        buckets::retention_is_a_rule_among_others,
        deletion::retained_queues_and_buckets_stay,
        deletion::deleted_queues_and_buckets_go_with_all_that_they_hold,
        names::the_younger_of_two_waits_for_the_older_to_go,
        regions::fleets_of_two_regions_have_each_its_own,
    ];
    let told = join_all(stories.into_iter().map(tell)).await;
    let failures: Vec<String> = told.into_iter().flatten().collect();
    assert!(
        failures.is_empty(),
        "{} stories went wrong; the logs: {}\n{}",
        failures.len(),
        stage.stack.dir().display(),
        failures.join("\n")
    );
    stage.stack.stop().await.unwrap();
}

/// Nothing, or what went wrong.
async fn tell((name, story): Story<'_>) -> Option<String> {
    let panic = AssertUnwindSafe(story).catch_unwind().await.err()?;
    let message = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    Some(format!("{name}: {}", message.unwrap_or_default()))
}
