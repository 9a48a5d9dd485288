//! What is refused before AWS is asked, and what is answered while AWS cannot be: AWS is down throughout.
#![allow(clippy::unwrap_used, missing_docs)]

use crate::support::{Running, client, image, one, problem, settings, unreachable_aws, without_aws};
use gateway::Settings;
use reqwest::multipart::{Form, Part};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends all of a request before it reads anything, as simple clients do.
async fn raw(gateway: &Running, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

fn head(length: usize) -> String {
    format!("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: {length}\r\n\r\n")
}

fn body(parts: &str) -> Vec<u8> {
    parts.replace('\n', "\r\n").into_bytes()
}

#[tokio::test]
async fn unknown_paths_methods_and_ids_are_problems() {
    let gateway = without_aws(settings()).await;
    problem(gateway.get("/nothing").await, 404, "no-such-path").await;
    problem(gateway.get("/v1/images/7").await, 404, "no-such-image").await;
    problem(client().post(gateway.url("/v1/other")).send().await.unwrap(), 404, "no-such-path").await;
    for (path, allow) in [("/upload", "POST"), ("/v1/images", "GET, HEAD, POST"), ("/v1/images/7/content", "GET, HEAD")] {
        let response = client().delete(gateway.url(path)).send().await.unwrap();
        assert_eq!(response.headers()["allow"], allow);
        problem(response, 405, "method-not-allowed").await;
    }
    let id = uuid::Uuid::now_v7();
    problem(gateway.get(&format!("/v1/images/{id}?wait=soon")).await, 400, "bad-parameter").await;
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_no_multipart_form_is_415_and_a_broken_one_400() {
    let gateway = without_aws(settings()).await;
    for path in ["/upload", "/", "/v1/images"] {
        let post = || client().post(gateway.url(path)).body("hello");
        problem(post().send().await.unwrap(), 415, "not-multipart").await;
        problem(post().header("content-type", "text/plain").send().await.unwrap(), 415, "not-multipart").await;
        let typed = |value: &str| post().header("content-type", value);
        problem(typed("multipart/form-data").send().await.unwrap(), 400, "malformed").await;
        problem(typed("multipart/form-data; boundary=B").send().await.unwrap(), 400, "malformed").await;
        problem(gateway.post(path, Form::new().text("comment", "no file here")).send().await.unwrap(), 400, "no-file").await;
    }
    let cut = body("--B\nContent-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\n\nabc");
    let answer = raw(&gateway, &head(cut.len()), &cut).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("closing boundary"), "{answer}");
    let empty_choice = body("--B\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\n\n\n--B--\n");
    let answer = raw(&gateway, &head(empty_choice.len()), &empty_choice).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("no-file"), "{answer}");
    gateway.stop().await;
}

#[tokio::test]
async fn headers_of_a_part_that_never_end_are_refused() {
    let gateway = without_aws(settings()).await;
    let endless = [b"--B\r\nX: ".as_slice(), &vec![b'x'; 8 << 20]].concat();
    let answer = raw(&gateway, &head(endless.len()), &endless).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("no part begins"), "{answer}");
    gateway.stop().await;
}

#[tokio::test]
async fn files_that_are_no_images_are_named() {
    let gateway = without_aws(settings()).await;
    for path in ["/upload", "/v1/images"] {
        let text = gateway.post(path, one("myfile", "test_00.jpg", b"just a text\n".to_vec())).send().await.unwrap();
        let detail = problem(text, 415, "not-an-image").await["detail"].clone();
        assert_eq!(detail, "\"test_00.jpg\" is text; what can be read is JPEG, PNG, WebP, GIF, BMP and TIFF");
        let empty = gateway.post(path, one("myfile", "test_00.jpg", Vec::new())).send().await.unwrap();
        assert!(problem(empty, 400, "empty").await["detail"].as_str().unwrap().contains("test_00.jpg"));
    }
    gateway.stop().await;
}

#[tokio::test]
async fn of_many_files_each_has_its_own_problem_and_the_gravest_is_the_answer() {
    let gateway = without_aws(settings()).await;
    let form = one("a", "empty.jpg", Vec::new()).part("b", Part::bytes(b"text".to_vec()).file_name("text.png"));
    let answer = problem(gateway.post("/upload", form).send().await.unwrap(), 415, "not-an-image").await;
    let images = answer["images"].as_array().unwrap();
    let codes: Vec<_> = images.iter().map(|image| (image["name"].as_str().unwrap(), image["code"].as_str().unwrap())).collect();
    assert_eq!(codes, [("empty.jpg", "empty"), ("text.png", "not-an-image")]);
    gateway.stop().await;
}

#[tokio::test]
async fn too_much_is_413_even_for_a_client_that_sends_it_all_first() {
    let gateway = without_aws(Settings { max_upload_bytes: 1 << 20, max_files: 200, ..settings() }).await;
    let start = body("--B\nContent-Disposition: form-data; name=\"f\"; filename=\"big.jpg\"\n\n");
    let big = [start, image(&"x".repeat(100 << 20))].concat();
    let answer = raw(&gateway, &head(big.len()), &big).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("\\\"big.jpg\\\" is larger than the 1048576 bytes"), "{answer}");

    let many = (0..201).fold(Form::new(), |form, n| form.text(format!("f{n}"), "x"));
    problem(gateway.post("/upload", many).send().await.unwrap(), 413, "too-many-files").await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_length_that_cannot_fit_is_refused_before_the_body_is_sent() {
    let gateway = without_aws(Settings { max_upload_bytes: 1 << 20, max_files: 1, ..settings() }).await;
    let expecting = head(100 << 20).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    let answer = raw(&gateway, &expecting, b"").await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("104857600 bytes"), "{answer}");
    gateway.stop().await;
}

#[tokio::test]
async fn more_than_may_wait_is_429_until_a_place_is_free() {
    let gateway = without_aws(Settings { max_pending: 1, ..settings() }).await;
    let mut slow = TcpStream::connect(gateway.address).await.unwrap();
    slow.write_all(head(1000).as_bytes()).await.unwrap();
    gateway.until("/metrics", |_, text| text.contains("pending_uploads{fleet=\"imagenet\",namespace=\"default\"} 1")).await;

    let refused = gateway.post("/upload", one("f", "a.jpg", image("a"))).send().await.unwrap();
    assert_eq!(refused.headers()["retry-after"], "5");
    problem(refused, 429, "busy").await;

    drop(slow);
    gateway.until("/metrics", |_, text| text.contains("pending_uploads{fleet=\"imagenet\",namespace=\"default\"} 0")).await;
    let taken = gateway.post("/upload", one("f", "a.jpg", b"text".to_vec())).send().await.unwrap();
    problem(taken, 415, "not-an-image").await;
    gateway.stop().await;
}

#[tokio::test]
async fn without_aws_the_gateway_is_not_ready_and_answers_503() {
    let gateway = without_aws(settings()).await;
    assert_eq!(gateway.monitored("/healthz").await.status(), 200);
    assert_eq!(gateway.monitored("/readyz").await.status(), 503);
    let upload = gateway.post("/upload", one("f", "a.jpg", image("a"))).send().await.unwrap();
    assert_eq!(upload.headers()["retry-after"], "5");
    let detail = problem(upload, 503, "unavailable").await["detail"].clone();
    assert_eq!(detail, "the image could not be stored in the bucket \"in\" at the moment; try again");
    problem(gateway.get(&format!("/v1/images/{}", uuid::Uuid::now_v7())).await, 503, "unavailable").await;
    gateway.until("/metrics", |_, text| text.contains("namespace=\"default\",outcome=\"unavailable\"} 1")).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_said() {
    let first = without_aws(settings()).await;
    let taken = Settings { listen: first.address, ..settings() };
    let second = gateway::Gateway::bind(taken, &unreachable_aws().await, Default::default()).await;
    let error = second.err().unwrap().to_string();
    assert!(error.contains("CLASSIFIERFLEET_LISTEN"), "{error}");
    first.stop().await;
}
