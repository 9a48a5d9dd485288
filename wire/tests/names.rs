//! A job fits a message and a name fits a key, whatever the uploader calls the file.
#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use uuid::Uuid;
use wire::{Job, ObjectKeys, SMALLEST_MESSAGE_LIMIT, file_name, stem};

fn job(name: &str) -> Job {
    let id = Uuid::now_v7();
    Job {
        id,
        name: name.to_owned(),
        bucket: "b".repeat(63),
        key: ObjectKeys::new(id, name).input,
        reply_to: "q".repeat(80),
        submitted_at: "2026-01-02T03:04:05.678901234Z".parse().unwrap(),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        tracestate: None,
        by_name: true,
        image: None,
    }
}

#[test]
fn names_are_cleaned() {
    let table = [
        ("test_00.jpg", "test_00.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\cat.png", "cat.png"),
        ("a\nb\u{7}.jpg", "ab.jpg"),
        ("", "image"),
        ("..", "image"),
        ("  ", "image"),
        ("猫.jpg", "猫.jpg"),
    ];
    for (raw, clean) in table {
        assert_eq!(file_name(raw), clean, "{raw:?}");
    }
}

#[test]
fn a_long_name_keeps_its_extension() {
    let name = file_name(&format!("{}.jpeg", "ä".repeat(500)));
    assert!(name.len() <= 160 && name.ends_with("ä.jpeg"));
}

#[test]
fn a_stem_is_the_name_without_its_extension() {
    let table = [("test_00.jpg", "test_00"), ("a.b.tar.gz", "a.b.tar"), (".hidden", ".hidden"), ("plain", "plain"), ("猫.jpg", "猫")];
    for (name, expected) in table {
        assert_eq!(stem(name), expected);
    }
}

/// Bucket, queue, trace and name as long as S3, SQS, W3C and [`file_name`] let them be; no field is longer than here.
#[test]
fn the_longest_job_fits_a_queue_that_takes_a_kibibyte() {
    for character in ["x", "ä", "猫", "🐈"] {
        let name = file_name(&format!("{}.jpeg", character.repeat(400)));
        let cut = 155 / character.len() * character.len();
        assert_eq!((name.len(), name.ends_with(".jpeg")), (cut + 5, true), "cut between characters, before the extension");
        let message = job(&name).to_message(SMALLEST_MESSAGE_LIMIT).unwrap();
        assert!(message.len() < 1024, "{} bytes", message.len());
    }
    assert_eq!(
        job(&file_name(&"x".repeat(400))).to_message(SMALLEST_MESSAGE_LIMIT).unwrap().len(),
        722,
        "302 bytes are left for fields to come"
    );
}

#[test]
fn what_is_said_of_a_trace_goes_along_as_far_as_there_is_room() {
    let traced = |length: usize, name: &str| Job { tracestate: Some(format!("vendor={}", "x".repeat(length - 7))), ..job(name) };
    let short = traced(200, "cat.jpg");
    assert_eq!(Job::from_message(&short.to_message(SMALLEST_MESSAGE_LIMIT).unwrap()).unwrap(), short);
    let long = traced(512, &"x".repeat(160));
    let message = long.to_message(SMALLEST_MESSAGE_LIMIT).unwrap();
    assert_eq!(Job::from_message(&message).unwrap(), Job { tracestate: None, ..long });
}

#[test]
fn a_job_that_does_not_fit_is_refused_by_name() {
    let error = Job { bucket: "b".repeat(400), ..job(&"x".repeat(160)) }.to_message(SMALLEST_MESSAGE_LIMIT).unwrap_err();
    assert_eq!(error.to_string(), format!("the job of {:?} has 1059 bytes, a message may have 1024", "x".repeat(160)));
}

#[test]
fn what_is_no_job_is_refused() {
    assert!(Job::from_message(r#"{"id":"x"}"#).is_err());
    assert!(Job::from_message("not json").is_err());
}

proptest! {
    #[test]
    fn every_name_fits_and_returns(raw in "\\PC{0,400}") {
        let name = file_name(&raw);
        prop_assert!(!name.is_empty() && !name.contains('/') && !name.chars().any(char::is_control));
        prop_assert_eq!(&file_name(&name), &name);
        let job = job(&name);
        prop_assert_eq!(Job::from_message(&job.to_message(SMALLEST_MESSAGE_LIMIT).unwrap()).unwrap(), job);
    }
}
