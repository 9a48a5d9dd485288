//! The five systems that the project re-does, each as its fleet of `examples` and with a client as it was written for it.
//!
//! What a scenario lays over its example is the number of machines that fit the cores of one, and shorter times.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../support/cluster.rs"]
mod cluster;
mod images;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod systems;

use stage::Stage;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn five_systems_do_what_they_did() {
    let stage = Stage::raise().await;
    stage.every_example_is_taken().await;
    systems::names_of_faces(&stage).await;
    systems::stopped_workers_are_started_again(&stage).await;
    systems::as_many_workers_as_images(&stage).await;
    systems::one_worker_at_a_time_and_a_notice_at_the_cap(&stage).await;
    // The last one: it ends the operator.
    systems::workers_leave_by_themselves(&stage).await;
    stage.stack.stop().await.unwrap();
}
