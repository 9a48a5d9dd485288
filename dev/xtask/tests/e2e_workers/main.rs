//! What `crds/src/workers.rs` says of workers comes true: offerings, spot, the warm pool, roll-outs, and how workers end.
//!
//! One stack with simulated guests, and in it a fleet for each scenario, all at once. What scenarios share in EC2 they keep apart
//! by instance types and images of their own. Fleets in `quick` try a closed offering again after [`QUICK_SECONDS`], those in `slow` not
//! while the tests run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod endings;
mod images;
mod markets;
mod offerings;
mod pool;
mod rollouts;
#[path = "../support/mod.rs"]
mod support;
mod template;
mod world;

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use futures::FutureExt as _;
use futures::future::join_all;
use serde_json::json;
use xtask::stack::{CloudDelays, Extent, Guests, OperatorOptions, Stack};

use world::World;

/// For so long a refused offering is left alone in the namespace `quick`.
const QUICK_SECONDS: f64 = 3.0;
const QUICK: &str = "quick";
const SLOW: &str = "slow";
/// Kept by an operator of its own, which is started anew.
const IMAGES: &str = "images";

/// The image of fleets that ask for no other.
const IMAGE: &str = "ami-0123456789abcdef0";
/// As good as the first.
const NEXT_IMAGE: &str = "ami-0123456789abcdef1";
/// Workers made from it never register.
const BROKEN_IMAGE: &str = "ami-0123456789abcdef2";

/// A scenario: what should be true, and how that is seen.
struct Scenario {
    name: &'static str,
    run: for<'a> fn(&'a World) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
}

macro_rules! scenarios {
    ($($module:ident :: $name:ident),+ $(,)?) => {
        vec![$(Scenario { name: concat!(stringify!($module), "::", stringify!($name)), run: |world| Box::pin($module::$name(world)) }),+]
    };
}

fn all() -> Vec<Scenario> {
    scenarios![
        offerings::the_next_one_is_tried_at_once,
        offerings::a_closed_one_is_probed_and_each_probe_doubles,
        offerings::a_storm_does_not_loop,
        offerings::every_capacity_code_closes,
        markets::spot_with_a_base_and_a_way_back_to_on_demand,
        markets::an_interrupted_worker_is_replaced,
        markets::spot_workers_are_never_kept,
        pool::workers_stop_and_start_again,
        pool::another_revision_is_not_started,
        pool::workers_are_prepared_before_there_is_work,
        pool::a_start_without_room_falls_to_a_launch,
        rollouts::one_more_and_one_fewer,
        rollouts::none_fewer,
        rollouts::none_more,
        rollouts::a_bad_revision_replaces_nothing,
        images::the_parameter_is_followed,
        template::all_of_it_reaches_ec2,
        endings::a_worker_that_never_registers,
        endings::a_worker_that_crashes_again_and_again,
        endings::a_worker_that_ignores_its_order,
        endings::instances_that_nobody_asked_for,
    ]
}

async fn stack() -> Stack {
    let stack = Stack::for_test("workers", |options| {
        options.extent = Extent::Operator;
        options.delays = CloudDelays { pending: 0.2, boot: 0.3, describe_lag: 0.3 };
        options.guests = Guests::Simulated { drain: 0.3 };
        options.operator_args = args(QUICK, &format!("--offering-closed-seconds={QUICK_SECONDS}"));
    });
    let stack = stack.await.unwrap();
    for namespace in [QUICK, SLOW, IMAGES] {
        stack.kubectl(&["create", "namespace", namespace]).await.unwrap();
    }
    for namespace in [SLOW, IMAGES] {
        spawn_operator(&stack, namespace).await;
    }
    stack
}

fn args(namespace: &str, more: &str) -> Vec<String> {
    [&format!("--namespaces={namespace}"), "--leader-elect=false", "--idle-sample-seconds=1", more].map(str::to_owned).into()
}

/// An operator for the fleets of one namespace, called after it.
async fn spawn_operator(stack: &Stack, namespace: &str) {
    let name = operator_of(namespace);
    let options = OperatorOptions { args: args(namespace, "--sample-seconds=1"), ..stack.operator_options(&name).unwrap() };
    stack.spawn_operator_with(&options).await.unwrap();
}

fn operator_of(namespace: &str) -> String {
    if namespace == QUICK { "operator".to_owned() } else { format!("operator-{namespace}") }
}

/// What a scenario failed with, if it did. The others go on.
async fn outcome(world: &World, scenario: &Scenario) -> Option<String> {
    let text = |panic: Box<dyn Any + Send>| panic.downcast::<String>().map_or_else(|_| "it panicked".to_owned(), |text| *text);
    let result = AssertUnwindSafe((scenario.run)(world)).catch_unwind().await;
    result.err().map(|panic| format!("{}: {}", scenario.name, text(panic)))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn workers_are_what_the_resource_says() {
    let world = World::new(stack().await).await;
    world.order(reqwest::Method::PUT, "broken-images", json!([BROKEN_IMAGE])).await;
    // One of them alone: CLASSIFIERFLEET_SCENARIO=pool::workers_stop
    let only = std::env::var("CLASSIFIERFLEET_SCENARIO").unwrap_or_default();
    let scenarios: Vec<Scenario> = all().into_iter().filter(|scenario| scenario.name.contains(&only)).collect();
    let failed: Vec<String> = join_all(scenarios.iter().map(|scenario| outcome(&world, scenario))).await.into_iter().flatten().collect();
    world.stack.stop().await.unwrap();
    assert!(failed.is_empty(), "{} of {} scenarios failed:\n{}", failed.len(), scenarios.len(), failed.join("\n"));
}
