//! The gateway's page in a real Chromium, with real workers behind it: dev/page does what a person does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use support::{Photo, classify, or_skip, patch, photos};
use tokio::process::Command;
use xtask::paths::Paths;
use xtask::progress::Progress;
use xtask::stack::Stack;
use xtask::tools::{self, Browser};

/// Photos that are uploaded: all, and some of them again under other names.
const UPLOADED: usize = 30;

/// A row as the browser shows it.
#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    label: String,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn a_person_with_a_folder_of_photos_gets_their_labels() {
    let paths = Paths::discover().unwrap();
    let Some(browser) = or_skip("the page", tools::browser(&paths, Progress::quiet()).await) else { return };
    let stack = Stack::for_test("page", |_| {}).await.unwrap();
    patch(&stack, json!({"workers": {"min": 1, "max": 2}})).await;
    let folder = tempfile::tempdir().unwrap();
    let uploaded = lay_out(&stack, folder.path());
    let rows = visit(&paths, &browser, &stack, folder.path()).await;
    assert_eq!(rows.len(), UPLOADED);
    let expected = labels(&stack).await;
    for row in &rows {
        let Photo { name, .. } = &uploaded[&row.name];
        assert_eq!(row.label, expected[name].0, "{} has the label that the API tells of its photo", row.name);
    }
    let right = expected.values().filter(|(_, is_right)| *is_right).count();
    assert!(right >= 18, "{right} of 20 are right at top 1; onnxruntime gets 18");
    stack.stop().await.unwrap();
}

/// The photos as files, and a text that is none; returns which photo each file is.
fn lay_out(stack: &Stack, folder: &Path) -> HashMap<String, Photo> {
    std::fs::create_dir(folder.join("photos")).unwrap();
    std::fs::write(folder.join("notes.txt"), "This is no photo.").unwrap();
    let photos = photos(stack).into_iter().cycle().take(UPLOADED).enumerate();
    let named = photos.map(|(place, photo)| (format!("{place:02} {}", photo.name), photo));
    named.inspect(|(name, photo)| std::fs::write(folder.join("photos").join(name), &photo.bytes).unwrap()).collect()
}

/// Lets the browser do all that dev/page/check.cjs says; returns the rows that it saw.
async fn visit(paths: &Paths, browser: &Browser, stack: &Stack, folder: &Path) -> Vec<Row> {
    let mut node = Command::new("node");
    node.arg(paths.root.join("dev/page/check.cjs"))
        .env("PAGE_URL", format!("{}/", stack.gateway_url().unwrap()))
        .env("PAGE_PHOTOS", folder.join("photos"))
        .env("PAGE_TEXT", folder.join("notes.txt"))
        .env("CHROMIUM", &browser.chromium)
        .env("NODE_PATH", &browser.modules)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(600), node.output()).await.expect("the visit comes to its end").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// What the API says of each photo, and whether it is right.
async fn labels(stack: &Stack) -> HashMap<String, (String, bool)> {
    let url = stack.gateway_url().unwrap();
    let asked = photos(stack).into_iter().map(|photo| async move {
        let answer: Value = classify(url, "/upload", "file", &photo.name, photo.bytes).await;
        let is_right = answer["predictions"][0]["index"] == photo.class;
        (photo.name, (answer["result"].as_str().unwrap().to_owned(), is_right))
    });
    join_all(asked).await.into_iter().collect()
}
