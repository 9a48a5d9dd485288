//! Workers that are killed at random, with whatever they have begun: every image is answered once, and none is lost.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::QueueAttributeName::{
    self, ApproximateNumberOfMessages as Visible, ApproximateNumberOfMessagesNotVisible as InFlight,
};
use futures::{StreamExt as _, stream};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use support::{colours, until};
use uuid::Uuid;
use wire::{JobResult, Outcome};
use xtask::stack::Stack;

const WORKERS: usize = 20;
const IMAGES: usize = 2_000;
/// Uploads that wait for their answer at a time.
const AT_ONCE: usize = 100;
const KILL_EVERY: Duration = Duration::from_secs(1);
const PROGRAM: &str = "classifierfleet-worker";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn no_image_is_lost_when_workers_are_killed() {
    let stack = Stack::for_test("kills", |options| {
        options.fleet = "dev/xtask/tests/e2e_kills.yaml".into();
        // Twenty workers ask for more than is worth writing down.
        options.record = false;
    });
    let stack = stack.await.unwrap();
    colours::start_workers(&stack, WORKERS).await;

    let (begun, kills) = (Instant::now(), AtomicUsize::new(0));
    let answers = tokio::select! {
        answers = upload_all(&stack) => answers,
        never = kill_at_random(&stack, &kills) => match never {},
    };
    let (seconds, kills) = (begun.elapsed().as_secs_f64(), kills.into_inner());
    let ids: BTreeSet<Uuid> = answers.iter().map(|(_, answer)| answer.id).collect();
    assert_eq!((answers.len(), ids.len()), (IMAGES, IMAGES), "each image has one answer, its own");
    results_are_right(&stack, &answers).await;
    queues_become_empty(&stack).await;
    assert!(kills > 5, "{kills} kills");
    let (done, again) = told(&stack);
    println!(
        "{IMAGES} images in {seconds:.0} s, {WORKERS} workers, {kills} kills: all answered once and right, none in the dead-letter queue; \
         {done} times a job was done, {again} of them not at its first receipt"
    );
    stack.stop().await.unwrap();
}

/// The answers, each with the label that it should have.
async fn upload_all(stack: &Stack) -> Vec<(&'static str, JobResult)> {
    let (http, url) = (reqwest::Client::new(), format!("{}/upload", stack.gateway_url().unwrap()));
    let uploads = (0..IMAGES).map(|number| {
        let (http, url, (label, image)) = (http.clone(), url.clone(), colours::image(number));
        async move {
            let form = Form::new().part("myfile", Part::bytes(image).file_name(format!("{number}.bmp")));
            let answer = http.post(url).header("accept", "application/json").multipart(form).send().await.unwrap();
            let (status, body) = (answer.status(), answer.text().await.unwrap());
            assert_eq!(status, 200, "{number}: {body}");
            (label, serde_json::from_str(&body).unwrap())
        }
    });
    stream::iter(uploads).buffer_unordered(AT_ONCE).collect().await
}

async fn kill_at_random(stack: &Stack, kills: &AtomicUsize) -> Infallible {
    loop {
        tokio::time::sleep(KILL_EVERY).await;
        let workers = workers(stack);
        if !workers.is_empty() {
            let chance = usize::from(Uuid::new_v4().as_bytes()[0]) % workers.len();
            // It may have ended by itself.
            kills.fetch_add(usize::from(kill(workers[chance], Signal::SIGKILL).is_ok()), Ordering::Relaxed);
        }
    }
}

/// The worker processes of the instances, by the name that the script of their machine calls them.
fn workers(stack: &Stack) -> Vec<Pid> {
    let processes = stack.supervisor().processes().into_iter();
    processes.filter(|process| process.command.starts_with(PROGRAM)).map(|process| Pid::from_raw(process.pid)).collect()
}

/// What is in S3 is what the uploader was told.
async fn results_are_right(stack: &Stack, answers: &[(&'static str, JobResult)]) {
    let (s3, _) = support::aws::clients(stack).await;
    for (expected, answer) in answers {
        assert!(matches!(&answer.outcome, Outcome::Classified { label, .. } if label == expected), "{expected}: {answer:?}");
        let key = format!("{}/{}.json", answer.id, answer.name);
        let object = s3.get_object().bucket("kills-out").key(&key).send().await.unwrap();
        let stored: JobResult = serde_json::from_slice(&object.body.collect().await.unwrap().into_bytes()).unwrap();
        assert_eq!((stored.id, &stored.outcome), (answer.id, &answer.outcome), "whoever wrote it last");
    }
}

async fn queues_become_empty(stack: &Stack) {
    let (_, sqs) = support::aws::clients(stack).await;
    let messages = async |name: &str| {
        let url = sqs.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap();
        let asked = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send().await.unwrap();
        let attributes = asked.attributes.unwrap();
        (attributes[&Visible].clone(), attributes[&InFlight].clone())
    };
    let empty = || ("0".to_owned(), "0".to_owned());
    until("all jobs are deleted", async || messages("kills-requests").await == empty()).await;
    assert_eq!(messages("kills-requests-dead").await, empty());
}

/// How often the workers say that a job was done, and how often that it was not received for the first time.
fn told(stack: &Stack) -> (usize, usize) {
    let machines = fs::read_dir(stack.dir().join("state/cloudsim")).unwrap();
    let consoles = machines.filter_map(|machine| fs::read_to_string(machine.unwrap().path().join("console.log")).ok());
    let lines: Vec<Value> =
        consoles.flat_map(|log| log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<_>>()).collect();
    let done: Vec<_> = lines.iter().filter(|line| line["message"] == "classified").collect();
    (done.len(), done.iter().filter(|line| line["receives"].as_u64() > Some(1)).count())
}
