//! Images that were accepted before, through real SQS and S3: listed, looked at, deleted.
#![allow(clippy::unwrap_used, missing_docs)]

use crate::support::stack::Stack;
use crate::support::{Running, accepted, client, image, one, problem};
use futures::StreamExt;
use serde_json::{Value, json};
use uuid::Uuid;
use wire::Job;

/// Uploads images one after the other; the worker is told of those whose label is not empty. Returns their ids.
async fn upload(stack: &Stack, gateway: &Running, labels: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for (n, label) in labels.iter().enumerate() {
        let view = accepted(gateway.post("/v1/images", one("f", &format!("{n}.jpg"), image(label))).send().await.unwrap()).await;
        let job = stack.next_job().await;
        if !label.is_empty() {
            stack.answer(job).await;
        }
        ids.push(view["id"].as_str().unwrap().to_owned());
    }
    ids
}

fn ids(list: &Value) -> Vec<&str> {
    list["images"].as_array().unwrap().iter().map(|image| image["id"].as_str().unwrap()).collect()
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn lists_show_the_newest_first_and_go_on_where_they_ended() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    assert_eq!(gateway.json("/v1/images").await, json!({"images": []}));
    let uploaded = upload(&stack, &gateway, &["A", "", "Corrupt!it is cut off", "D", ""]).await;
    for key in
        ["test_00.jpg", "0001.jpg", "idempotency/00/0.json", &format!("{}/x/y.jpg", Uuid::now_v7()), &format!("{}/x.jpg", Uuid::new_v4())]
    {
        stack.put(&stack.settings.input_bucket, key, b"a stranger's".to_vec()).await;
    }
    let newest: Vec<&str> = uploaded.iter().rev().map(String::as_str).collect();

    let all = gateway.json("/v1/images").await;
    assert_eq!(ids(&all), newest);
    assert!(all.get("next").is_none(), "{all}");
    let states: Vec<&str> = all["images"].as_array().unwrap().iter().map(|image| image["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["Pending", "Classified", "Failed", "Pending", "Classified"]);
    for view in all["images"].as_array().unwrap() {
        assert_eq!(*view, gateway.json(view["url"].as_str().unwrap()).await, "a list shows what the image itself does");
        assert!(view["submittedAt"].is_string(), "{view}");
    }

    let (mut path, mut found) = ("/v1/images?limit=2".to_owned(), Vec::new());
    for length in [2, 2, 1] {
        let page = gateway.json(&path).await;
        assert_eq!(ids(&page).len(), length);
        found.extend(ids(&page).into_iter().map(str::to_owned));
        path = format!("/v1/images?limit=2&before={}", page["next"].as_str().unwrap_or("none"));
    }
    assert_eq!(found, newest);
    assert!(path.ends_with("none"), "{path}");
    for query in ["limit=0", "limit=201", "limit=many", "before=7"] {
        problem(gateway.get(&format!("/v1/images?{query}")).await, 400, "bad-parameter").await;
    }
    gateway.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn the_newest_of_many_are_found_though_s3_lists_the_oldest_first() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let hours_ago = |n: u64| uuid::Builder::from_unix_timestamp_millis(1_760_000_000_000 + n * 3_600_000, &[7; 10]).into_uuid();
    let puts = (0..1_050).map(|n| {
        let (stack, key) = (stack.clone(), format!("{}/old.jpg", hours_ago(n)));
        async move { stack.put(&stack.settings.input_bucket, &key, b"x".to_vec()).await }
    });
    futures::stream::iter(puts).buffer_unordered(32).collect::<Vec<()>>().await;
    let new = upload(&stack, &gateway, &["A", "B"]).await;
    let list = gateway.json("/v1/images?limit=4").await;
    assert_eq!(ids(&list), [&new[1], &new[0], &hours_ago(1_049).to_string(), &hours_ago(1_048).to_string()]);
    let list = gateway.json(&format!("/v1/images?limit=3&before={}", hours_ago(20))).await;
    assert_eq!(ids(&list), [19, 18, 17].map(|n| hours_ago(n).to_string()));
    gateway.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn many_ids_are_asked_for_at_once() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let uploaded = upload(&stack, &gateway, &["A", "", "C"]).await;
    let unknown = Uuid::now_v7();
    let list = gateway.json(&format!("/v1/images?ids={},{unknown},{},nonsense,{}", uploaded[2], uploaded[1], uploaded[0])).await;
    assert_eq!(ids(&list), [&uploaded[2], &uploaded[1], &uploaded[0]]);
    assert_eq!((&list["images"][0]["result"], &list["images"][1]["status"]), (&"C".into(), &"Pending".into()));
    assert_eq!(gateway.json(&format!("/v1/images?ids={unknown}")).await, json!({"images": []}));
    problem(gateway.get(&format!("/v1/images?ids={}", "x,".repeat(101))).await, 400, "bad-parameter").await;
    gateway.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_result_that_takes_the_place_of_a_given_up_one_is_shown() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let view = accepted(gateway.post("/v1/images", one("f", "a.jpg", image("RetriesExhausted!tried 3 times"))).send().await.unwrap()).await;
    let job = stack.next_job().await;
    stack.answer(job.clone()).await;
    let list = gateway.json("/v1/images").await;
    assert_eq!((&list["images"][0]["id"], &list["images"][0]["code"]), (&view["id"], &"RetriesExhausted".into()));
    // Somebody mends what was wrong and sends the dead letter again.
    stack.put(&stack.settings.input_bucket, &job.key, image("Paul")).await;
    stack.answer(job).await;
    assert_eq!(gateway.json("/v1/images").await["images"][0]["result"], "Paul");
    gateway.stop().await;
}

async fn delete(gateway: &Running, id: &str) -> reqwest::Response {
    client().delete(gateway.url(&format!("/v1/images/{id}"))).send().await.unwrap()
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn an_image_is_deleted_with_its_result_once_that_is_there() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let view = accepted(gateway.post("/v1/images", one("f", "a.jpg", image("Paul"))).send().await.unwrap()).await;
    let id = view["id"].as_str().unwrap();
    let waiting = problem(delete(&gateway, id).await, 409, "waiting").await;
    assert_eq!(waiting["instance"], view["url"]);
    stack.answer(stack.next_job().await).await;
    assert_eq!(ids(&gateway.json("/v1/images").await), [id]);

    let gone = delete(&gateway, id).await;
    assert_eq!((gone.status().as_u16(), gone.text().await.unwrap()), (204, String::new()));
    problem(delete(&gateway, id).await, 404, "no-such-image").await;
    problem(gateway.get(&format!("/v1/images/{id}")).await, 404, "no-such-image").await;
    problem(gateway.get(&format!("/v1/images/{id}/content")).await, 404, "no-such-image").await;
    assert_eq!(gateway.json(&format!("/v1/images?ids={id}")).await, json!({"images": []}));
    for bucket in [&stack.settings.input_bucket, &stack.settings.output_bucket] {
        assert!(stack.keys(bucket, "").await.is_empty(), "{bucket}");
    }
    problem(delete(&gateway, "nonsense").await, 404, "no-such-image").await;
    gateway.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_deletion_that_was_cut_short_can_be_asked_for_again() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    accepted(gateway.post("/v1/images", one("f", "a.jpg", image("Paul"))).send().await.unwrap()).await;
    let job = stack.next_job().await;
    stack.answer(job.clone()).await;
    stack.delete(&stack.settings.input_bucket, &job.key).await;
    assert_eq!(gateway.json("/v1/images").await, json!({"images": []}));
    assert_eq!(delete(&gateway, &job.id.to_string()).await.status(), 204);
    assert!(stack.keys(&stack.settings.output_bucket, "").await.is_empty());
    gateway.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn an_image_is_shown_as_it_was_sent_and_may_do_nothing_in_a_browser() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let sent = image(&"a label that is longer than one chunk".repeat(10_000));
    let view = accepted(gateway.post("/v1/images", one("f", "Kätzchen \"1\".jpg", sent.clone())).send().await.unwrap()).await;
    let url = format!("{}/content", view["url"].as_str().unwrap());
    let shown = gateway.get(&url).await;
    let header = |name: &str| shown.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(shown.status(), 200);
    assert_eq!(header("content-type"), "image/jpeg");
    assert_eq!(header("content-length"), sent.len().to_string());
    assert_eq!(header("content-disposition"), "inline; filename*=UTF-8''K%C3%A4tzchen%201%2Ejpg");
    assert_eq!(
        (header("x-content-type-options"), header("content-security-policy")),
        ("nosniff".into(), "default-src 'none'; sandbox".into())
    );
    assert_eq!(shown.bytes().await.unwrap(), sent);
    let head = client().head(gateway.url(&url)).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()), (200, sent.len().to_string().as_str()));
    assert!(head.bytes().await.unwrap().is_empty());

    // What somebody else put there as a page is no page here.
    let Job { key, .. } = stack.next_job().await;
    stack.put(&stack.settings.input_bucket, &key, b"<script>".to_vec()).await;
    assert_eq!(gateway.get(&url).await.headers()["content-type"], "application/octet-stream");
    gateway.stop().await;
}
