//! Engines: each model answers its golden image on each of them, and differs from the others by rounding only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::PathBuf;
use std::thread;

use serde_json::json;
use support::{folder, model};
use wire::Outcome;
use worker::jobs::classify;
use worker::model::engine::{EngineArgs, EngineError, Kind, load};
use worker::model::fetch::{Fetcher, ModelUri};
use worker::model::{Folder, Model};

/// tract with our operators, tract without, onnxruntime.
fn engines() -> [EngineArgs; 3] {
    let onnxruntime_library = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
    [
        EngineArgs::default(),
        EngineArgs { no_fusing: true, ..EngineArgs::default() },
        EngineArgs { engine: Kind::Onnxruntime, onnxruntime_library, ..EngineArgs::default() },
    ]
}

/// The folders that the dev tools made of the recipes in `models`.
async fn made(name: &str) -> Folder {
    let all = std::env::var_os("CLASSIFIERFLEET_TEST_MODELS").expect("CLASSIFIERFLEET_TEST_MODELS lists model folders");
    let manifest =
        |folder: &PathBuf| serde_json::from_slice::<serde_json::Value>(&std::fs::read(folder.join("model.json")).unwrap()).unwrap();
    let folder = std::env::split_paths(&all).find(|folder| manifest(folder)["name"] == json!(name));
    let uri = ModelUri::File(folder.unwrap_or_else(|| panic!("{name} is not among {}", all.display())));
    Folder::fetch(&Fetcher::new(no_s3(), uri, &std::env::temp_dir())).await.unwrap()
}

fn no_s3() -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::new(&aws_config::SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build())
}

/// A model that is off is refused by `Model::new` with any engine.
#[tokio::test]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn every_model_answers_its_golden_image_on_every_engine() {
    for name in ["efficientnet-lite0", "face-recognition", "open-nsfw"] {
        let folder = made(name).await;
        for engine in engines() {
            let model = Model::new(&folder, &engine).unwrap_or_else(|error| panic!("{name} with {engine:?}: {error:?}"));
            let Outcome::Classified { label, .. } = classify(&model, &folder.golden_image, 1_000_000).unwrap().outcome else {
                panic!("{name}")
            };
            let expected = match name {
                "efficientnet-lite0" => "tiger cat",
                "face-recognition" => "Barack Obama",
                _ => "safe for work",
            };
            assert_eq!(label, expected, "{name} with {engine:?}");
        }
    }
}

/// Each engine sees the same numbers: what differs is their arithmetic alone.
#[tokio::test]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn engines_differ_by_rounding_only() {
    for name in ["efficientnet-lite0", "face-recognition", "open-nsfw"] {
        let folder = made(name).await;
        let shape = folder.manifest.input.shape();
        let std = folder.manifest.input.std[0];
        let input: Vec<f32> = (0..shape.iter().product()).map(|at| ((at * 7919 % 256) as f32 - 120.0) / std).collect();
        let [fused, plain, reference] = engines().map(|engine| load(&engine, &folder.onnx, shape).unwrap().run(&input).unwrap());
        for (what, output) in [("fused", &fused), ("plain", &plain)] {
            let off = output.iter().zip(&reference).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 2e-5, "{name}: {what} tract is {off} off onnxruntime");
            assert_eq!(output.len(), reference.len());
        }
    }
}

#[tokio::test]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn a_stranger_is_nobody_of_the_gallery() {
    let mut folder = made("face-recognition").await;
    let all: serde_json::Value = serde_json::from_slice(&folder.names).unwrap();
    let others: Vec<_> = all.as_array().unwrap().iter().filter(|entry| entry["name"] != "Barack Obama").collect();
    folder.names = serde_json::to_vec(&others).unwrap().into();
    let model = Model::new(&folder, &EngineArgs::default()).unwrap();
    let Outcome::Classified { label, predictions } = classify(&model, &folder.golden_image, 1_000_000).unwrap().outcome else { panic!() };
    assert_eq!((label.as_str(), predictions.len()), ("unknown", 2));
    assert!(predictions.iter().all(|near| near.distance.unwrap() > 0.6 && near.probability < 0.5), "{predictions:?}");
}

#[tokio::test]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn onnxruntime_answers_many_threads_at_once() {
    let folder = folder();
    let [.., engine] = engines();
    let engine = load(&engine, &folder.onnx, folder.manifest.input.shape()).unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let engine = &engine;
            scope.spawn(move || {
                for turn in 0..50 {
                    let level = (thread * 50 + turn) as f32 / 200.0;
                    assert!(engine.run(&[level; 3 * 8 * 8]).unwrap().iter().all(|score| (score - level * 10.0).abs() < 1e-4));
                }
            });
        }
    });
    assert!(engine.run(&[0.0; 3]).is_err(), "an input of another shape");
}

#[test]
fn networks_that_no_image_goes_into_are_refused() {
    let args = EngineArgs::default();
    assert!(matches!(load(&args, b"no ONNX", [1, 3, 8, 8]), Err(EngineError::Load { engine: Kind::Tract, .. })));
    assert!(model().infer(&[0.5; 3 * 8 * 8]).is_ok());
}
