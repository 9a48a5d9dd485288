//! Model folders: what is refused, and what a model that serves answers. No network, no AWS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::PathBuf;

use image::ImageFormat;
use serde_json::{Value, json};
use support::{BLUE, GREEN, RED, colours, encode, folder, plain};
use wire::{ErrorCode, Outcome};
use worker::jobs::classify;
use worker::model::fetch::{FetchError, Fetcher, ModelUri};
use worker::model::golden::GoldenError;
use worker::model::manifest::{Channels, Layout, Manifest, Output};
use worker::model::{Folder, Model, ModelError};

fn manifest_with(pointer: &str, value: Value) -> Result<Manifest, String> {
    let mut json: Value = serde_json::from_slice(&std::fs::read(colours().join("model.json")).unwrap()).unwrap();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    json.pointer_mut(parent).unwrap()[field] = value;
    Manifest::parse(json.to_string().as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn manifests_that_cannot_be_right_are_refused_with_a_sentence() {
    let cases = [
        ("/name", json!(""), "name is \"\"; it must be 1 to 64 letters"),
        ("/name", json!("a/b"), "name is \"a/b\"; it must be"),
        ("/version", json!("1".repeat(33)), "version is"),
        ("/nmae", json!("x"), "unknown field `nmae`"),
        ("/onnx/file", json!("../secret"), "it must be a file directly in the model folder"),
        ("/onnx/file", json!("/etc/passwd"), "it must be a file directly in the model folder"),
        ("/onnx/sha256", json!("ABC"), "64 lower-case hexadecimal digits"),
        ("/input/width", json!(0), "input.width is 0; it must be between 1 and 4096 pixels"),
        ("/input/height", json!(-1), "cannot be read"),
        ("/input/layout", json!("CHW"), "unknown variant `CHW`, expected `NCHW` or `NHWC`"),
        ("/input/std", json!([1.0, 0.0, 1.0]), "input.std must be finite and not 0"),
        ("/input/mean", json!([1.0]), "invalid length 1"),
        (
            "/input/resize",
            json!({"shorterSide": 4, "filter": "bilinear"}),
            "it must be between 8 (the crop must fit into the resized image)",
        ),
        ("/input/resize", json!({"longerSide": 8}), "unknown field `longerSide`"),
        ("/input/resize", json!({"shorterSide": 8, "filter": "nearest"}), "unknown variant `nearest`"),
        ("/input/crop", json!("left"), "unknown variant `left`"),
        ("/output/kind", json!("embedding"), "unknown variant `embedding`"),
        ("/output/topK", json!(0), "output.topK must be at least 1"),
        ("/output/gallery", json!("x"), "unknown field `gallery`"),
        ("/golden/tolerance", json!(0.0), "golden.tolerance is 0; it must be above 0"),
    ];
    for (pointer, value, says) in cases {
        let error = manifest_with(pointer, value).expect_err(pointer);
        assert!(error.contains(says), "{pointer}: {error}");
    }
}

#[test]
fn the_default_model_has_a_manifest_that_is_read() {
    let path = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../models/efficientnet-lite0/model.json");
    let manifest = Manifest::parse(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!((manifest.input.shape(), manifest.output.classes().top_k), ([1, 3, 224, 224], 5));
}

#[test]
fn a_model_tells_apart_what_it_was_made_for() {
    let model = Model::new(&folder()).unwrap();
    assert_eq!(model.to_string(), "colours@1");
    for (colour, label, second) in [(RED, "red", "green"), (GREEN, "green", "blue"), (BLUE, "blue", "green")] {
        let classified = classify(&model, &encode(plain(20, 30, colour), ImageFormat::Png), 1_000_000).unwrap();
        let Outcome::Classified { label: best, predictions } = classified.outcome else { panic!("{label}: no predictions") };
        assert_eq!((best.as_str(), predictions[0].label.as_str(), predictions[1].label.as_str()), (label, label, second));
        assert_eq!(predictions.len(), 2, "topK is 2");
        assert!(predictions[0].probability > 0.9 && predictions[0].probability <= 1.0, "softmax was not applied: {predictions:?}");
    }
}

#[test]
fn what_is_no_image_is_an_outcome_not_an_error() {
    let model = Model::new(&folder()).unwrap();
    let classified = classify(&model, b"hello", 1_000_000).unwrap();
    assert!(matches!(classified.outcome, Outcome::Failed { code: ErrorCode::NotAnImage, message } if message.contains("send JPEG")));
}

/// Each of these models loads, and most would still find the right label.
#[test]
fn a_model_that_is_off_does_not_serve() {
    let refused = |change: &dyn Fn(&mut Folder)| {
        let mut folder = folder();
        change(&mut folder);
        match Model::new(&folder) {
            Err(ModelError::Golden(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(refused(&|folder| folder.manifest.input.channels = Channels::Bgr), GoldenError::Off { index: 0, .. }));
    assert!(matches!(refused(&|folder| folder.manifest.input.mean = [2.0, 0.0, 0.0]), GoldenError::Off { index: 0, .. }));
    assert!(matches!(refused(&|folder| folder.manifest.input.std = [255.0, 255.0, 200.0]), GoldenError::Off { index: 2, .. }));
    assert!(matches!(refused(&|folder| folder.golden_output = "[7.8, 3.1, 1.6]".into()), GoldenError::Off { .. }));
    assert!(matches!(refused(&|folder| folder.golden_output = "[1.0]".into()), GoldenError::Length { expected: 1, actual: 3 }));
}

#[test]
fn folders_that_do_not_fit_together_do_not_serve() {
    let refused = |change: &dyn Fn(&mut Folder)| {
        let mut folder = folder();
        change(&mut folder);
        Model::new(&folder).unwrap_err()
    };
    assert!(
        matches!(refused(&|folder| folder.labels = "red\ngreen\n".into()), ModelError::Labels { problem, .. } if problem.contains("2 labels"))
    );
    assert!(
        matches!(refused(&|folder| folder.labels = "red\n\nblue\n".into()), ModelError::Labels { problem, .. } if problem.contains("line 2"))
    );
    assert!(matches!(refused(&|folder| folder.onnx = "nonsense".into()), ModelError::Plan(_)));
    assert!(matches!(refused(&|folder| folder.manifest.input.layout = Layout::Nhwc), ModelError::Golden(GoldenError::Length { .. })));
    assert!(matches!(refused(&|folder| folder.golden_image = "nonsense".into()), ModelError::GoldenImage(_)));
}

#[test]
fn probabilities_are_taken_as_they_are() {
    let mut folder = folder();
    folder.manifest.output = Output::Probabilities(folder.manifest.output.classes().clone());
    let model = Model::new(&folder).unwrap();
    let scores = model.probabilities(&[0.5; 3 * 8 * 8]).unwrap();
    assert_eq!(scores, [5.0, 5.0, 5.0]);
    assert!(model.probabilities(&[f32::NAN; 3 * 8 * 8]).is_err(), "what is no number must not become a result");
    assert!(model.probabilities(&[0.5; 3]).is_err(), "an input of another shape");
}

#[test]
fn uris_name_a_bucket_or_a_folder() {
    for (uri, again) in [("s3://b/p/q/", "s3://b/p/q"), ("s3://b", "s3://b/"), ("file:///m", "file:///m")] {
        assert_eq!(uri.parse::<ModelUri>().unwrap().to_string(), again);
    }
    for uri in ["", "models/x", "s3://", "s3:///p", "file://relative", "https://example.com/m"] {
        assert!(uri.parse::<ModelUri>().unwrap_err().to_string().contains("write s3://bucket/prefix"), "{uri}");
    }
}

#[tokio::test]
async fn a_file_with_another_hash_is_refused() {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(colours()).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let s3 = aws_sdk_s3::Client::new(&aws_config::SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build());
    let fetcher = Fetcher::new(s3, ModelUri::File(copy.path().to_owned()), &copy.path().join("cache"));
    Folder::fetch(&fetcher).await.unwrap();
    std::fs::write(copy.path().join("labels.txt"), "rot\ngrün\nblau\n").unwrap();
    assert!(matches!(Folder::fetch(&fetcher).await, Err(ModelError::Fetch(FetchError::Hash { file, .. })) if file == "labels.txt"));
    std::fs::remove_file(copy.path().join("labels.txt")).unwrap();
    assert!(matches!(Folder::fetch(&fetcher).await, Err(ModelError::Fetch(FetchError::File { .. }))));
}
