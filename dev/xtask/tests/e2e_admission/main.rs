//! What can be known wrong is refused when it is applied, by a real API server, with a sentence that helps; what is right is
//! taken, with the defaults that are documented; and kubectl explains and shows it well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../support/cluster.rs"]
mod cluster;
mod defaults;
mod limits;
mod reads;
mod rows;
mod server;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use xtask::stack::{Extent, Stack};

use cluster::merged;
use rows::{Row, changes, refused};
use server::Server;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn the_api_server_takes_right_fleets_and_refuses_wrong_ones() {
    let stack = Stack::for_test("admission", |options| options.extent = Extent::Kubernetes).await.unwrap();
    stack.define_fleets().await.unwrap();
    let server = Server::of(&stack).await;
    wrong_fleets_are_refused_with_a_sentence_that_helps(&server).await;
    good_neighbours_are_taken(&server).await;
    what_cannot_be_changed_stays(&server).await;
    every_rule_has_a_row(&server);
    limits::all_are_kept(&server).await;
    defaults::are_as_documented(&server).await;
    reads::explains_every_field(&stack, &server).await;
    reads::shows_the_columns(&stack).await;
    stack.stop().await.unwrap();
}

async fn wrong_fleets_are_refused_with_a_sentence_that_helps(server: &Server) {
    for Row(change, sentence) in refused() {
        let error = server.judge(&merged(&server.example, &change)).await.expect_err(&change.to_string());
        assert!(error.contains(sentence), "{change}: {error}");
    }
}

async fn good_neighbours_are_taken(server: &Server) {
    for change in rows::taken() {
        let taken = server.judge(&merged(&server.example, &change)).await;
        assert!(taken.is_ok(), "{change}: {}", taken.unwrap_err());
    }
}

/// Queues and buckets hold jobs and results, and instances run where they run: their names and places stay.
async fn what_cannot_be_changed_stays(server: &Server) {
    for (name, place) in [("here", json!({})), ("there", json!({"region": "eu-west-1", "endpointUrl": "http://127.0.0.1:4566"}))] {
        let fleet = merged(&server.example, &json!({"metadata": {"name": name}, "spec": place}));
        server.create(&fleet).await;
    }
    for (name, Row(change, sentence)) in changes() {
        let error = server.revise(name, &change).await.expect_err(&change.to_string());
        assert!(error.contains(sentence), "{change}: {error}");
    }
    let others = json!({"spec": {"workers": {"max": 6}, "queues": {"maxReceives": 5}, "storage": {"retentionDays": 3}, "gateway": null}});
    server.revise("there", &others).await.unwrap();
}

/// A rule whose sentence no row expects has never been seen to refuse anything.
fn every_rule_has_a_row(server: &Server) {
    let expected: Vec<&str> =
        refused().into_iter().chain(changes().into_iter().map(|(_, row)| row)).map(|Row(_, sentence)| sentence).collect();
    let mut messages = BTreeSet::new();
    collect(&server.schema, &mut messages);
    assert!(messages.len() > 20, "{messages:?}");
    let untested: Vec<_> = messages.iter().filter(|message| !expected.iter().any(|sentence| message.contains(sentence))).collect();
    assert!(untested.is_empty(), "no row shows that these refuse anything: {untested:#?}");
}

fn collect(schema: &Value, messages: &mut BTreeSet<String>) {
    let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    messages.extend(rules.map(|rule| rule["message"].as_str().expect("a rule without a message says nothing to people").to_owned()));
    for (_, property) in schema["properties"].as_object().into_iter().flatten() {
        collect(property, messages);
    }
    if schema["items"].is_object() {
        collect(&schema["items"], messages);
    }
}
