//! What can be known wrong is refused when it is applied, by a real API server, with a sentence that helps.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use xtask::stack::{Extent, Stack};

const GOOD: &str = include_str!("../../../examples/imagenet.yaml");

/// (what is written, what is written instead, what the API server must say)
const TABLE: [(&str, &str, &str); 16] = [
    ("name: imagenet\n", "name: Imagenet\n", "lower case"),
    ("name: imagenet\n", "name: imagenet-of-a-name-that-is-far-too-long-for-pods\n", "named after it"),
    ("name: imagenet\n", "name: 4imagenet\n", "begin with a letter"),
    ("min: 0", "min: 6", "lower min or raise max"),
    ("min: 0", "min: -1", "greater than or equal to 0"),
    ("imagenet-requests}", "imagenet requests}", "letters, digits, '-' and '_' only"),
    ("imagenet-requests}", "requests.fifo}", "name a standard queue"),
    ("imagenet-responses}", "imagenet-requests}", "three different queues"),
    ("imagenet-in,", "Imagenet_in,", "a bucket name has 3 to 63"),
    ("imagenet-in,", "imagenet-out,", "must differ"),
    ("s3://imagenet-models/efficientnet-lite0", "https://example.com/model", "s3://BUCKET/PREFIX or file:///FOLDER"),
    ("ami-0123456789abcdef0", "ubuntu", "an AMI's id such as"),
    ("[t3.small]", "[small]", "looks like t3.small"),
    ("[t3.small]", "[]", "at least 1 items"),
    ("messagesPerWorker: 10", "messagesPerWorker: 0", "greater than or equal to 1"),
    ("messagesPerWorker: 10", "messagesPerWorkers: 10", "unknown field"),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn wrong_fleets_are_refused_with_a_sentence_that_helps() {
    let stack = Stack::for_test("admission", |options| options.extent = Extent::Kubernetes).await.unwrap();
    let crd = &(std::env::var("CARGO_MANIFEST_DIR").unwrap() + "/../../crds/classifierfleet.yaml");
    stack.kubectl(&["apply", "--server-side", "-f", crd]).await.unwrap();
    stack.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "-f", crd]).await.unwrap();
    apply(&stack, GOOD).await.unwrap();
    for (right, wrong, sentence) in TABLE {
        assert!(GOOD.contains(right), "{right}");
        let error = apply(&stack, &GOOD.replacen(right, wrong, 1)).await.expect_err(wrong).to_string();
        assert!(error.contains(sentence), "{wrong}: {error}");
    }
    unchangeable(&stack).await;
    stack.stop().await.unwrap();
}

/// Queues and buckets hold jobs and results: their names stay.
async fn unchangeable(stack: &Stack) {
    let file = stack.dir().join("good.yaml");
    std::fs::write(&file, GOOD).unwrap();
    stack.kubectl(&["apply", "-f", &file.display().to_string()]).await.unwrap();
    for (right, wrong, sentence) in [
        ("imagenet-requests}", "others}", "queue names cannot be changed"),
        ("imagenet-in,", "others,", "the buckets of a fleet cannot be changed"),
    ] {
        let error = apply(stack, &GOOD.replacen(right, wrong, 1)).await.expect_err(wrong).to_string();
        assert!(error.contains(sentence), "{wrong}: {error}");
    }
    apply(stack, &GOOD.replacen("max: 5", "max: 6", 1)).await.unwrap();
}

async fn apply(stack: &Stack, manifest: &str) -> anyhow::Result<String> {
    let file = stack.dir().join("fleet.yaml");
    std::fs::write(&file, manifest)?;
    stack.kubectl(&["apply", "--dry-run=server", "-f", &file.display().to_string()]).await
}
