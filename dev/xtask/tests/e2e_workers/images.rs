//! An image that an SSM parameter names.

use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::json;

use crate::support::until;
use crate::world::{World, ids};
use crate::{IMAGE, IMAGES, NEXT_IMAGE, operator_of, spawn_operator};

const PARAMETER: &str = "/e2e/worker-image";

/// The operator looks at a parameter once a minute; a fresh one looks at once.
async fn look_again(world: &World) {
    world.stack.kill_operator(&operator_of(IMAGES), Signal::SIGTERM).await.unwrap();
    spawn_operator(&world.stack, IMAGES).await;
}

pub async fn the_parameter_is_followed(world: &World) {
    world.order(Method::PUT, "parameters", json!({ PARAMETER: IMAGE })).await;
    let template = json!({"imageId": null, "imageParameter": PARAMETER});
    let fleet = world.fleet(IMAGES, "parameter", &["t3.xlarge"], json!({"replicas": 1, "template": template})).await;
    fleet.settles(1, 0).await;
    assert_eq!(fleet.live().await[0].image_id, IMAGE);
    let first = fleet.status().await.revision;

    world.order(Method::PUT, "parameters", json!({ PARAMETER: NEXT_IMAGE })).await;
    look_again(world).await;
    fleet.until("there is another revision", |status| status.revision != first && status.workers.outdated == 0).await;
    fleet.settles(1, 0).await;
    let live = fleet.live().await;
    assert_eq!(live[0].image_id, NEXT_IMAGE);
    let second = fleet.status().await.revision;

    fleet.patch(json!({"template": {"imageParameter": "/e2e/none"}})).await;
    let message = fleet.condition("AbleToScale", false, "ImageParameterUnknown").await;
    assert!(message.contains("/e2e/none names no AMI") && message.contains("Workers stay as they are"), "{message}");
    let status = fleet.status().await;
    assert_eq!((status.revision, status.workers.ready, status.workers.outdated), (second.clone(), 1, 0));
    fleet.scale(2).await;
    let says_why = |step: &String| step.contains("/e2e/none");
    fleet.until("nothing is launched", |status| status.decision.as_ref().is_some_and(|it| it.steps.iter().any(says_why))).await;

    fleet.patch(json!({"template": {"imageParameter": PARAMETER}})).await;
    fleet.condition("AbleToScale", true, "EC2Answers").await;
    fleet.settles(2, 0).await;
    assert_eq!(fleet.status().await.revision, second);
    until("no worker was replaced", async || ids(&fleet.live().await).contains(&live[0].id)).await;
}
