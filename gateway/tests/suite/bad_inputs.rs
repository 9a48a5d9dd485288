//! What strangers may send, and the answer that each gets: never a 500, and the gateway goes on serving. AWS is down
//! throughout: what is let in as an image ends in 503.
#![allow(clippy::unwrap_used, missing_docs)]

use crate::support::{Running, image, one, problem, settings, without_aws};
use gateway::Settings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Status of the answer, and all of it; no status when the connection ends without one, or says something else than HTTP.
async fn send(gateway: &Running, bytes: &[u8]) -> (Option<u16>, String) {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    // The gateway may close while this still writes: that is an answer, too.
    let _ = stream.write_all(bytes).await;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while !is_whole(&answer) {
        match stream.read(&mut buffer).await {
            Ok(length) if length > 0 => answer.extend_from_slice(&buffer[..length]),
            _ => break,
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    (status, answer)
}

/// Whether an answer has its whole body, as far as its length is told. What comes after that is no part of it.
fn is_whole(answer: &[u8]) -> bool {
    let answer = String::from_utf8_lossy(answer);
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    length.is_some_and(|length| length > 0 && body.len() >= length)
}

/// All that comes until the gateway closes.
async fn send_to_end(gateway: &Running, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A gateway that soon gives up what does not go on.
async fn start() -> Running {
    let mut settings = settings();
    (settings.transport.header_timeout_seconds, settings.transport.idle_timeout_seconds) = (1, 1);
    without_aws(settings).await
}

async fn expect(gateway: &Running, table: Vec<(&str, Vec<u8>, Option<u16>)>) {
    for (what, bytes, expected) in table {
        let (status, answer) = send(gateway, &bytes).await;
        assert_eq!(status, expected, "{what}: {answer}");
    }
    let alive = gateway.post("/upload", one("f", "a.jpg", b"text".to_vec())).send().await.unwrap();
    problem(alive, 415, "not-an-image").await;
}

fn request(head: &str, body: &[u8]) -> Vec<u8> {
    [head.replace('\n', "\r\n").as_bytes(), b"\r\n\r\n", body].concat()
}

/// A form as a client sends it: its Content-Length is right.
fn form(content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    request(&format!("POST /upload HTTP/1.1\nHost: x\nConnection: close\nContent-Type: {content_type}\nContent-Length: {length}"), body)
}

const FORM: &str = "multipart/form-data; boundary=B";

fn part(disposition: &str, content: &[u8]) -> Vec<u8> {
    [format!("--B\r\nContent-Disposition: {disposition}\r\n\r\n").as_bytes(), content, b"\r\n"].concat()
}

fn file(content: &[u8]) -> Vec<u8> {
    form(FORM, &[&part("form-data; name=\"f\"; filename=\"a.jpg\"", content)[..], b"--B--\r\n"].concat())
}

#[tokio::test]
async fn broken_forms() {
    let gateway = start().await;
    let jpeg = part("form-data; name=\"f\"; filename=\"a.jpg\"", &image("Paul"));
    let long = format!("multipart/form-data; boundary={}", "b".repeat(5000));
    let endless_headers = [b"--B\r\n".as_slice(), &b"X-A: b\r\n".repeat(200_000)].concat();
    let parts = |n: usize| [&part("form-data; name=\"t\"", b"x").repeat(n)[..], b"--B--\r\n"].concat();
    expect(
        &gateway,
        vec![
            ("no boundary", form("multipart/form-data", &jpeg), Some(400)),
            ("an empty boundary", form("multipart/form-data; boundary=", &jpeg), Some(400)),
            ("another boundary than announced", form("multipart/form-data; boundary=C", &jpeg), Some(400)),
            ("a boundary of 5,000 characters", form(&long, &jpeg), Some(400)),
            ("another kind of multipart", form("multipart/mixed; boundary=B", &jpeg), Some(415)),
            ("no closing boundary", form(FORM, &jpeg), Some(400)),
            ("nothing", form(FORM, b""), Some(400)),
            ("only a closing boundary", form(FORM, b"--B--\r\n"), Some(400)),
            ("only line ends", form(FORM, &b"\r\n".repeat(10_000)), Some(400)),
            ("noise", form(FORM, &[0x80; 100_000]), Some(400)),
            ("a part without a name", form(FORM, b"--B\r\n\r\nx\r\n--B--\r\n"), Some(400)),
            ("a part whose headers are noise", form(FORM, b"--B\r\n\x00\xFF\x01: \x02\r\n\r\nx\r\n--B--\r\n"), Some(400)),
            ("a part whose headers do not end", form(FORM, &endless_headers), Some(400)),
            ("10,000 parts", form(FORM, &parts(10_000)), Some(413)),
            ("300 parts and no file", form(FORM, &parts(300)), Some(400)),
            ("a form within the form", form(FORM, &part("form-data; name=\"f\"; filename=\"x\"", &jpeg)), Some(400)),
        ],
    )
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn what_only_looks_like_an_image() {
    let gateway = start().await;
    // A PNG of 50,000 by 50,000 pixels in a few bytes: what it is worth the worker finds out.
    let bomb = b"\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\xC3\x50\0\0\xC3\x50\x08\x02\0\0\0\0\0\0\0";
    expect(
        &gateway,
        vec![
            ("a bomb in a PNG", file(bomb), Some(503)),
            ("GIF and JavaScript", file(b"GIF89a/*\0\0\0*/=1;alert(1)//"), Some(503)),
            ("JPEG and PHP", file(b"\xFF\xD8\xFF\xE0<?php system($_GET[0]);"), Some(503)),
            ("PDF and JPEG", file(b"%PDF-1.7\n\xFF\xD8\xFF\xE0"), Some(415)),
            ("HTML", file(b"<script>alert(1)</script>"), Some(415)),
            ("SVG", file(b"<svg onload=alert(1)>"), Some(415)),
            ("ZIP", file(b"PK\x03\x04"), Some(415)),
            ("one byte", file(b"\xFF"), Some(415)),
            ("nothing", file(b""), Some(400)),
        ],
    )
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn names_cannot_leave_their_place() {
    let gateway = start().await;
    let table = [
        ("filename=\"../../etc/passwd\"", "passwd"),
        ("filename=\"..\\..\\windows\\win.ini\"", "win.ini"),
        ("filename=\"C:\\photo.jpg\"", "photo.jpg"),
        ("filename=\"C:\"", "C:"),
        ("filename=\"..\"", "image"),
        ("filename=\"/\"", "image"),
        ("filename=\"a/../b.jpg\"", "b.jpg"),
        ("filename*=utf-8''a%00b%0A%0Dc%1B.jpg", "abc.jpg"),
        ("filename*=utf-8''..%2F..%2Fx.jpg", "x.jpg"),
        ("filename=\"\u{202E}gpj.exe\"", "\u{202E}gpj.exe"),
        ("filename=\"猫.jpg\"", "猫.jpg"),
        ("filename=\"Ελλάδα.png\"", "Ελλάδα.png"),
        ("filename=\"صورة.png\"", "صورة.png"),
        ("filename=\"ภาพ 👩‍👩‍👧.gif\"", "ภาพ 👩‍👩‍👧.gif"),
        ("filename=\"e\u{301}.jpg\"", "e\u{301}.jpg"),
    ];
    for (disposition, name) in table {
        // Empty, so that the refusal names it.
        let body = [&part(&format!("form-data; name=\"f\"; {disposition}"), b"")[..], b"--B--\r\n"].concat();
        let (status, answer) = send(&gateway, &form(FORM, &body)).await;
        assert_eq!(status, Some(400), "{disposition}: {answer}");
        let problem: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert!(problem["detail"].as_str().unwrap().starts_with(&format!("{name:?} is empty")), "{disposition}: {problem}");
    }
    let long = format!("form-data; name=\"f\"; filename=\"{}.jpg\"", "x".repeat(10_000));
    let (status, answer) = send(&gateway, &form(FORM, &[&part(&long, b"")[..], b"--B--\r\n"].concat())).await;
    assert!(status == Some(400) && answer.len() < 1000, "{answer}");
    gateway.stop().await;
}

#[tokio::test]
async fn broken_requests() {
    let gateway = start().await;
    let upload = "POST /upload HTTP/1.1\nHost: x\nContent-Type: multipart/form-data; boundary=B";
    let many = format!("GET / HTTP/1.1\nHost: x\n{}", "X-A: b\n".repeat(200).trim_end());
    let huge = format!("GET / HTTP/1.1\nHost: x\nX-A: {}", "b".repeat(100_000));
    expect(
        &gateway,
        vec![
            ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03".repeat(20), Some(400)),
            ("HTTP/0.9", b"GET /\r\n".to_vec(), Some(400)),
            ("HTTP/3.0", b"GET / HTTP/3.0\r\n\r\n".to_vec(), Some(400)),
            ("no method", b" / HTTP/1.1\r\n\r\n".to_vec(), Some(400)),
            ("a line end in the path", b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), Some(400)),
            ("a header without a name", request("GET / HTTP/1.1\nHost: x\n: b", b""), Some(400)),
            ("200 headers", request(&many, b""), Some(431)),
            ("a header of 100,000 bytes", request(&huge, b""), Some(431)),
            ("a path of 100,000 bytes", request(&format!("GET /{} HTTP/1.1\nHost: x", "a".repeat(100_000)), b""), Some(431)),
            ("a length that is no number", request(&format!("{upload}\nContent-Length: many"), b""), Some(400)),
            ("a negative length", request(&format!("{upload}\nContent-Length: -1"), b""), Some(400)),
            ("a length beyond all numbers", request(&format!("{upload}\nContent-Length: 99999999999999999999999"), b""), Some(400)),
            ("a length of a petabyte", request(&format!("{upload}\nContent-Length: 1000000000000000"), b""), Some(413)),
            ("chunks that are none", request(&format!("{upload}\nTransfer-Encoding: chunked"), b"no chunk\r\n"), Some(400)),
            ("a chunk of no end", request(&format!("{upload}\nTransfer-Encoding: chunked"), b"FFFFFFFFFFFFFFFFFF\r\nx"), Some(400)),
            ("an unknown coding", request(&format!("{upload}\nTransfer-Encoding: gzip"), b""), Some(400)),
        ],
    )
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn requests_that_want_to_be_two() {
    let gateway = start().await;
    let hidden = b"GET /v1/images/hidden HTTP/1.1\r\nHost: x\r\n\r\n";
    let post = |headers: &str| request(&format!("POST /upload HTTP/1.1\nHost: x\n{headers}"), &[b"0\r\n\r\n".as_slice(), hidden].concat());
    let table = [
        ("two lengths", post("Content-Length: 5\nContent-Length: 60")),
        ("two lengths in one", post("Content-Length: 5, 60")),
        ("chunks by another name", post("Transfer-Encoding: xchunked")),
        ("a coding twice", post("Transfer-Encoding: chunked, identity")),
        ("a space before the colon", post("Transfer-Encoding : chunked\nContent-Length: 60")),
        ("a folded header", post("X: y\n Transfer-Encoding: chunked\nContent-Length: 60")),
    ];
    for (what, bytes) in table {
        let answer = send_to_end(&gateway, &bytes).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.matches("HTTP/1.1").count() == 1, "{what}: {answer}");
    }
    // RFC 9112, 6.3: chunks count, and the connection is not used again.
    let answer = send_to_end(&gateway, &post("Content-Length: 60\nTransfer-Encoding: chunked")).await;
    assert!(answer.starts_with("HTTP/1.1 4") && !answer.contains("hidden"), "{answer}");
    gateway.stop().await;
}

#[tokio::test]
async fn methods_and_targets_that_are_not_for_here() {
    let gateway = start().await;
    let plain = |line: &str| request(&format!("{line}\nHost: x\nConnection: close"), b"");
    expect(
        &gateway,
        vec![
            ("CONNECT", plain("CONNECT example.com:443 HTTP/1.1"), Some(405)),
            ("TRACE", plain("TRACE /upload HTTP/1.1"), Some(405)),
            ("a method of one's own", plain("BREW /upload HTTP/1.1"), Some(405)),
            ("HEAD", plain("HEAD /nothing HTTP/1.1"), Some(404)),
            ("another's URL", plain("GET http://example.com/nothing HTTP/1.1"), Some(404)),
            ("the whole server", plain("OPTIONS * HTTP/1.1"), Some(405)),
            ("dots", plain("GET /v1/../../etc/passwd HTTP/1.1"), Some(404)),
            ("encoded dots", plain("GET /v1/images/%2e%2e%2f%2e%2e HTTP/1.1"), Some(404)),
            ("an id of noise", plain("GET /v1/images/%00%FF%0A HTTP/1.1"), Some(404)),
            (
                "an unknown expectation",
                request("POST /upload HTTP/1.1\nHost: x\nConnection: close\nExpect: miracles\nContent-Length: 0", b""),
                Some(415),
            ),
            ("no host", b"GET /nothing HTTP/1.0\r\n\r\n".to_vec(), Some(404)),
        ],
    )
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn tokens_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "s3cret").unwrap();
    let mut settings: Settings = settings();
    settings.transport.token_file = Some(file);
    let gateway = without_aws(settings).await;
    let with =
        |value: &[u8]| [b"GET /v1/images/7 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: ", value, b"\r\n\r\n"].concat();
    let table: Vec<(Vec<u8>, u16)> = vec![
        (with(b"Bearer s3cret"), 404),
        (with(b""), 401),
        (with(b"Bearer"), 401),
        (with(b"Bearer s3cret,s3cret"), 401),
        (with(b"Bearer s3cret\xFF"), 401),
        (with(b"Bearer \xC0\xAE"), 401),
        (with(b"Basic czNjcmV0"), 401),
        (with(&[b"Bearer ".as_slice(), &b"s".repeat(7000)].concat()), 401),
        (with(b"Bearer s3cret\r\nAuthorization: Bearer other"), 404),
        (with(b"Bearer other\r\nAuthorization: Bearer s3cret"), 401),
    ];
    for (bytes, expected) in table {
        let (status, answer) = send(&gateway, &bytes).await;
        assert_eq!(status, Some(expected), "{}: {answer}", String::from_utf8_lossy(&bytes));
    }
    gateway.stop().await;
}
