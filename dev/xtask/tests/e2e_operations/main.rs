//! Operations, as Acto tests them (SOSP '23): every field of a fleet's spec is changed and changed back, by edits that are made
//! from the CRD's own schema, against a real API server. After each edit the fleet comes to what its spec declares; after the way
//! back to what it was; what is wrong is refused by name and changes nothing; what was a mistake is told, and undone; and random
//! walks through edits end as straight ways do. The jobs that wait stay.
//!
//! Some fleets of one stack share the edits, so that they go on at the same time. Workers are simulated.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../support/cluster.rs"]
mod cluster;
mod declared;
mod edits;
mod fields;
#[path = "../support/sqs.rs"]
mod sqs;
mod stage;
#[path = "../support/mod.rs"]
mod support;

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::join_all;
use serde_json::Value;
use xtask::progress::line;

use edits::{Edit, FIXED, Refused};
use fields::{Field, undo};
use stage::{Fleet, Stage};

/// So many fleets share the edits.
const FLEETS: usize = 6;
/// So many fleets walk, and so far.
const WALKS: u64 = 3;
const STEPS: usize = 6;
/// The first walk's; the next ones count on.
const SEED: u64 = 20_231_023;
/// Generous: what does not come is a failure, what comes late is not.
const PATIENCE: Duration = Duration::from_secs(100);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn every_field_can_be_changed_and_changed_back() {
    let stage = Stage::raise().await;
    let fields = fields::all(&schema(&stage).await);
    let base = stage.fleet("operations-0").await.base;
    let edits: Vec<Edit> = fields.iter().flat_map(|field| edits::of(field, &base)).collect();
    let untried = |field: &&Field| !edits.iter().any(|edit| edit.field == field.path) && !FIXED.iter().any(|(path, _)| *path == field.path);
    let gaps: Vec<&str> = fields.iter().filter(untried).map(|field| field.path.as_str()).collect();
    assert!(gaps.is_empty(), "no edit tries these fields, and no reason says why (edits.rs): {gaps:?}");
    let begun = Instant::now();
    let straight = (0..FLEETS).map(|number| {
        let share: Vec<Edit> = edits.iter().skip(number).step_by(FLEETS).cloned().collect();
        told(format!("operations-{number}"), there_and_back(&stage, number, share))
    });
    let walks = (0..WALKS).map(|number| told(format!("walk-{number}"), walk(&stage, number, &edits)));
    let wrong = told("misoperations".to_owned(), misoperations(&stage, &fields));
    let (straight, walks, wrong) = tokio::join!(join_all(straight), join_all(walks), wrong);
    let failures: Vec<String> = straight.into_iter().chain(walks).chain([wrong]).flatten().collect();
    assert!(failures.is_empty(), "the logs: {}\n{}", stage.stack.dir().display(), failures.join("\n"));
    line(format!("{} edits of {} fields there and back in {:.0} s", edits.len(), fields.len(), begun.elapsed().as_secs_f64()));
    stage.stack.stop().await.unwrap();
}

/// The schema of a fleet's spec as the API server has it.
async fn schema(stage: &Stage) -> Value {
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/classifierfleets.classifierfleet.dev";
    let definition: Value = stage.client.request(hyper::Request::get(path).body(Vec::new()).unwrap()).await.unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

/// Each edit by itself, and back.
async fn there_and_back(stage: &Stage, number: usize, edits: Vec<Edit>) {
    let fleet = match number {
        0 => Fleet::of(stage, "operations-0"),
        number => stage.fleet(&format!("operations-{number}")).await,
    };
    let first = comes_true(&fleet, "at first").await;
    for Edit { field, spec } in edits {
        fleet.change(&spec).await.unwrap_or_else(|error| panic!("{spec} is refused: {error}"));
        let there = comes_true(&fleet, &spec.to_string()).await;
        if field.starts_with("workers.template.") {
            assert_ne!(there, first, "{field} is of the template: workers made by it are another revision");
        }
        fleet.change(&undo(&fleet.base, &spec)).await.unwrap();
        let back = comes_true(&fleet, &format!("back from {spec}")).await;
        assert_eq!(back, first, "back from {spec} is another revision");
    }
}

/// One edit upon the other, in a random order, and back from all of them at once.
async fn walk(stage: &Stage, number: u64, edits: &[Edit]) {
    let seed = SEED + number;
    let fleet = stage.fleet(&format!("walk-{number}")).await;
    let first = comes_true(&fleet, "at first").await;
    let (mut random, mut changed, mut way) = (seed, serde_json::json!({}), Vec::new());
    while way.len() < STEPS {
        let spec = &edits[usize::try_from(next(&mut random) % edits.len() as u64).unwrap()].spec;
        // What contradicts an earlier edit is refused, which is right.
        if fleet.change(spec).await.is_ok() {
            changed = over(&changed, spec);
            way.push(spec.to_string());
            comes_true(&fleet, &format!("walk {seed}: {}", way.join(" then "))).await;
        }
    }
    fleet.change(&undo(&fleet.base, &changed)).await.unwrap();
    let back = comes_true(&fleet, &format!("walk {seed}, back from {}", way.join(" then "))).await;
    assert_eq!(back, first);
}

/// What is refused changes nothing; what is not, and wrong all the same, is told, and undone.
async fn misoperations(stage: &Stage, fields: &[Field]) {
    let fleet = stage.fleet("mistaken").await;
    comes_true(&fleet, "at first").await;
    let generation = fleet.object().await["metadata"]["generation"].clone();
    let refused: Vec<Refused> = fields.iter().flat_map(edits::refused).chain(edits::contradictions()).collect();
    for Refused { spec, names } in &refused {
        let error = fleet.change(spec).await.err().unwrap_or_else(|| panic!("{spec} is taken"));
        assert!(error.contains(names.as_str()), "{spec}: the answer does not name {names}: {error}");
    }
    assert_eq!(fleet.object().await["metadata"]["generation"], generation, "what was refused changed something");
    line(format!("{} misoperations refused", refused.len()));
    for (spec, type_, word) in edits::mistakes() {
        fleet.change(&spec).await.unwrap();
        let begun = Instant::now();
        loop {
            let object = fleet.object().await;
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let tells = |it: &Value| {
                it["type"] == type_ && it["status"] == "False" && it["message"].as_str().is_some_and(|text| text.contains(word))
            };
            if conditions.iter().any(tells) {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{spec}: {type_} does not tell of {word}: {conditions:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        fleet.change(&undo(&fleet.base, &spec)).await.unwrap();
        comes_true(&fleet, &format!("back from {spec}")).await;
    }
}

/// Waits until all is as the spec declares. The revision then.
async fn comes_true(fleet: &Fleet<'_>, what: &str) -> Value {
    let begun = Instant::now();
    loop {
        let seen = fleet.see().await;
        let differences = declared::differences(&seen);
        if differences.is_empty() {
            return seen.fleet["status"]["revision"].clone();
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: {differences:#?}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// A patch that does what two do, one after the other.
fn over(first: &Value, second: &Value) -> Value {
    match (first, second) {
        (Value::Object(_), Value::Object(fields)) => {
            let mut both = first.clone();
            for (name, value) in fields {
                both[name] = over(&first[name], value);
            }
            both
        }
        _ => second.clone(),
    }
}

/// The next number of a sequence (splitmix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Nothing, or what went wrong.
async fn told(name: String, story: impl Future<Output = ()>) -> Option<String> {
    let panic = AssertUnwindSafe(story).catch_unwind().await.err()?;
    let message = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    Some(format!("{name}: {}", message.unwrap_or_default()))
}
