//! Uploads and their answers through real SQS and S3, with a worker that answers what the image says.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::support::stack::Stack;
use crate::support::{Running, image, one, problem};
use gateway::{ResponseFormat, Settings};
use reqwest::multipart::Part;
use serde_json::Value;
use tokio::sync::Barrier;

/// 100 uploads at once, each over a connection of its own.
async fn hundred(gateway: &Running, name: impl Fn(usize) -> String) {
    let together = Arc::new(Barrier::new(100));
    let uploads = (0..100).map(|n| {
        let (field, path) = if n % 2 == 0 { ("myfile", "/upload") } else { ("inputFile", "/") };
        let upload = gateway.post(path, one(field, &name(n), image(&format!("label {n}"))));
        let together = Arc::clone(&together);
        tokio::spawn(async move {
            together.wait().await;
            let answer = upload.send().await.unwrap();
            (n, answer.status().as_u16(), answer.text().await.unwrap())
        })
    });
    for upload in uploads.collect::<Vec<_>>() {
        let (n, status, text) = upload.await.unwrap();
        assert_eq!((status, text), (200, format!("label {n}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_hundred_at_once_get_each_their_own_answer() {
    let stack = Stack::new().await;
    let (gateway, worker) = (stack.gateway().await, stack.worker());
    hundred(&gateway, |n| format!("test_{n:02}.jpg")).await;
    hundred(&gateway, |_| "test_00.jpg".to_owned()).await;
    gateway
        .until("/metrics", |_, text| {
            text.contains("namespace=\"default\",outcome=\"classified\"} 200")
                && text.contains("pending_uploads{fleet=\"imagenet\",namespace=\"default\"} 0")
        })
        .await;
    gateway.stop().await;
    worker.abort();
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn many_files_are_answered_in_order_in_every_format() {
    let mut stack = Stack::new().await;
    let worker = stack.worker();
    let form = || {
        (0..30).fold(reqwest::multipart::Form::new(), |form, n| {
            form.part(format!("f{n}"), Part::bytes(image(&format!("L{n}"))).file_name(format!("t_{n}.jpg")))
        })
    };
    let line = |format, n| match format {
        ResponseFormat::StemLabel => format!("t_{n}:L{n}"),
        ResponseFormat::Pair => format!("(t_{n}.jpg,L{n})"),
        _ => format!("L{n}"),
    };
    for format in [ResponseFormat::Label, ResponseFormat::StemLabel, ResponseFormat::Pair] {
        stack.settings.response_format = format;
        let gateway = stack.gateway().await;
        let answer = gateway.post("/upload", form()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.unwrap(), (0..30).map(|n| line(format, n)).collect::<Vec<_>>().join("\n"));
        let json: Value = gateway.post("/upload", form()).header("accept", "application/json").send().await.unwrap().json().await.unwrap();
        let labels: Vec<_> = json.as_array().unwrap().iter().map(|image| image["result"].as_str().unwrap().to_owned()).collect();
        assert_eq!(labels, (0..30).map(|n| format!("L{n}")).collect::<Vec<_>>());
        gateway.stop().await;
    }
    worker.abort();
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn what_the_worker_cannot_classify_is_an_error_of_its_kind_and_the_next_upload_works() {
    let stack = Stack::new().await;
    let (gateway, worker) = (stack.gateway().await, stack.worker());
    let table = [
        ("Corrupt", 422, "failed"),
        ("TooManyPixels", 422, "failed"),
        ("NotAnImage", 415, "not-an-image"),
        ("RetriesExhausted", 500, "retries-exhausted"),
    ];
    for (code, status, name) in table {
        let answer = gateway.post("/upload", one("f", "a.jpg", image(&format!("{code}!it is cut off")))).send().await.unwrap();
        let problem = problem(answer, status, name).await;
        assert_eq!((&problem["code"], &problem["detail"]), (&code.into(), &"it is cut off".into()));
        let seen: Value = gateway.get(problem["instance"].as_str().unwrap()).await.json().await.unwrap();
        assert_eq!((&seen["status"], &seen["id"]), (&"Failed".into(), &problem["id"]));
    }
    let mixed = one("a", "good.jpg", image("Paul")).part("b", Part::bytes(image("Corrupt!it is cut off")).file_name("bad.jpg"));
    let answer = problem(gateway.post("/upload", mixed).send().await.unwrap(), 422, "failed").await;
    assert_eq!((&answer["images"][0]["result"], &answer["images"][1]["status"]), (&"Paul".into(), &"Failed".into()));

    let good = gateway.post("/upload", one("f", "a.jpg", image("Paul"))).send().await.unwrap();
    assert_eq!((good.status().as_u16(), good.text().await.unwrap()), (200, "Paul".to_owned()));
    gateway.stop().await;
    worker.abort();
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_result_whose_announcement_is_lost_is_found_in_s3() {
    let stack = Stack::new().await;
    stack.announces.store(false, Ordering::Relaxed);
    let (gateway, worker) = (stack.gateway().await, stack.worker());
    let answer = gateway.post("/upload", one("f", "a.jpg", image("Paul"))).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "Paul".to_owned()));
    gateway.stop().await;
    worker.abort();
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn ids_are_known_at_once_and_after_a_restart() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let accepted = gateway.post("/v1/images", one("f", "a.jpg", image("Paul"))).send().await.unwrap();
    assert_eq!(accepted.status(), 202);
    let location = accepted.headers()["location"].to_str().unwrap().to_owned();
    let body: Value = accepted.json().await.unwrap();
    assert_eq!((&body["images"][0]["status"], &body["images"][0]["url"]), (&"Pending".into(), &location.as_str().into()));
    let pending: Value = gateway.get(&format!("{location}?wait=1")).await.json().await.unwrap();
    assert_eq!(pending, body["images"][0]);

    let waiting = tokio::spawn(reqwest::get(gateway.url(&format!("{location}?wait=60"))));
    stack.answer(stack.next_job().await).await;
    let finished: Value = waiting.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!((&finished["result"], &finished["status"]), (&"Paul".into(), &"Classified".into()));
    gateway.stop().await;

    let gateway = stack.gateway().await;
    let again: Value = gateway.get(&location).await.json().await.unwrap();
    assert_eq!(again, finished);
    problem(gateway.get(&format!("/v1/images/{}?wait=30", uuid::Uuid::now_v7())).await, 404, "no-such-image").await;
    gateway.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn many_files_get_many_ids() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let form = one("a", "x.jpg", image("A")).part("b", Part::bytes(image("B")).file_name("x.jpg")).text("comment", "not a file");
    let accepted = gateway.post("/v1/images", form).send().await.unwrap();
    assert!(accepted.status() == 202 && !accepted.headers().contains_key("location"));
    let body: Value = accepted.json().await.unwrap();
    let ids: HashSet<_> = body["images"].as_array().unwrap().iter().map(|image| image["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 2);
    gateway.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn an_upload_without_a_result_in_time_is_504_and_can_be_asked_for_later() {
    let mut stack = Stack::new().await;
    stack.settings.request_timeout_seconds = 1;
    let gateway = stack.gateway().await;
    let late = problem(gateway.post("/upload", one("f", "a.jpg", image("Paul"))).send().await.unwrap(), 504, "late").await;
    stack.answer(stack.next_job().await).await;
    let found: Value = gateway.get(late["instance"].as_str().unwrap()).await.json().await.unwrap();
    assert_eq!((&found["result"], &found["id"]), (&"Paul".into(), &late["id"]));
    gateway.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn images_that_wait_keep_their_places() {
    let mut stack = Stack::new().await;
    stack.settings.max_pending = 2;
    let gateway = stack.gateway().await;
    let form =
        (0..3).fold(reqwest::multipart::Form::new(), |form, n| form.part("f", Part::bytes(image("x")).file_name(format!("{n}.jpg"))));
    let full = problem(gateway.post("/v1/images", form).send().await.unwrap(), 429, "busy").await;
    assert_eq!(full["images"].as_array().unwrap().len(), 2);
    let worker = stack.worker();
    gateway.until("/metrics", |_, text| text.contains("pending_uploads{fleet=\"imagenet\",namespace=\"default\"} 0")).await;
    let answer = gateway.post("/upload", one("f", "a.jpg", image("Paul"))).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    gateway.stop().await;
    worker.abort();
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_stopping_gateway_finishes_what_has_begun() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let upload = tokio::spawn(gateway.post("/upload", one("f", "a.jpg", image("Paul"))).send());
    let job = stack.next_job().await;
    gateway.shutdown.cancel();
    gateway.until("/readyz", |status, _| status == 503).await;
    stack.answer(job).await;
    let answer = upload.await.unwrap().unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "Paul".to_owned()));
    gateway.ended.await.unwrap().unwrap();
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_gateway_that_cannot_wait_says_where_the_result_will_be() {
    let mut stack = Stack::new().await;
    stack.settings = Settings { drain_timeout_seconds: 0, ..stack.settings };
    let gateway = stack.gateway().await;
    let upload = tokio::spawn(gateway.post("/upload", one("f", "a.jpg", image("Paul"))).send());
    let job = stack.next_job().await;
    gateway.stop().await;
    let left = problem(upload.await.unwrap().unwrap(), 504, "late").await;
    assert!(left["detail"].as_str().unwrap().contains("not lost"), "{left}");

    stack.answer(job).await;
    let gateway = stack.gateway().await;
    let found: Value = gateway.get(left["instance"].as_str().unwrap()).await.json().await.unwrap();
    assert_eq!(found["result"], "Paul");
    gateway.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn announcements_that_nobody_waits_for_are_deleted() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let queue = &stack.settings.reply_queue;
    stack.announce(queue, "this is no result").await;
    gateway.post("/v1/images", one("f", "a.jpg", image("Paul"))).send().await.unwrap();
    let job = stack.next_job().await;
    // Announced twice, as SQS may: the second time nobody waits any more.
    stack.answer(job.clone()).await;
    stack.answer(job).await;
    while stack.messages(queue).await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    gateway.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn who_goes_away_frees_the_place_and_the_image_is_classified_all_the_same() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let upload = tokio::spawn(gateway.post("/upload", one("f", "a.jpg", image("Paul"))).send());
    let job = stack.next_job().await;
    upload.abort();
    gateway.until("/metrics", |_, text| text.contains("namespace=\"default\",outcome=\"disconnected\"} 1")).await;
    gateway.until("/metrics", |_, text| text.contains("pending_uploads{fleet=\"imagenet\",namespace=\"default\"} 0")).await;
    stack.answer(job.clone()).await;
    let found: Value = gateway.get(&format!("/v1/images/{}", job.id)).await.json().await.unwrap();
    assert_eq!(found["result"], "Paul");
    gateway.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn fifo_queues_carry_jobs_and_answers_and_none_waits_for_another() {
    let stack = Stack::with_queues(".fifo").await;
    let gateway = stack.gateway().await;
    let form = (0..12)
        .fold(reqwest::multipart::Form::new(), |form, n| form.part("f", Part::bytes(image(&format!("label {n}"))).file_name("same.jpg")));
    let upload = tokio::spawn(gateway.post("/upload", form).send());
    // Were they of one group, SQS would hand out none while the first of them is in flight.
    let mut jobs = Vec::new();
    while jobs.len() < 12 {
        jobs.extend(stack.hold(10).await);
    }
    for job in jobs {
        stack.answer(job).await;
    }
    let answer = upload.await.unwrap().unwrap();
    let expected = (0..12).map(|n| format!("label {n}")).collect::<Vec<_>>().join("\n");
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, expected));
    gateway.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_small_image_rides_in_the_message_where_the_queue_has_room() {
    let mut stack = Stack::new().await;
    stack.settings.inline_bytes = 2000;
    let gateway = stack.gateway().await;
    let (small, large) = (image(&"s".repeat(1900)), image(&"l".repeat(2000)));
    for bytes in [&small, &large] {
        let upload = gateway.post("/v1/images", one("file", "a.jpg", bytes.clone())).send().await.unwrap();
        assert_eq!(upload.status(), 202);
        let job = stack.next_job().await;
        assert_eq!(job.image.as_deref().unwrap_or_default(), if bytes == &small { small.as_slice() } else { &[] });
        assert_eq!(stack.stored(&job).await, *bytes, "it is in the bucket, too");
    }
    // Somebody allows the queue less than the gateway was told.
    stack.allow(1024).await;
    for _ in 0..2 {
        let upload = gateway.post("/v1/images", one("file", "a.jpg", small.clone())).send().await.unwrap();
        assert_eq!(upload.status(), 202);
        let job = stack.next_job().await;
        assert_eq!((job.image.as_deref(), stack.stored(&job).await), (None, small.clone()));
    }
    gateway.stop().await;
}
