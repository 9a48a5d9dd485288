//! What the pages in `docs` say holds: links lead somewhere, an API server takes the fleets, and the commands run.
//!
//! A block of code says behind its fence what becomes of it: `sh` is run against the local stack, `sh endless` too, until it is
//! stopped; `sh aws` needs an account, `sh cluster` a cluster with nodes, and `sh checkout` compiles, installs or starts things. `yaml` is
//! a fleet, or a part of one's spec.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../support/cluster.rs"]
mod cluster;
mod commands;
mod fleets;
mod pages;
#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;

use pages::{Block, Page, broken_links, pages};
use serde_json::json;
use xtask::paths::Paths;
use xtask::stack::Stack;

/// What can stand behind a fence.
const MARKS: [&str; 10] = ["sh", "sh endless", "sh aws", "sh cluster", "sh checkout", "yaml", "yaml values", "json", "promql", "text"];

fn root() -> PathBuf {
    Paths::discover().unwrap().root
}

/// The pages that people read, the first ones first.
fn all_pages() -> Vec<Page> {
    let first = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|page| Page::read(root().join(page)));
    let folders = ["docs", "models", "charts", "deploy", "dev/fidelity"].map(|folder| pages(&root().join(folder)));
    first.into_iter().chain(folders.into_iter().flatten()).collect()
}

/// Their blocks, in their order.
fn blocks() -> Vec<Block> {
    all_pages().iter().flat_map(Page::blocks).collect()
}

#[test]
fn links_lead_somewhere() {
    let pages = all_pages();
    assert!(pages.iter().map(|page| page.links().len()).sum::<usize>() > 20);
    let broken: Vec<String> = pages.iter().flat_map(broken_links).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let text = "# A page\n[a](docs) [b](none.md)\n[c](#a-page), [d](#b)\n```\n[e](no.md)\n```\n[f](https://none.example)";
    let page = Page::of(root().join("page.md"), text);
    let broken: Vec<String> = broken_links(&page).iter().map(|broken| broken.rsplit_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(broken, ["none.md", "#b"]);
}

#[test]
fn every_block_says_what_becomes_of_it() {
    let unmarked: Vec<Block> = blocks().into_iter().filter(|block| !MARKS.contains(&block.mark.as_str())).collect();
    assert!(unmarked.is_empty(), "write one of {MARKS:?} behind the fence: {unmarked:#?}");
}

#[test]
fn blocks_are_found_in_lists_too() {
    let found = Page::of(PathBuf::new(), "1. a\n   ```sh aws\n   b\n     c\n   ```\n\n```\nd\n```\n").blocks();
    let found: Vec<(&str, &str)> = found.iter().map(|block| (block.mark.as_str(), block.code.as_str())).collect();
    assert_eq!(found, [("sh aws", "b\n  c\n"), ("", "d\n")]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn fleets_are_taken_and_commands_run() {
    let stack = Stack::for_test("docs", |_| {}).await.unwrap();
    support::patch(&stack, json!({"workers": {"min": 1}})).await;
    let fleets = blocks().into_iter().filter(|block| block.mark == "yaml");
    fleets::are_taken(&stack, &root(), fleets.collect()).await;
    support::until("a worker is ready", async || support::fleet(&stack, "{.status.workers.ready}").await == "1").await;
    commands::run(&stack, &root(), blocks()).await;
    stack.stop().await.unwrap();
}
