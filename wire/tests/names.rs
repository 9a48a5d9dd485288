//! A job fits a message and a name fits a key, whatever the uploader calls the file.
#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use uuid::Uuid;
use wire::{Job, ObjectKeys, file_name};

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
fn an_unknown_field_is_no_job() {
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
        prop_assert_eq!(Job::from_message(&job.to_message().unwrap()).unwrap(), job);
    }
}
