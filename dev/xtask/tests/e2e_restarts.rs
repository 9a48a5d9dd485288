//! Gateways, operator, SQS and S3 that go away and come back at random: whoever got an id gets the right result, and whoever sends a
//! request again that was not answered, with the same Idempotency-Key, uploads nothing twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::ops::Range;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::QueueAttributeName;
use futures::future::join_all;
use futures::{StreamExt as _, stream};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Response};
use serde_json::Value;
use support::{colours, until};
use uuid::Uuid;
use xtask::process::Process;
use xtask::stack::Stack;

/// Least of a quick run; CLASSIFIERFLEET_UPLOADS says another number.
const UPLOADS: usize = 2_000;
/// Uploads between two looks at whether there were enough.
const CHUNK: usize = 500;
/// What can be disturbed: each is, at least once, however quick the machine is.
const DISTURBED: usize = 4;
/// Uploads that wait for their answer at a time.
const AT_ONCE: usize = 50;
const WORKERS: usize = 4;
const DISTURB_EVERY: Duration = Duration::from_secs(3);
/// Longer than any answer takes, drained gateways included.
const PATIENCE: Duration = Duration::from_secs(120);
const GATEWAY: &str = "classifierfleet-gateway";

/// How often what was disturbed.
type Disturbances = Mutex<BTreeMap<&'static str, usize>>;

/// What clients met.
#[derive(Default)]
struct Met {
    /// Answers that told to try again, by status; 0: none came.
    again: Mutex<BTreeMap<u16, usize>>,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn every_id_ends_in_its_result_whatever_is_restarted() {
    let stack = Stack::for_test("restarts", |options| {
        options.fleet = "dev/xtask/tests/e2e_restarts.yaml".into();
        options.persist = true;
        // What relays cannot pass on while SQS is away is no request of ours.
        options.record = false;
    });
    let stack = stack.await.unwrap();
    colours::start_workers(&stack, WORKERS).await;
    let gateways = gateways(&stack).await;

    let uploads = std::env::var("CLASSIFIERFLEET_UPLOADS").map_or(UPLOADS, |text| text.parse().unwrap());
    let (begun, met, disturbances) = (Instant::now(), Met::default(), Disturbances::default());
    let upload = async {
        let mut ids = Vec::new();
        while ids.len() < uploads || disturbances.lock().unwrap().len() < DISTURBED {
            ids.extend(upload_all(&gateways, ids.len()..ids.len() + CHUNK, &met).await);
        }
        ids
    };
    let ids = tokio::select! {
        ids = upload => ids,
        never = disturb(&stack, &gateways, &disturbances) => match never {},
    };
    let seconds = begun.elapsed().as_secs_f64();
    let distinct: BTreeSet<Uuid> = ids.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids.len(), distinct.len(), "each upload has one id, its own, however often it was sent");
    all_have_their_results(&stack, &gateways, &ids).await;
    nothing_was_stored_twice(&stack, &distinct).await;
    println!(
        "{} uploads in {seconds:.0} s with {:?}: every id ended in its own result; told to try again, by status (0: no answer): {:?}",
        ids.len(),
        disturbances.into_inner().unwrap(),
        met.again.into_inner().unwrap()
    );
    stack.stop().await.unwrap();
}

/// URLs of both replicas: each pod keeps its address.
async fn gateways(stack: &Stack) -> Vec<String> {
    let port = stack.gateway_url().unwrap().rsplit_once(':').unwrap().1.to_owned();
    let all = ["get", "pods", "-o", "jsonpath={.items[*].status.podIP}"];
    until("both gateways have an address", async || stack.kubectl(&all).await.unwrap().split_whitespace().count() == 2).await;
    stack.kubectl(&all).await.unwrap().split_whitespace().map(|address| format!("http://{address}:{port}")).collect()
}

/// The label that each upload should have, and its id.
async fn upload_all(gateways: &[String], numbers: Range<usize>, met: &Met) -> Vec<(&'static str, Uuid)> {
    let http = Client::builder().timeout(PATIENCE).connect_timeout(Duration::from_secs(2)).build().unwrap();
    let uploads = numbers.map(|number| {
        let http = http.clone();
        async move {
            let (label, image) = colours::image(number);
            (label, upload(&http, gateways, number, image, met).await)
        }
    });
    stream::iter(uploads).buffer_unordered(AT_ONCE).collect().await
}

/// As a client that wants its image classified once: the same key until there is an id, from whichever gateway answers.
async fn upload(http: &Client, gateways: &[String], number: usize, image: Vec<u8>, met: &Met) -> Uuid {
    // One half waits for its labels, the other asks for them later.
    let path = if number.is_multiple_of(2) { "/upload" } else { "/v1/images" };
    let begun = Instant::now();
    for attempt in 0.. {
        assert!(begun.elapsed() < PATIENCE * 3, "{number} found nobody to take it");
        let form = Form::new().part("myfile", Part::bytes(image.clone()).file_name(format!("{number}.bmp")));
        let request = http.post(format!("{}{path}", gateways[(number + attempt) % gateways.len()])).multipart(form);
        let request = request.header("accept", "application/json").header("idempotency-key", format!("upload-{number}"));
        let status = match request.send().await {
            Ok(answer) => match id(answer).await {
                Ok(id) => return id,
                Err(status) => status,
            },
            Err(_) => 0,
        };
        *met.again.lock().unwrap().entry(status).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    unreachable!()
}

/// The id in an answer, whatever else it says; or the status of one that has none.
async fn id(answer: Response) -> Result<Uuid, u16> {
    let status = answer.status();
    let Ok(body) = answer.text().await else { return Err(0) };
    let json: Value = serde_json::from_str(&body).unwrap_or_default();
    let id = json["id"].as_str().or(json["images"][0]["id"].as_str()).and_then(|id| id.parse().ok());
    let may_be_tried_again = status.is_success() || status.is_server_error() || [409, 429].contains(&status.as_u16());
    assert!(may_be_tried_again, "{status}: {body}");
    assert!(status.as_u16() != 500, "{body}");
    id.ok_or(status.as_u16())
}

/// Now and then, but only while a gateway answers: a slow machine would have nothing but disturbances otherwise.
async fn disturb(stack: &Stack, gateways: &[String], disturbances: &Disturbances) -> Infallible {
    let mut number = 0;
    loop {
        tokio::time::sleep(DISTURB_EVERY).await;
        until("a gateway answers", async || any_answers(gateways).await).await;
        let chance = usize::from(Uuid::new_v4().as_bytes()[0]);
        let replica = chance % 2;
        let what = match number % 4 {
            0 => {
                stack.kubectl(&["delete", "pod", &format!("imagenet-gateway-{replica}"), "--wait=false"]).await.unwrap();
                "gateways deleted"
            }
            1 => {
                stack.kill_operator("operator", Signal::SIGKILL).await.unwrap();
                stack.spawn_operator("operator").await.unwrap();
                "operators killed"
            }
            2 => {
                stack.restart_storage().await.unwrap();
                "restarts of SQS and S3"
            }
            _ => {
                // Not by the whole command line: what runs the pods is told on its own where the gateway's program lies.
                let is_gateway = |process: &Process| process.command.split(' ').next().is_some_and(|program| program.ends_with(GATEWAY));
                let gateways: Vec<_> = stack.supervisor().processes().into_iter().filter(is_gateway).collect();
                if let Some(one) = gateways.get(chance % gateways.len().max(1)) {
                    kill(Pid::from_raw(one.pid), Signal::SIGKILL).unwrap();
                }
                "gateways killed"
            }
        };
        *disturbances.lock().unwrap().entry(what).or_default() += 1;
        number += 1;
    }
}

async fn any_answers(gateways: &[String]) -> bool {
    let http = Client::builder().timeout(Duration::from_secs(2)).build().unwrap();
    let answers =
        gateways.iter().map(async |url| http.get(format!("{url}/")).send().await.is_ok_and(|answer| answer.status().is_success()));
    join_all(answers).await.contains(&true)
}

/// From whichever replica answers: results are everybody's. As long as results come, those that are missing are waited for.
async fn all_have_their_results(stack: &Stack, gateways: &[String], ids: &[(&'static str, Uuid)]) {
    let http = Client::builder().timeout(PATIENCE).build().unwrap();
    let last_came = Mutex::new(Instant::now());
    let checks = ids.iter().enumerate().map(|(number, (label, id))| {
        let (http, last_came) = (http.clone(), &last_came);
        let url = format!("{}/v1/images/{id}?wait=10", gateways[number % gateways.len()]);
        async move {
            loop {
                // The last gateway that was ended may be coming back yet.
                let answer = http.get(&url).send().await;
                let view: Value = match answer {
                    Ok(answer) => answer.json().await.unwrap_or_default(),
                    Err(error) => error.to_string().into(),
                };
                if !matches!(view["status"].as_str(), None | Some("Pending")) {
                    assert_eq!(view["result"], *label, "{view}");
                    *last_came.lock().unwrap() = Instant::now();
                    return;
                }
                if last_came.lock().unwrap().elapsed() > PATIENCE {
                    panic!("for {PATIENCE:?} no result has come; of {id} is known {view}; {}", jobs_left(stack).await);
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    });
    stream::iter(checks).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

/// What SQS holds.
async fn jobs_left(stack: &Stack) -> String {
    let (_, sqs) = support::aws::clients(stack).await;
    let queues = sqs.list_queues().queue_name_prefix("restarts-").send().await.unwrap();
    let mut left = Vec::new();
    for url in queues.queue_urls() {
        let counts = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send().await.unwrap();
        let counts = counts.attributes.unwrap_or_default().into_iter().filter(|(name, _)| name.as_str().starts_with("Approximate"));
        left.push(format!("{url}: {:?}", counts.collect::<BTreeMap<_, _>>()));
    }
    left.join("; ")
}

/// Nothing was stored under another id than those that were given out.
async fn nothing_was_stored_twice(stack: &Stack, ids: &BTreeSet<Uuid>) {
    let (s3, _) = support::aws::clients(stack).await;
    let mut pages = s3.list_objects_v2().bucket("restarts-in").into_paginator().send();
    while let Some(page) = pages.next().await {
        for object in page.unwrap().contents() {
            let key = object.key().unwrap();
            let id = key.split('/').next().unwrap().parse::<Uuid>();
            assert!(id.is_err() || ids.contains(&id.unwrap()), "{key} belongs to nobody");
        }
    }
}
