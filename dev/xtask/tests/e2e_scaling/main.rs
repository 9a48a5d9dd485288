//! Each setting of how a fleet scales does what its description says: what makes the backlog, the two targets, activation,
//! damping, limits, annotations, other autoscalers, failed samples, and the wake by a gateway.
//!
//! One stack, and in it a fleet for each story; the stories go on at the same time. Guests are simulated: they boot, measure
//! 30 images a second and leave when told, but take no jobs, so that the backlog is exactly what a story puts into the queue.
//! Each decision that any fleet's status ever showed is made again from the inputs that it shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod autoscalers;
mod backlog;
mod behavior;
mod deadline;
mod failing;
mod fleet;
mod history;
mod pauses;
#[path = "../support/sqs.rs"]
mod sqs;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod waking;

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use futures::future::{LocalBoxFuture, join_all};
use stage::Stage;

/// A story and its name.
type Story<'a> = (&'static str, LocalBoxFuture<'a, ()>);

macro_rules! stories {
    ($stage:expr, $($module:ident :: $story:ident),* $(,)?) => {
        vec![$((concat!(stringify!($module), "::", stringify!($story)), $module::$story($stage).boxed_local())),*]
    };
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn each_setting_of_scaling_does_what_its_description_says() {
    let stage = Stage::raise("scaling").await;
    let stories: Vec<Story<'_>> = stories![
        &stage,
        backlog::one_worker_for_so_many_messages_up_to_max,
        backlog::nothing_is_launched_up_to_activation_messages,
        backlog::in_flight_and_delayed_messages_count_as_told,
        deadline::as_few_as_meet_it_by_what_is_assumed,
        deadline::as_few_as_meet_it_by_what_was_measured,
        deadline::one_that_cannot_be_met_is_met_as_soon_as_can_be,
        deadline::a_worker_that_would_come_too_late_is_not_launched,
        behavior::a_rise_keeps_to_its_policies,
        behavior::a_rise_keeps_to_the_policy_that_is_selected,
        behavior::the_first_worker_is_never_delayed,
        behavior::a_fall_keeps_to_its_window,
        behavior::a_fall_keeps_to_the_policy_that_is_selected,
        pauses::paused_holds_the_number,
        pauses::paused_replicas_is_the_number,
        pauses::one_direction_can_be_paused,
        autoscalers::kubectl_scale_pins_the_number_between_min_and_max,
        autoscalers::a_client_of_the_scale_subresource_drives_it,
        autoscalers::a_horizontal_pod_autoscaler_drives_it,
        failing::the_fallback_holds_while_samples_fail,
        waking::an_upload_wakes_the_operator,
        waking::without_a_gateway_the_poll_does,
    ];
    let told = join_all(stories.into_iter().map(tell)).await;
    let failures: Vec<String> = told.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{} stories went wrong; the logs: {}\n{}", failures.len(), stage.logs(), failures.join("\n"));
    let decisions = stage.history.every_decision_can_be_made_again();
    xtask::progress::line(format!("{decisions} decisions were made again from their inputs"));
    stage.strike().await;
}

/// Nothing, or what went wrong.
async fn tell((name, story): Story<'_>) -> Option<String> {
    let panic = AssertUnwindSafe(story).catch_unwind().await.err()?;
    let message = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    Some(format!("{name}: {}", message.unwrap_or_default()))
}
