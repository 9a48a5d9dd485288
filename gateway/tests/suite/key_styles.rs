//! Images and answers under their file names, for those who read the buckets so, through real SQS and S3.
#![allow(clippy::unwrap_used, missing_docs)]

use crate::support::stack::Stack;
use crate::support::{accepted, image, one};
use gateway::KeyStyle;

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn an_image_lies_under_its_name_only_where_that_is_wished() {
    let mut stack = Stack::new().await;
    for (style, wished) in [(KeyStyle::Id, false), (KeyStyle::Name, true)] {
        stack.settings.key_style = style;
        let gateway = stack.gateway().await;
        let view = accepted(gateway.post("/v1/images", one("f", "test_00.jpg", image("Paul"))).send().await.unwrap()).await;
        let job = stack.next_job().await;
        assert_eq!((job.by_name, stack.stored(&job).await), (wished, image("Paul")));
        let by_name = stack.object(&stack.settings.input_bucket, "test_00.jpg").await;
        assert_eq!(by_name, wished.then(|| ("image/jpeg".to_owned(), image("Paul"))));
        let list = gateway.json("/v1/images?limit=1").await;
        assert_eq!(list["images"][0]["id"], view["id"], "lists show each image once");
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn images_of_one_name_at_once_get_each_their_own_answer() {
    let mut stack = Stack::new().await;
    stack.settings.key_style = KeyStyle::Name;
    let (gateway, worker) = (stack.gateway().await, stack.worker());
    let uploads = (0..20).map(|n| {
        let upload = gateway.post("/upload", one("f", "test_00.jpg", image(&format!("label {n}"))));
        tokio::spawn(async move { upload.send().await.unwrap().text().await.unwrap() })
    });
    for (n, upload) in uploads.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(upload.await.unwrap(), format!("label {n}"));
    }
    gateway.stop().await;
    worker.abort();
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn an_answer_that_was_known_is_written_under_the_name_as_a_worker_would() {
    let mut stack = Stack::new().await;
    (stack.settings.key_style, stack.settings.cache_entries) = (KeyStyle::Name, 10);
    let (gateway, worker) = (stack.gateway().await, stack.worker());
    for name in ["test_00.jpg", "test_01.jpg"] {
        gateway.post("/upload", one("f", name, image("Paul"))).send().await.unwrap();
    }
    let label = stack.object(&stack.settings.output_bucket, "test_01").await;
    assert_eq!(label, Some(("text/plain; charset=utf-8".to_owned(), b"Paul".to_vec())));
    assert_eq!(stack.object(&stack.settings.input_bucket, "test_01.jpg").await.unwrap().1, image("Paul"));
    gateway.stop().await;
    worker.abort();
}
