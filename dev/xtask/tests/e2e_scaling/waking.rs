//! From nothing to the first worker: by the Lease of a gateway that somebody uploads to, and by the poll where there is none.

use std::time::Duration;

use reqwest::multipart::{Form, Part};
use serde_json::json;
use xtask::stack::Stack;

use super::fleet::{Fleet, at_once, desired, is_current, steps, visible};
use super::stage::Stage;

/// An operator that polls once an hour has not looked again by then.
const STILL: Duration = Duration::from_secs(3);

/// An upload that nobody will answer, for no worker takes jobs here.
fn upload(stack: &Stack) -> tokio::task::JoinHandle<()> {
    let url = format!("{}/upload", stack.gateway_url().unwrap());
    let photo = xtask::photos::load(&stack.tools().photos).unwrap().swap_remove(0);
    tokio::spawn(async move {
        let form = Form::new().part("myfile", Part::bytes(photo.bytes).file_name("photo.jpg"));
        let _unanswered = reqwest::Client::new().post(url).multipart(form).send().await;
    })
}

/// Waits until nothing has happened to the fleet for a while: so that what follows has another cause.
async fn is_still(fleet: &Fleet<'_>) {
    loop {
        let last = fleet.stage.history.of(fleet.namespace, fleet.name).pop();
        if last.is_some_and(|seen| seen.at.elapsed() > STILL && is_current(&seen.fleet)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

pub async fn an_upload_wakes_the_operator(stage: &Stage) {
    // The example fleet has a gateway; the other one's queue gets what a gateway would put there.
    let (fleet, unwoken) = (stage.unpolled_fleet("imagenet").await, stage.unpolled_fleet("unwoken").await);
    unwoken.apply(json!({"max": 5}), at_once()).await;
    unwoken.until("its status is there", is_current).await;
    tokio::join!(is_still(&fleet), is_still(&unwoken));
    unwoken.queue.send(1).await;
    tokio::time::sleep(STILL).await;
    assert!(unwoken.instances().await.is_empty() && fleet.instances().await.is_empty(), "nothing has woken the operator yet");
    let uploading = upload(&stage.stack);
    let seen = fleet.wants(1).await;
    assert_eq!(seen.status.as_ref().unwrap().decision.as_ref().unwrap().inputs.waiting, 1, "{}", steps(&seen));
    assert_eq!(fleet.has_running(1).await, 1);
    uploading.abort();
    assert!(unwoken.instances().await.is_empty(), "the wake is for one fleet");
    assert!(!unwoken.ever(|fleet| visible(fleet).is_some_and(|visible| visible > 0)), "nobody has looked");
    // Any reason to look shows what has been in its queue all the time.
    unwoken.annotate("example.com/look", Some("now")).await;
    let seen = unwoken.wants(1).await;
    assert_eq!(visible(&seen), Some(1));
}

pub async fn without_a_gateway_the_poll_does(stage: &Stage) {
    let fleet = stage.fleet("polled").await;
    fleet.apply(json!({"max": 5}), at_once()).await;
    fleet.until("its status is there", is_current).await;
    is_still(&fleet).await;
    assert!(!fleet.ever(|fleet| desired(fleet) > 0));
    fleet.queue.send(1).await;
    let seen = fleet.wants(1).await;
    assert_eq!(seen.status.as_ref().unwrap().decision.as_ref().unwrap().inputs.waiting, 0);
    assert_eq!(fleet.has_running(1).await, 1);
    assert!(fleet.ever(|fleet| steps(fleet).contains("Launching 1 t3.small.")));
}
