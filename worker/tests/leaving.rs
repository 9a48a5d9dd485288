//! Every reason for which a worker leaves, and what it finishes first: the program itself, with its environment as the
//! operator writes it, on an instance that is played by the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/fake.rs"]
mod fake;
mod support;

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fake::{Fake, INTENT};
use image::ImageFormat;
use support::{RED, colours, encode, plain};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use wire::{Job, ObjectKeys};

/// The worker as a process, which ends with it.
struct Process {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    _cache: tempfile::TempDir,
}

impl Process {
    /// `idle` in seconds; 0: never.
    fn start(fake: &Fake, idle: u32) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_classifierfleet-worker"))
            .env_clear()
            .envs([("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
            .envs([("AWS_ENDPOINT_URL", fake.url()), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", fake.url())])
            .envs([("CLASSIFIERFLEET_NAMESPACE", "default"), ("CLASSIFIERFLEET_FLEET", "imagenet")])
            .envs([("CLASSIFIERFLEET_REVISION", "r1"), ("CLASSIFIERFLEET_PARALLELISM", "1")])
            .envs([("CLASSIFIERFLEET_REQUEST_QUEUE", "requests.fifo"), ("CLASSIFIERFLEET_OUTPUT_BUCKET", "out")])
            .env("CLASSIFIERFLEET_MODEL_URI", format!("file://{}", colours().display()))
            .env("CLASSIFIERFLEET_VISIBILITY_TIMEOUT_SECONDS", "3")
            .env("CLASSIFIERFLEET_IDLE_SHUTDOWN_SECONDS", idle.to_string())
            .env("CACHE_DIRECTORY", cache.path())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (mut lines, log) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::<Mutex<Vec<String>>>::default());
        let kept = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                kept.lock().unwrap().push(line);
            }
        });
        Self { child, log, _cache: cache }
    }

    async fn until_said(&self, words: &str) {
        until(words, || self.log.lock().unwrap().iter().any(|line| line.contains(words))).await;
    }

    async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await.expect("the worker leaves").unwrap()
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn terminate(&self) {
        let status = std::process::Command::new("kill").arg(self.child.id().unwrap().to_string()).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the worker said:\n{}", self.log.lock().unwrap().join("\n"));
        }
    }
}

/// Asks again until it holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1200 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not come");
}

async fn fake(instance_type: &str) -> Arc<Fake> {
    Fake::start(instance_type, encode(plain(20, 10, RED), ImageFormat::Png)).await
}

async fn until_ready(fake: &Fake, times: usize) {
    until("the ready tag", || fake.calls(&["EC2", "Action=CreateTags", "classifierfleet%3Aready"]) == times).await;
}

fn job() -> String {
    let id = uuid::Uuid::now_v7();
    let job = Job {
        id,
        name: "red.png".to_owned(),
        bucket: "in".to_owned(),
        key: ObjectKeys::new(id, "red.png").input,
        reply_to: "responses-0.fifo".to_owned(),
        submitted_at: jiff::Timestamp::now(),
        traceparent: None,
        tracestate: None,
        by_name: false,
        image: None,
    };
    job.to_message(wire::SMALLEST_MESSAGE_LIMIT).unwrap()
}

async fn leaves_for(item: &str, value: &str, said: &str) {
    let fake = fake("t3.small").await;
    let mut worker = Process::start(&fake, 0);
    until_ready(&fake, 1).await;
    assert!(worker.is_running());
    fake.set(item, value);
    worker.until_said(said).await;
    assert_eq!(worker.ended().await.code(), Some(0), "on which the machine powers itself off");
}

#[tokio::test]
async fn the_operators_tag_makes_it_leave_and_a_machine_started_again_registers_again() {
    let fake = fake("t3.small").await;
    for start in 1..=2 {
        fake.set(INTENT, "keep");
        let mut worker = Process::start(&fake, 0);
        until_ready(&fake, start).await;
        fake.set(INTENT, "drain");
        worker.until_said("the operator asks to drain").await;
        assert_eq!(worker.ended().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_spot_notice_makes_it_leave() {
    let notice = r#"{"action": "terminate", "time": "2026-11-22T08:22:00Z"}"#;
    leaves_for("spot/instance-action", notice, "EC2 takes this spot instance back").await;
}

#[tokio::test]
async fn a_rebalance_recommendation_makes_it_leave() {
    leaves_for("events/recommendations/rebalance", r#"{"noticeTime": "2026-11-22T08:22:00Z"}"#, "EC2 expects to take").await;
}

#[tokio::test]
async fn nothing_to_do_for_long_makes_it_leave_unless_it_is_kept() {
    let fake = fake("t3.small").await;
    fake.set(INTENT, "keep");
    let mut worker = Process::start(&fake, 1);
    until_ready(&fake, 1).await;
    let asked = fake.calls(&["IMDS", INTENT]);
    // Two seconds apart: the second is long past.
    until("three more looks at the intent", || fake.calls(&["IMDS", INTENT]) >= asked + 3).await;
    assert!(worker.is_running());
    fake.unset(INTENT);
    worker.until_said("there was nothing to do for 1 s").await;
    assert_eq!(worker.ended().await.code(), Some(0));
}

/// A job that takes as long as S3 likes: the order to leave comes while its result is being stored.
async fn finishes_its_job(order: impl AsyncFn(&Fake, &Process), said: &str) {
    let fake = fake("t3.small").await;
    fake.holds_results.send_replace(true);
    fake.submit(job());
    let mut worker = Process::start(&fake, 1);
    until("the result on its way", || fake.calls(&["S3 PUT"]) == 1).await;
    order(&fake, &worker).await;
    worker.until_said(said).await;

    let hidden = || fake.calls(&["ChangeMessageVisibility", r#""VisibilityTimeout":3"#]);
    let before = hidden();
    until("the job to be kept hidden twice more", || hidden() >= before + 2).await;
    assert!(worker.is_running(), "longer than it may be idle");
    assert_eq!(fake.calls(&["DeleteMessage"]), 0, "the message is deleted last");

    fake.holds_results.send_replace(false);
    assert_eq!(worker.ended().await.code(), Some(0));
    assert_eq!((fake.calls(&["S3 PUT done"]), fake.calls(&["SendMessage"]), fake.calls(&["DeleteMessage"])), (1, 1, 1));
    assert_eq!(fake.calls(&["ChangeMessageVisibility", r#""VisibilityTimeout":0"#]), 0, "it is not given back");
    assert_eq!(fake.calls(&["SendMessage", "MessageGroupId", "MessageDeduplicationId"]), 1, "the reply queue is FIFO");
}

#[tokio::test]
async fn a_job_that_was_begun_is_finished_though_the_operator_says_drain() {
    finishes_its_job(async |fake, _| fake.set(INTENT, "drain"), "the operator asks to drain").await;
}

#[tokio::test]
async fn a_job_that_was_begun_is_finished_though_a_spot_notice_comes() {
    let order = async |fake: &Fake, _: &Process| fake.set("spot/instance-action", r#"{"action": "stop", "time": "2026-11-22T08:22:00Z"}"#);
    finishes_its_job(order, "EC2 takes this spot instance back").await;
}

#[tokio::test]
async fn a_job_that_was_begun_is_finished_though_sigterm_comes() {
    finishes_its_job(async |_, worker| worker.terminate(), "asked to stop").await;
}

#[tokio::test]
async fn where_metadata_does_not_follow_changed_tags_ec2_is_asked() {
    let fake = fake("t2.micro").await;
    // As it was when the machine was started; the operator has changed it since.
    fake.set(INTENT, "drain");
    *fake.ec2_intent.lock().unwrap() = Some("keep".to_owned());
    let mut kept = Process::start(&fake, 0);
    until_ready(&fake, 1).await;
    assert!(kept.is_running());
    assert!(fake.calls(&["EC2", "Action=DescribeInstances", "classifierfleet%3Atoken", "launch-7"]) >= 1);

    *fake.ec2_intent.lock().unwrap() = Some("drain".to_owned());
    fake.unset(INTENT);
    let mut drained = Process::start(&fake, 0);
    assert_eq!(drained.ended().await.code(), Some(0));
    assert_eq!(kept.ended().await.code(), Some(0), "it asks every now and then");
}

#[tokio::test]
async fn a_throttled_worker_registers_later_instead_of_failing() {
    let fake = fake("t3.small").await;
    fake.throttles.store(2, std::sync::atomic::Ordering::Relaxed);
    let mut worker = Process::start(&fake, 0);
    until_ready(&fake, 3).await;
    worker.terminate();
    assert_eq!(worker.ended().await.code(), Some(0));
}
