//! How much memory a replica takes, whatever its clients do.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use crate::support::fake::Fake;
use crate::support::image;
use crate::support::process::Process;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Barrier;

const MIB: u64 = 1 << 20;

/// What a replica is promised to need.
const PROMISED: u64 = 64 * MIB;

const START: &[u8] = b"--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\r\n\r\n";
const END: &[u8] = b"\r\n--B--\r\n";

/// Clients, the bytes that each sends, and how long it rests after every 64 KiB: enough to take six times the promise if they were
/// kept in memory, as fast as the gateway takes them. Set `GATEWAY_TEST_CLIENTS`, `_BYTES` and `_PAUSE_MS` to 1000, 10000000 and 500 for
/// the whole promise: minutes, and 10 GB of disk.
fn load() -> (usize, usize, Duration) {
    let set = |name: &str, default| std::env::var(name).map_or(default, |value| value.parse().expect("a number"));
    let pause = Duration::from_millis(set("GATEWAY_TEST_PAUSE_MS", 0) as u64);
    (set("GATEWAY_TEST_CLIENTS", 200), set("GATEWAY_TEST_BYTES", 2 << 20), pause)
}

/// Sends one image, at each step waiting until all others have come as far, and returns the answer.
async fn slow_client(gateway: std::net::SocketAddr, bytes: usize, pause: Duration, steps: Arc<Barrier>) -> String {
    let body = image(&"x".repeat(64 * 1024));
    let length = START.len() + bytes + END.len();
    let head = format!(
        "POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(START).await.unwrap();
    let mut left = bytes;
    for step in 0..4 {
        let until = bytes - bytes * (step + 1) / 4;
        while left > until {
            let chunk = &body[..body.len().min(left - until)];
            if let Err(error) = stream.write_all(chunk).await {
                let mut answer = vec![0; 4096];
                let length = stream.read(&mut answer).await.unwrap_or_default();

                return format!("{error} with {left} bytes to go: {}", String::from_utf8_lossy(&answer[..length]));
            }
            left -= chunk.len();
            tokio::time::sleep(pause).await;
        }
        steps.wait().await;
    }
    stream.write_all(END).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn many_slow_clients_with_large_images_are_all_served_in_little_memory() {
    let fake = Fake::start().await;
    let gateway = Process::start(&fake, &[("CLASSIFIERFLEET_MAX_SPOOL_BYTES", "17179869184")]).await;
    let ((clients, bytes, pause), idle) = (load(), gateway.peak_memory());
    let steps = Arc::new(Barrier::new(clients));
    let uploads: Vec<_> = (0..clients).map(|_| tokio::spawn(slow_client(gateway.address, bytes, pause, Arc::clone(&steps)))).collect();
    for upload in uploads {
        let answer = upload.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    }
    assert_eq!(*fake.stored.lock().unwrap(), u32::try_from(clients).unwrap());
    assert_eq!(gateway.spooled_files(), 0);
    let peak = gateway.peak_memory();
    println!("{clients} clients of {bytes} bytes, {pause:?} after every 64 KiB: {} MiB at most, {} MiB when idle", peak / MIB, idle / MIB);
    assert!(peak < PROMISED, "{} MiB", peak / MIB);
}
