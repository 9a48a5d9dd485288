//! EC2 as the real SDK sees it. A table of cases runs against cloudsim and against moto, the second opinion; where they
//! differ, the case says who is right and why. What moto has not at all (machines, metadata, faults) is tested on cloudsim alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backend;
mod cases;
mod faults;
mod guests;
mod image_cases;
mod images;
mod launch_cases;
mod lifecycle_cases;
mod metadata;
mod simulated;
mod spot;
mod spot_cases;
mod tag_cases;
mod template_cases;
mod volume_cases;

use std::any::Any;
use std::panic::AssertUnwindSafe;

use backend::Backend;
use cases::{Case, Moto};
use futures::FutureExt;

fn all() -> Vec<Case> {
    let cases = [
        image_cases::all(),
        launch_cases::all(),
        lifecycle_cases::all(),
        spot_cases::all(),
        tag_cases::all(),
        template_cases::all(),
        volume_cases::all(),
    ];
    cases.into_iter().flatten().collect()
}

/// What the case sees; a case that trips over an answer has seen that, and the others still get their turn.
async fn observe(case: &Case, backend: Backend) -> String {
    let text = |panic: Box<dyn Any + Send>| panic.downcast::<String>().map_or_else(|_| "it panicked".to_owned(), |text| *text);
    AssertUnwindSafe((case.run)(backend)).catch_unwind().await.unwrap_or_else(text)
}

fn assert_none(wrong: &[String], on: &str) {
    assert!(wrong.is_empty(), "{} of {} cases differ on {on}:\n{}", wrong.len(), all().len(), wrong.join("\n"));
}

#[tokio::test]
async fn every_case_on_cloudsim() {
    let mut wrong = Vec::new();
    for case in all() {
        let lab = backend::Lab::start().await;
        let seen = observe(&case, lab.backend()).await;
        lab.stop().await;
        if seen != case.ec2 {
            wrong.push(format!("{}: EC2 answers {:?}, cloudsim {seen:?}", case.name, case.ec2));
        }
    }
    assert_none(&wrong, "cloudsim");
}

#[tokio::test]
#[ignore = "needs moto: cargo xtask test starts it"]
async fn every_case_on_moto() {
    let mut wrong = Vec::new();
    for case in all() {
        let expected = match case.moto {
            Moto::Agrees => case.ec2,
            Moto::Differs { answers, because } => {
                assert!(!because.is_empty(), "{}: who is right?", case.name);
                answers
            }
        };
        let seen = observe(&case, Backend::moto().await).await;
        if seen != expected {
            wrong.push(format!("{}: expected {expected:?} of moto, it answers {seen:?}", case.name));
        }
    }
    assert_none(&wrong, "moto");
}
