//! Connections as such: who is let in, TLS, time limits, and their end; and large images on their way through.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::support;
use crate::support::stack::Stack;
use crate::support::{Running, client, image, one, problem, settings, without_aws};
use gateway::{Settings, Transport};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

fn with(transport: impl FnOnce(&mut Transport)) -> Settings {
    let mut settings = settings();
    transport(&mut settings.transport);
    settings
}

/// Tries until it holds.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    for _ in 0..1200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} never came");
}

const GET: &[u8] = b"GET /v1/images/7 HTTP/1.1\r\nHost: x\r\n\r\n";

/// Reads one answer without a body's end to wait for.
async fn answer(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut buffer = vec![0; 4096];
    let length = stream.read(&mut buffer).await.unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[tokio::test]
async fn only_who_knows_the_token_is_let_in_and_the_token_may_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "first\n").unwrap();
    let gateway = without_aws(with(|transport| transport.token_file = Some(file.clone()))).await;
    let status = async |token: &str| {
        let get = client().get(gateway.url("/v1/images/7")).bearer_auth(token).send().await.unwrap();
        get.status().as_u16()
    };
    let refused = gateway.post("/upload", one("f", "a.jpg", image("a"))).send().await.unwrap();
    assert_eq!(refused.headers()["www-authenticate"], "Bearer");
    problem(refused, 401, "unauthorized").await;
    assert_eq!((status("wrong").await, status("first").await), (401, 404));

    std::fs::write(&file, "second").unwrap();
    until("the second token", async || status("second").await == 404).await;
    assert_eq!(status("first").await, 401);
    std::fs::remove_file(&file).unwrap();
    until("the end of all tokens", async || status("second").await == 503).await;
    assert_eq!(status("").await, 503);
    gateway.stop().await;
}

#[tokio::test]
async fn pages_of_allowed_origins_may_ask_and_read_even_refusals() {
    let origin = "https://pages.example";
    let gateway = without_aws(with(|transport| transport.cors_origins = vec![origin.parse().unwrap()])).await;
    let ask = client().request(reqwest::Method::OPTIONS, gateway.url("/v1/images")).header("origin", origin);
    let told = ask.header("access-control-request-method", "POST").send().await.unwrap();
    assert_eq!((told.status().as_u16(), &told.headers()["access-control-allow-origin"]), (204, &origin.parse().unwrap()));
    assert!(told.headers()["access-control-allow-headers"].to_str().unwrap().contains("idempotency-key"));

    let refused = client().get(gateway.url("/v1/images/7")).header("origin", origin).send().await.unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["access-control-allow-origin"]), (404, &origin.parse().unwrap()));
    assert_eq!(refused.headers()["vary"], "origin");
    let stranger = client().get(gateway.url("/v1/images/7")).header("origin", "https://other.example").send().await.unwrap();
    assert!(!stranger.headers().contains_key("access-control-allow-origin"));
    gateway.stop().await;
}

/// Puts a certificate and its key, of the names in `tests/tls`, where the gateway looks for them.
fn install(folder: &Path, certificate: &str, key: &str) {
    let tls = Path::new("tests/tls");
    std::fs::copy(tls.join(certificate), folder.join("tls.crt")).unwrap();
    std::fs::copy(tls.join(key), folder.join("tls.key")).unwrap();
}

/// A connection to a gateway whose certificate is that of `name`, or why there is none.
async fn connect(gateway: &Running, name: &str, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let file = format!("tests/tls/{name}.crt");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("gateway.test").unwrap(), stream).await
}

#[tokio::test]
async fn tls_speaks_both_versions_of_http_and_follows_its_files() {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path(), "one.crt", "one.key");
    let gateway = without_aws(with(|transport| transport.tls_dir = Some(folder.path().to_owned()))).await;
    let mut http1 = connect(&gateway, "one", "http/1.1").await.unwrap();
    http1.write_all(GET).await.unwrap();
    assert!(answer(&mut http1).await.starts_with("HTTP/1.1 404"));
    assert_eq!(http2(&gateway, "one").await, 404);
    let mut plain = TcpStream::connect(gateway.address).await.unwrap();
    plain.write_all(GET).await.unwrap();
    assert!(!answer(&mut plain).await.starts_with("HTTP"));

    install(folder.path(), "two.crt", "one.key");
    tokio::time::sleep(Duration::from_secs(3)).await;
    connect(&gateway, "one", "h2").await.unwrap();
    install(folder.path(), "two.crt", "two.key");
    until("the second certificate", async || connect(&gateway, "two", "h2").await.is_ok()).await;
    assert!(connect(&gateway, "one", "h2").await.is_err());
    gateway.stop().await;
}

async fn http2(gateway: &Running, name: &str) -> u16 {
    let stream = TokioIo::new(connect(gateway, name, "h2").await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = hyper::Request::get("https://gateway.test/v1/images/7").body(Empty::<bytes::Bytes>::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let (head, body) = response.into_parts();
    assert!(body.collect().await.unwrap().to_bytes().starts_with(b"{"));
    drop(sender);
    connection.await.unwrap().unwrap();
    head.status.as_u16()
}

#[tokio::test]
async fn a_certificate_that_is_of_no_use_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let start = async || {
        let settings = with(|transport| transport.tls_dir = Some(folder.path().to_owned()));
        let gateway = gateway::Gateway::bind(settings, &support::unreachable_aws().await, Default::default()).await;
        gateway.err().unwrap().to_string()
    };
    assert!(start().await.contains("tls.crt cannot be read"), "{}", start().await);
    install(folder.path(), "one.crt", "two.key");
    assert!(start().await.contains("CLASSIFIERFLEET_TLS_DIR"), "{}", start().await);
}

#[tokio::test]
async fn who_does_not_finish_the_first_request_s_headers_in_time_is_cut_off() {
    let gateway = without_aws(with(|transport| transport.header_timeout_seconds = 1)).await;
    for sent in [b"".as_slice(), b"GET /v1/images/7 HTTP/1.1\r\nX-Slow: "] {
        let mut slow = TcpStream::connect(gateway.address).await.unwrap();
        slow.write_all(sent).await.unwrap();
        assert_eq!(answer(&mut slow).await, "");
    }
    let mut kept = TcpStream::connect(gateway.address).await.unwrap();
    for _ in 0..2 {
        kept.write_all(GET).await.unwrap();
        assert!(answer(&mut kept).await.starts_with("HTTP/1.1 404"));
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    gateway.stop().await;
}

#[tokio::test]
async fn further_connections_wait_for_a_place() {
    let gateway = without_aws(with(|transport| transport.max_connections = 1)).await;
    let (mut first, mut second) = (TcpStream::connect(gateway.address).await.unwrap(), TcpStream::connect(gateway.address).await.unwrap());
    first.write_all(GET).await.unwrap();
    answer(&mut first).await;
    second.write_all(GET).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(300), answer(&mut second)).await.is_err(), "nobody looks at it yet");
    drop(first);
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 404"));
    gateway.stop().await;
}

#[tokio::test]
async fn a_stopping_gateway_serves_who_has_not_heard_of_it_and_sends_them_elsewhere() {
    let gateway = without_aws(with(|transport| transport.shutdown_delay_seconds = 3)).await;
    let (mut kept, mut idle) = (TcpStream::connect(gateway.address).await.unwrap(), TcpStream::connect(gateway.address).await.unwrap());
    for stream in [&mut kept, &mut idle] {
        stream.write_all(GET).await.unwrap();
        assert!(!answer(stream).await.contains("connection: close"));
    }
    gateway.shutdown.cancel();
    let mut fresh = TcpStream::connect(gateway.address).await.unwrap();
    for stream in [&mut kept, &mut fresh] {
        stream.write_all(GET).await.unwrap();
        assert!(answer(stream).await.contains("connection: close"));
    }
    assert_eq!(answer(&mut idle).await, "", "closed once the delay is over");
    gateway.ended.await.unwrap().unwrap();
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn an_image_that_memory_has_no_room_for_reaches_s3_whole() {
    let mut stack = Stack::new().await;
    stack.settings.max_buffered_bytes = 0;
    let gateway = stack.gateway().await;
    for length in [1, 32 << 10, 3 << 20] {
        let bytes = image(&"0123456789abcde".repeat(length / 15 + 1));
        let accepted = gateway.post("/v1/images", one("f", "a.jpg", bytes.clone())).send().await.unwrap();
        assert_eq!(accepted.status(), 202);
        assert!(stack.stored(&stack.next_job().await).await == bytes, "{length}");
    }
    gateway.stop().await;
}
