//! What happens, as it happens: server-sent events, WebSockets, and the fleet at a glance.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::atomic::Ordering;

use crate::support::fake::Fake;
use crate::support::process::Process;
use crate::support::stack::Stack;
use crate::support::{client, image, one, problem, settings, until, without_aws};
use futures::{SinkExt, StreamExt};
use gateway::Settings;
use reqwest::Response;
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

/// One server-sent event.
#[derive(Debug, PartialEq)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

/// A stream of them, as a client reads it.
struct Events {
    response: Response,
    text: String,
}

impl Events {
    async fn of(url: &str, last: Option<&str>) -> Self {
        let request = last.iter().fold(client().get(url), |request, last| request.header("last-event-id", *last));
        let response = request.send().await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["content-type"]), (200, &"text/event-stream".parse().unwrap()));
        Self { response, text: String::new() }
    }

    /// The next event; none when the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                let event = field("event").map(|name| Event {
                    id: field("id").unwrap().to_owned(),
                    name: name.to_owned(),
                    data: serde_json::from_str(field("data").unwrap()).unwrap(),
                });
                self.text = rest.to_owned();
                match event {
                    Some(event) if event.name != "fleet" => return Some(event),
                    // Comments; and what is told of the fleet depends on the machine that the test runs on.
                    _ => continue,
                }
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn image(&mut self) -> (String, String, String) {
        let Event { id, name, data } = self.next().await.expect("the stream goes on");
        assert_eq!(name, "image");
        (id, data["id"].as_str().unwrap().to_owned(), data["status"].as_str().unwrap().to_owned())
    }
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn an_image_is_told_when_it_is_accepted_and_once_when_it_is_finished_and_who_was_away_hears_it_later() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let mut events = Events::of(&gateway.url("/v1/events"), None).await;
    let accepted: Value = gateway.post("/v1/images", one("f", "a.jpg", image("Paul"))).send().await.unwrap().json().await.unwrap();
    let id = accepted["images"][0]["id"].as_str().unwrap();
    let (first, told, status) = events.image().await;
    assert_eq!((told.as_str(), status.as_str()), (id, "Pending"));
    let job = stack.next_job().await;
    stack.answer(job.clone()).await;
    // SQS may bring an announcement twice.
    stack.answer(job).await;
    let (second, told, status) = events.image().await;
    assert_eq!((told.as_str(), status.as_str()), (id, "Classified"));

    let mut resumed = Events::of(&gateway.url(&format!("/v1/events?lastEventId={first}")), None).await;
    assert_eq!(resumed.image().await, (second.clone(), id.to_owned(), "Classified".to_owned()));
    gateway.post("/v1/images", one("f", "b.jpg", image("Else!where"))).send().await.unwrap();
    let mut after = Events::of(&gateway.url("/v1/events"), Some(&second)).await;
    for events in [&mut events, &mut resumed, &mut after] {
        assert_eq!(events.image().await.2, "Pending", "the second announcement was no news");
    }
    gateway.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn results_of_images_that_nobody_waits_for_any_more_are_told() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let upload = tokio::spawn(gateway.post("/upload", one("f", "a.jpg", image("Corrupt!cut off"))).send());
    let job = stack.next_job().await;
    upload.abort();
    gateway.until("/metrics", |_, text| text.contains("pending_uploads{fleet=\"imagenet\",namespace=\"default\"} 0")).await;
    let mut events = Events::of(&gateway.url("/v1/events"), None).await;
    stack.answer(job.clone()).await;
    assert_eq!(events.image().await.1, job.id.to_string());
    gateway.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_result_whose_announcement_is_lost_is_told_all_the_same() {
    let stack = Stack::new().await;
    stack.announces.store(false, Ordering::Relaxed);
    let gateway = stack.gateway().await;
    let mut events = Events::of(&gateway.url("/v1/events"), None).await;
    gateway.post("/v1/images", one("f", "a.jpg", image("Paul"))).send().await.unwrap();
    assert_eq!(events.image().await.2, "Pending");
    stack.answer(stack.next_job().await).await;
    assert_eq!(events.image().await.2, "Classified");
    gateway.stop().await;
}

#[tokio::test]
async fn who_comes_from_another_replica_is_told_to_begin_again() {
    let gateway = without_aws(settings()).await;
    let mut events = Events::of(&gateway.url("/v1/events"), Some("mywpiww0-7")).await;
    let Event { name, data, .. } = events.next().await.unwrap();
    assert_eq!((name.as_str(), data), ("reset", json!({})));
    gateway.stop().await;
}

#[tokio::test]
async fn streams_end_when_the_replica_is_replaced_and_do_not_hold_it_up() {
    // Did a stream hold it up, the test would never end.
    let gateway = without_aws(Settings { drain_timeout_seconds: 1_000_000, ..settings() }).await;
    let mut events = Events::of(&gateway.url("/v1/events"), None).await;
    let (mut socket, _) = connect_async(gateway.url("/v1/events").replace("http", "ws")).await.unwrap();
    gateway.until("/metrics", |_, text| text.contains("event_streams{fleet=\"imagenet\",namespace=\"default\"} 2")).await;
    let stopped = tokio::spawn(gateway.stop());
    assert_eq!(events.next().await, None);
    let close = loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Close(frame) => break frame.unwrap(),
            _ => continue,
        }
    };
    assert_eq!(u16::from(close.code), 1001);
    stopped.await.unwrap();
}

#[tokio::test]
async fn as_many_listen_as_may_and_a_place_that_is_left_is_free() {
    let gateway = without_aws(Settings { max_event_streams: 1, ..settings() }).await;
    let events = Events::of(&gateway.url("/v1/events"), None).await;
    let refused = gateway.get("/v1/events").await;
    assert!(refused.headers().contains_key("retry-after"));
    problem(refused, 503, "too-many-streams").await;
    drop(events);
    gateway.until("/metrics", |_, text| text.contains("event_streams{fleet=\"imagenet\",namespace=\"default\"} 0")).await;
    Events::of(&gateway.url("/v1/events"), None).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_websocket_is_for_programs_and_for_the_gateways_own_page() {
    let gateway = without_aws(settings()).await;
    let url = gateway.url("/v1/events").replace("http", "ws");
    let mut own = url.as_str().into_client_request().unwrap();
    own.headers_mut().insert("origin", gateway.url("").parse().unwrap());
    connect_async(own).await.unwrap();
    let mut foreign = url.as_str().into_client_request().unwrap();
    foreign.headers_mut().insert("origin", "https://elsewhere.example".parse().unwrap());
    let Err(Error::Http(answer)) = connect_async(foreign).await else { panic!("it may not listen") };
    assert_eq!(answer.status(), 403);
    gateway.stop().await;
}

fn fleet(ready: u32) -> Value {
    json!({
        "apiVersion": "classifierfleet.dev/v1alpha1", "kind": "ClassifierFleet", "metadata": {"name": "imagenet", "namespace": "default"},
        "spec": {"from": "a later version"},
        "status": {"desired": 3, "workers": {"total": 3, "ready": ready, "starting": 1}, "queue": {"visible": 5, "inFlight": 2, "delayed": 0}},
    })
}

#[tokio::test]
async fn the_fleet_is_read_from_the_api_server_and_told_to_those_who_listen_when_it_changes() {
    let fake = Fake::start().await;
    *fake.fleet.lock().unwrap() = fleet(2);
    let gateway = Process::start(&fake, &[]).await;
    let url = format!("http://{}", gateway.address);
    for _ in 0..5 {
        let view: Value = client().get(format!("{url}/v1/fleet")).send().await.unwrap().json().await.unwrap();
        assert_eq!((&view["queue"], &view["workers"]["ready"]), (&json!({"visible": 5, "inFlight": 2, "delayed": 0}), &json!(2)));
        assert_eq!((&view["namespace"], &view["name"], &view["message"]), (&json!("default"), &json!("imagenet"), &Value::Null));
    }
    assert_eq!(fake.fleet_reads.load(Ordering::Relaxed), 1, "one reading is enough for all who ask now");

    let (mut socket, _) = connect_async(format!("{url}/v1/events").replace("http", "ws")).await.unwrap();
    for ready in [2, 3] {
        *fake.fleet.lock().unwrap() = fleet(ready);
        let told = told(&mut socket).await;
        assert_eq!((&told["event"], &told["data"]["workers"]["ready"]), (&json!("fleet"), &json!(ready)));
        assert!(told["id"].as_str().unwrap().contains('-'));
    }
    *fake.fleet.lock().unwrap() = Value::Null;
    let gone = told(&mut socket).await;
    assert_eq!((&gone["data"]["queue"], &gone["data"]["workers"]), (&Value::Null, &Value::Null));
    assert!(gone["data"]["message"].as_str().unwrap().contains("default/imagenet"), "{gone}");

    socket.send(Message::Close(None)).await.unwrap();
    until("nobody listens", async || gateway.metric("event_streams").await == 0).await;
}

/// The next message that is no ping.
async fn told(socket: &mut (impl StreamExt<Item = Result<Message, Error>> + Unpin)) -> Value {
    loop {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}
