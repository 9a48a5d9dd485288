//! The body of a queue's message, which anyone may write who may send to the queue.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::Job;

/// The most that SQS takes.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let Ok(body) = str::from_utf8(data) else { return };
    let Ok(job) = Job::from_message(body) else { return };
    // What is understood can be said again, within the limit; only the image may be left out.
    let Ok(body) = job.to_message(MAX_MESSAGE_BYTES) else { return };
    assert!(body.len() <= MAX_MESSAGE_BYTES);
    let again = Job::from_message(&body).expect("its own message is a job");
    assert!(again == job || again == Job { image: None, tracestate: again.tracestate.clone(), ..job });
});
