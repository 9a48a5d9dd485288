//! Small images ride in the message, and never make it longer than the queue takes.
#![allow(clippy::unwrap_used, missing_docs)]

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;
use wire::{Job, JobError, ObjectKeys, SMALLEST_MESSAGE_LIMIT};

fn job(image: Option<Vec<u8>>) -> Job {
    let id = Uuid::now_v7();
    Job {
        id,
        name: "cat.jpg".to_owned(),
        bucket: "images".to_owned(),
        key: ObjectKeys::new(id, "cat.jpg").input,
        reply_to: "replies-0".to_owned(),
        submitted_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        traceparent: None,
        tracestate: None,
        by_name: false,
        image: image.map(Bytes::from),
    }
}

#[test]
fn an_image_that_fits_is_in_the_message_and_one_that_does_not_is_left_out() {
    let with = job(Some(vec![0xff; 3000]));
    let message = with.to_message(1_048_576).unwrap();
    assert_eq!(message.len(), job(None).to_message(1_048_576).unwrap().len() + r#","image":"""#.len() + 4000, "base64");
    assert_eq!(Job::from_message(&message).unwrap(), with);

    assert_eq!(with.to_message(message.len()).unwrap(), message, "to the byte");
    let without = with.to_message(message.len() - 1).unwrap();
    assert_eq!(Job::from_message(&without).unwrap(), Job { image: None, ..with });
}

#[test]
fn a_job_of_an_earlier_or_a_later_gateway_is_read() {
    let mut message: Value = serde_json::from_str(&job(None).to_message(1024).unwrap()).unwrap();
    assert!(message.get("image").is_none(), "as before there were images in messages");
    message["priority"] = json!(7);
    assert!(Job::from_message(&message.to_string()).unwrap().image.is_none());
}

#[test]
fn what_is_no_base64_is_no_job() {
    let mut message: Value = serde_json::from_str(&job(None).to_message(1024).unwrap()).unwrap();
    message["image"] = json!("not base64!");
    let error = Job::from_message(&message.to_string()).unwrap_err();
    assert!(matches!(&error, JobError::Malformed(error) if error.to_string().contains("the image is not base64")), "{error}");
}

proptest! {
    #[test]
    fn no_message_is_longer_than_its_queue_takes(image in prop::collection::vec(any::<u8>(), 0..4000), limit in SMALLEST_MESSAGE_LIMIT..6000) {
        let job = job(Some(image));
        let message = job.to_message(limit).unwrap();
        prop_assert!(message.len() <= limit);
        let read = Job::from_message(&message).unwrap();
        prop_assert!(read.image.is_none() || read == job);
        prop_assert_eq!(Job { image: None, ..read }, Job { image: None, ..job });
    }
}
