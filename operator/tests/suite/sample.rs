//! A sample of the queue, against an SQS that says what a script says: its counters out of nothing are looked at twice.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_sqs::Client;
use operator::observe::queue::{Error, sample};
use service::aws::{Place, config};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// An SQS that answers its nth call with the nth of `script`, and counts them.
struct Scripted {
    listener: TcpListener,
    script: Vec<String>,
    calls: AtomicUsize,
}

impl Scripted {
    async fn answer(&self) {
        loop {
            let (stream, _) = self.listener.accept().await.unwrap();
            self.converse(stream).await;
        }
    }

    async fn converse(&self, mut stream: TcpStream) {
        let mut request = Vec::new();
        // A request is small, and its body ends with the brace that closes its JSON.
        while !request.ends_with(b"}") {
            assert!(stream.read_buf(&mut request).await.unwrap() > 0);
        }
        let body = &self.script[self.calls.fetch_add(1, Ordering::Relaxed)];
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + body).as_bytes()).await.unwrap();
    }
}

fn depth(visible: &str) -> String {
    let attributes = serde_json::json!({
        "ApproximateNumberOfMessages": visible, "ApproximateNumberOfMessagesNotVisible": "0", "ApproximateNumberOfMessagesDelayed": "0",
    });
    serde_json::json!({ "Attributes": attributes }).to_string()
}

/// What a sample says after `script`, and how many calls it made.
async fn sampled(script: &[&str], idle: bool) -> (Result<u64, Error>, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sqs = Scripted { listener, script: script.iter().map(|visible| depth(visible)).collect(), calls: AtomicUsize::new(0) };
    let place = Place { region: Some("us-east-1".to_owned()), endpoint_url: Some(url.clone()) };
    let client = {
        let credentials = aws_sdk_sqs::config::Credentials::new("test", "test", None, None, "test");
        let config = aws_sdk_sqs::config::Builder::from(&config("classifierfleet-operator-test", &place).await);
        Client::from_conf(config.credentials_provider(credentials).build())
    };
    let queue = format!("{url}/000000000000/jobs");
    let result = tokio::select! {
        result = sample(&client, &queue, idle) => result,
        () = sqs.answer() => unreachable!(),
    };
    (result.map(|depth| depth.visible), sqs.calls.into_inner())
}

#[tokio::test]
async fn a_count_out_of_nothing_is_looked_at_twice() {
    for (script, idle, visible, calls) in [
        // Transient: nobody is launched for it.
        (["3", "0"], true, 0, 2),
        (["3", "2"], true, 2, 2),
        (["0", "never asked for"], true, 0, 1),
        // A fleet at work believes the first look.
        (["3", "never asked for"], false, 3, 1),
        (["0", "never asked for"], false, 0, 1),
    ] {
        let (result, made) = sampled(&script, idle).await;
        assert_eq!((result.unwrap(), made), (visible, calls), "{script:?}, idle: {idle}");
    }
}

#[tokio::test]
async fn what_is_no_number_is_a_failed_sample_also_on_the_second_look() {
    for (script, calls) in [(["", "0"], 1), (["3", "many"], 2)] {
        let (result, made) = sampled(&script, true).await;
        assert!(matches!(result, Err(Error::Sample(_))), "{result:?}");
        assert_eq!(made, calls);
    }
}
