//! Whole jobs, with real queues and buckets and a small model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/aws.rs"]
mod aws;
mod support;

use aws::{Cloud, Kind, Switch};
use image::ImageFormat;
use support::{BLUE, GREEN, RED, colours, encode, folder, plain};
use wire::{ErrorCode, Job, Outcome, SMALLEST_MESSAGE_LIMIT};
use worker::jobs::Isolation;
use worker::model::fetch::{Fetcher, ModelUri};
use worker::model::{Folder, ModelError};

fn png(colour: [u8; 3]) -> Option<Vec<u8>> {
    Some(encode(plain(20, 10, colour), ImageFormat::Png))
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn an_image_becomes_a_result_a_reply_and_no_message() {
    let cloud = Cloud::new().await;
    let worker = cloud.worker().await;
    let job = cloud.submit("grüne wiese.png", png(GREEN)).await;
    let (result, metadata) = cloud.result(&job).await;
    assert!(matches!(&result.outcome, Outcome::Classified { label, predictions } if label == "green" && predictions.len() == 2));
    assert_eq!((result.id, result.name.as_str(), metadata.as_str()), (job.id, "grüne wiese.png", "green"));
    assert_eq!((result.model.name.as_str(), result.revision.as_str(), result.worker.as_str()), ("colours", "r1", "i-0123456789abcdef0"));
    assert_eq!(result.submitted_at, job.submitted_at);
    assert_eq!(cloud.reply().await, result, "the reply is the stored result");
    cloud.until_waiting((0, 0)).await;
    worker.leave().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn what_cannot_be_classified_is_answered_at_once_and_for_good() {
    let cloud = Cloud::new().await;
    let worker = cloud.worker().await;
    let cases = [
        ("letter.jpg", Some(b"dear sir or madam".to_vec()), ErrorCode::NotAnImage),
        ("cut.png", png(RED).map(|bytes| bytes[..40].to_vec()), ErrorCode::Corrupt),
        ("huge.png", Some(encode(plain(1001, 1000, RED), ImageFormat::Png)), ErrorCode::TooManyPixels),
        ("long.bmp", Some(vec![b'B'; 1_000_001]), ErrorCode::TooLarge),
        ("gone.jpg", None, ErrorCode::Missing),
    ];
    for (name, image, expected) in cases {
        let job = cloud.submit(name, image).await;
        let (result, _) = cloud.result(&job).await;
        assert!(
            matches!(&result.outcome, Outcome::Failed { code, message } if *code == expected && !message.is_empty()),
            "{name}: {result:?}"
        );
        assert_eq!(cloud.reply().await, result, "{name}");
        cloud.until_waiting((0, 0)).await;
    }
    worker.leave().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_drain_gives_back_what_has_not_begun_and_takes_nothing_new() {
    let cloud = Cloud::new().await;
    let worker = cloud.worker_with(0, &format!("{}-out", cloud.name)).await;
    for _ in 0..3 {
        cloud.submit("red.png", png(RED)).await;
    }
    worker.until_held(2).await;
    cloud.until_waiting((1, 2)).await;
    worker.leave().await;
    assert_eq!(cloud.waiting().await, (3, 0), "one was never taken, two were given back");

    // The next worker does them all.
    let worker = cloud.worker().await;
    cloud.until_waiting((0, 0)).await;
    worker.leave().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_drain_finishes_what_has_begun() {
    let cloud = Cloud::new().await;
    let worker = cloud.worker().await;
    let job = cloud.submit("blue.png", png(BLUE)).await;
    aws::until("the job to begin", || async {
        (worker.workshop.cpu.threads().available_permits() == 0 || cloud.waiting().await == (0, 0)).then_some(())
    })
    .await;
    worker.leave().await;
    assert_eq!(cloud.waiting().await, (0, 0));
    assert!(matches!(cloud.result(&job).await.0.outcome, Outcome::Classified { label, .. } if label == "blue"));
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn the_message_stays_until_the_result_is_stored() {
    let cloud = Cloud::new().await;
    let out = format!("{}-out", cloud.name);
    cloud.s3.delete_bucket().bucket(&out).send().await.unwrap();
    let worker = cloud.worker().await;
    let job = cloud.submit("red.png", png(RED)).await;
    worker.until_ended("failed").await;
    assert_eq!(cloud.waiting().await, (0, 1), "the job is hidden for a while, then tried again");

    cloud.s3.create_bucket().bucket(&out).send().await.unwrap();
    assert!(matches!(cloud.result(&job).await.0.outcome, Outcome::Classified { label, .. } if label == "red"));
    cloud.until_waiting((0, 0)).await;
    worker.leave().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_job_that_takes_longer_than_the_visibility_timeout_stays_hidden() {
    let cloud = Cloud::new().await;
    let worker = cloud.worker_with(0, &format!("{}-out", cloud.name)).await;
    let job = cloud.submit("red.png", png(RED)).await;
    worker.until_held(1).await;
    tokio::time::sleep(aws::VISIBILITY + aws::VISIBILITY / 2).await;
    assert_eq!(cloud.waiting().await, (0, 1), "the heartbeat keeps it hidden");
    worker.workshop.cpu.threads().add_permits(1);
    cloud.result(&job).await;
    cloud.until_waiting((0, 0)).await;
    worker.leave().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_redelivered_job_is_done_again_with_the_same_result() {
    let cloud = Cloud::new().await;
    let worker = cloud.worker().await;
    let job = cloud.submit("blue.png", png(BLUE)).await;
    let first = cloud.reply().await;
    cloud.send(&job.to_message(SMALLEST_MESSAGE_LIMIT).unwrap()).await;
    let second = cloud.reply().await;
    assert_eq!((first.id, &first.outcome), (second.id, &second.outcome));
    cloud.until_waiting((0, 0)).await;
    worker.leave().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn what_is_no_job_is_left_and_stops_nothing() {
    let cloud = Cloud::new().await;
    let worker = cloud.worker().await;
    cloud.send("hello").await;
    cloud.until_waiting((0, 1)).await;
    let job = cloud.submit("red.png", png(RED)).await;
    cloud.result(&job).await;
    worker.leave().await;
    let (visible, in_flight) = cloud.waiting().await;
    assert_eq!(visible + in_flight, 1, "it waits for the redrive policy");
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_reply_queue_that_is_gone_loses_no_result() {
    let cloud = Cloud::new().await;
    let worker = cloud.worker().await;
    cloud.sqs.delete_queue().queue_url(&cloud.replies).send().await.unwrap();
    let job = cloud.submit("green.png", png(GREEN)).await;
    cloud.result(&job).await;
    cloud.until_waiting((0, 0)).await;
    worker.leave().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn many_jobs_and_two_workers_leave_one_result_each() {
    let cloud = Cloud::new().await;
    let workers = [cloud.worker().await, cloud.worker().await];
    let mut jobs = Vec::new();
    for (index, colour) in [RED, GREEN, BLUE].iter().cycle().take(30).enumerate() {
        jobs.push((cloud.submit("image.png", png(*colour)).await, ["red", "green", "blue"][index % 3]));
    }
    for (job, expected) in &jobs {
        let (result, _) = cloud.result(job).await;
        assert!(matches!(&result.outcome, Outcome::Classified { label, .. } if label == expected), "{expected}: {result:?}");
    }
    cloud.until_waiting((0, 0)).await;
    for worker in workers {
        worker.leave().await;
    }
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn an_image_in_the_message_is_not_fetched() {
    let cloud = Cloud::new().await;
    let worker = cloud.worker().await;
    let (id, reply_to) = (uuid::Uuid::now_v7(), format!("{}-replies", cloud.name));
    let (bucket, key) = ("there is no such bucket".to_owned(), "nor such a key".to_owned());
    let (name, submitted_at, image) = ("red.png".to_owned(), jiff::Timestamp::now(), png(RED).map(Into::into));
    let job = Job { id, name, bucket, key, reply_to, submitted_at, traceparent: None, tracestate: None, by_name: false, image };
    cloud.send(&job.to_message(10_000).unwrap()).await;
    assert!(matches!(cloud.reply().await.outcome, Outcome::Classified { label, .. } if label == "red"));
    worker.leave().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn an_answer_is_written_under_the_images_name_where_that_is_wished() {
    let cloud = Cloud::new().await;
    let worker = cloud.worker().await;
    let named = cloud.by_name("test_00.png", png(RED)).await;
    let unreadable = cloud.by_name("letter.jpg", Some(b"dear sir or madam".to_vec())).await;
    let plain = cloud.submit("test_01.png", png(GREEN)).await;
    for job in [&named, &unreadable, &plain] {
        cloud.result(job).await;
    }
    assert_eq!(aws::until("the label", async || cloud.text("test_00").await).await, "red");
    assert_eq!(cloud.text("letter").await, None, "there is no label to write");
    assert_eq!(cloud.text("test_01").await, None, "nobody wished it");
    worker.leave().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_quick_worker_takes_many_and_memory_for_one_image_after_the_other_is_enough() {
    let cloud = Cloud::new().await;
    let image = encode(plain(560, 560, BLUE), ImageFormat::Bmp);
    assert!(image.len() > 900_000, "two of them are more than may be held");
    let mut jobs = Vec::new();
    for _ in 0..12 {
        jobs.push(cloud.submit("blue.bmp", Some(image.clone())).await);
    }
    let worker = cloud.worker_of(Kind { images_per_second: 1000.0, cpu: 2, ..Kind::default() }).await;
    for job in &jobs {
        assert!(matches!(cloud.result(job).await.0.outcome, Outcome::Classified { label, .. } if label == "blue"));
    }
    cloud.until_waiting((0, 0)).await;
    worker.leave().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_worker_that_cannot_reach_s3_gives_its_jobs_back_and_takes_no_more_until_it_can() {
    let cloud = Cloud::new().await;
    let switch = Switch::new().await;
    let worker = cloud.worker_of(Kind { s3: Some(switch.s3().await), ..Kind::default() }).await;
    switch.open(false);
    let mut jobs = Vec::new();
    for _ in 0..4 {
        jobs.push(cloud.submit("green.png", png(GREEN)).await);
    }
    worker.until_ended("failed").await;
    assert!(!worker.workshop.readiness.get());
    aws::until("the last of them to be given back", || async { (worker.workshop.metrics.held.get() == 0).then_some(()) }).await;
    tokio::time::sleep(aws::VISIBILITY).await;
    assert!(worker.ended("failed") <= 3.0, "two were held, one more may have been on its way");
    switch.open(true);
    for job in &jobs {
        assert!(matches!(cloud.result(job).await.0.outcome, Outcome::Classified { label, .. } if label == "green"));
    }
    assert!(worker.workshop.readiness.get());
    cloud.until_waiting((0, 0)).await;
    worker.leave().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_job_that_nobody_else_would_get_waits_here_for_s3() {
    let cloud = Cloud::new().await;
    let (dead, switch) = (cloud.with_dead_letters(1).await, Switch::new().await);
    let worker = cloud.worker_of(Kind { s3: Some(switch.s3().await), ..Kind::default() }).await;
    switch.open(false);
    let job = cloud.submit("red.png", png(RED)).await;
    aws::until("S3 to fail", || async { (!worker.workshop.readiness.get()).then_some(()) }).await;
    switch.open(true);
    assert!(matches!(cloud.result(&job).await.0.outcome, Outcome::Classified { label, .. } if label == "red"));
    cloud.until_waiting((0, 0)).await;
    assert!(cloud.messages(&dead).await.is_empty());
    worker.leave().await;
}

/// How a worker starts a process of its own, with settings that a test has.
fn isolation() -> Isolation {
    let settings = [
        ("--namespace", "default".to_owned()),
        ("--fleet", "imagenet".to_owned()),
        ("--revision", "r1".to_owned()),
        ("--request-queue", "none".to_owned()),
        ("--output-bucket", "none".to_owned()),
        ("--model-uri", format!("file://{}", colours().display())),
    ];
    let args = settings.into_iter().flat_map(|(name, value)| [name.into(), value.into()]);
    Isolation::new(env!("CARGO_BIN_EXE_classifierfleet-worker").into(), args.chain(["--isolated".into()]).collect())
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn what_was_received_for_the_last_time_is_classified_in_a_process_of_its_own() {
    let cloud = Cloud::new().await;
    let dead = cloud.with_dead_letters(2).await;
    let jobs = [
        (cloud.submit("red.png", png(RED)).await, Some("red")),
        (cloud.submit("letter.jpg", Some(b"dear sir or madam".to_vec())).await, None),
    ];
    cloud.receive_in_vain().await;
    let worker = cloud.worker_of(Kind { isolation: Some(isolation()), ..Kind::default() }).await;
    for (job, expected) in &jobs {
        let (result, _) = cloud.result(job).await;
        let label = match result.outcome {
            Outcome::Classified { label, .. } => Some(label),
            Outcome::Failed { code, .. } => {
                assert_eq!(code, ErrorCode::NotAnImage);
                None
            }
        };
        assert_eq!(label.as_deref(), *expected);
    }
    cloud.until_waiting((0, 0)).await;
    assert!(cloud.messages(&dead).await.is_empty());
    worker.leave().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn what_ends_every_process_ends_no_worker_and_its_uploader_is_told() {
    let cloud = Cloud::new().await;
    let dead = cloud.with_dead_letters(2).await;
    let job = cloud.submit("bomb.png", png(RED)).await;
    cloud.receive_in_vain().await;
    let killed = Isolation::new("/bin/sh".into(), ["-c", "kill -9 $$"].map(Into::into).into());
    let worker = cloud.worker_of(Kind { isolation: Some(killed), ..Kind::default() }).await;
    let reply = cloud.reply().await;
    assert!(matches!(&reply.outcome, Outcome::Failed { code: ErrorCode::RetriesExhausted, message } if message.contains("2 tries")));
    assert_eq!(cloud.result(&job).await.0, reply, "it is stored as well");
    let next = cloud.submit("green.png", png(GREEN)).await;
    assert!(matches!(cloud.result(&next).await.0.outcome, Outcome::Classified { label, .. } if label == "green"), "the worker goes on");
    cloud.until_waiting((0, 0)).await;
    let letters = aws::until("the dead letter", || async { Some(cloud.messages(&dead).await).filter(|letters| !letters.is_empty()) }).await;
    assert_eq!(Job::from_message(&letters[0]).unwrap(), job);
    worker.leave().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn fifo_queues_carry_jobs_and_answers() {
    let cloud = Cloud::with_queues(".fifo").await;
    let worker = cloud.worker().await;
    let jobs = [cloud.submit("red.png", png(RED)).await, cloud.submit("blue.png", png(BLUE)).await];
    let mut answered = [cloud.reply().await.id, cloud.reply().await.id];
    answered.sort();
    assert_eq!(answered, jobs.map(|job| job.id), "ids sort by their time");
    cloud.until_waiting((0, 0)).await;
    worker.leave().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_model_folder_in_s3_is_downloaded_once() {
    let cloud = Cloud::new().await;
    let bucket = format!("{}-in", cloud.name);
    let files = ["model.json", "colours.onnx", "labels.txt", "golden.png", "golden.json"];
    for file in files {
        let body = std::fs::read(colours().join(file)).unwrap();
        cloud.s3.put_object().bucket(&bucket).key(format!("models/colours/{file}")).body(body.into()).send().await.unwrap();
    }
    let cache = tempfile::tempdir().unwrap();
    let uri: ModelUri = format!("s3://{bucket}/models/colours").parse().unwrap();
    let fetcher = Fetcher::new(cloud.s3.clone(), uri, cache.path());
    assert_eq!(Folder::fetch(&fetcher).await.unwrap().onnx, folder().onnx);

    // Only the manifest is asked for again; what is damaged in the cache is downloaded again, and refused when it is gone.
    for file in &files[1..] {
        cloud.s3.delete_object().bucket(&bucket).key(format!("models/colours/{file}")).send().await.unwrap();
    }
    assert_eq!(Folder::fetch(&fetcher).await.unwrap().onnx, folder().onnx);
    std::fs::write(cache.path().join("sha256").join(&folder().manifest.onnx.sha256), "damaged").unwrap();
    assert!(matches!(Folder::fetch(&fetcher).await, Err(ModelError::Fetch(_))));
}
