//! Images that come without a form around them, through real SQS and S3.
#![allow(clippy::unwrap_used, missing_docs)]

use crate::support::stack::Stack;
use crate::support::{Running, accepted, client, image, problem, settings, without_aws};
use bytes::Bytes;
use gateway::Settings;
use reqwest::RequestBuilder;

fn raw(gateway: &Running, path: &str, media_type: &str, body: Vec<u8>) -> RequestBuilder {
    client().post(gateway.url(path)).header("content-type", media_type).body(body)
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_body_that_is_an_image_is_taken_on_every_path_of_uploads() {
    let stack = Stack::new().await;
    let (gateway, worker) = (stack.gateway().await, stack.worker());
    for (path, media_type) in [("/upload", "image/jpeg"), ("/", "image/png"), ("/any.php?name=x.jpg", "application/octet-stream; a=b")] {
        let answer = raw(&gateway, path, media_type, image("Paul")).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "Paul".to_owned()), "{path}");
    }
    gateway.stop().await;
    worker.abort();
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn it_is_called_as_its_client_says() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let table = [
        ("/v1/images", Some("attachment; filename=\"cat.jpg\""), "cat.jpg"),
        ("/v1/images?name=dog%20one.jpg", None, "dog one.jpg"),
        ("/v1/images?name=..%2F..%2Fetc%2Fpasswd", None, "passwd"),
        ("/v1/images", None, "upload"),
    ];
    for (path, disposition, name) in table {
        let mut request = raw(&gateway, path, "image/jpeg", image("Paul"));
        if let Some(disposition) = disposition {
            request = request.header("content-disposition", disposition);
        }
        let view = accepted(request.send().await.unwrap()).await;
        let job = stack.next_job().await;
        assert_eq!((job.name.as_str(), &view["name"]), (name, &name.into()));
        assert_eq!(stack.stored(&job).await, image("Paul"));
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_no_image_or_too_much_of_one_is_refused() {
    let gateway = without_aws(Settings { max_upload_bytes: 1000, ..settings() }).await;
    for path in ["/upload", "/v1/images"] {
        problem(raw(&gateway, path, "image/jpeg", b"hello".to_vec()).send().await.unwrap(), 415, "not-an-image").await;
        problem(raw(&gateway, path, "image/jpeg", Vec::new()).send().await.unwrap(), 400, "empty").await;
        let large = image(&"x".repeat(1000));
        problem(raw(&gateway, path, "image/jpeg", large.clone()).send().await.unwrap(), 413, "too-large").await;
        // Without a length that could be judged in advance.
        let chunks = futures::stream::iter(
            large.chunks(100).map(|chunk| Ok::<_, std::io::Error>(Bytes::copy_from_slice(chunk))).collect::<Vec<_>>(),
        );
        let request = client().post(gateway.url(path)).header("content-type", "image/jpeg").body(reqwest::Body::wrap_stream(chunks));
        problem(request.send().await.unwrap(), 413, "too-large").await;
        problem(raw(&gateway, path, "image/jpeg", image("Paul")).send().await.unwrap(), 503, "unavailable").await;
    }
    gateway.stop().await;
}
