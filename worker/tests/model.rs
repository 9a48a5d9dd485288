//! Model folders: what is refused, and what a model that serves answers. No network, no AWS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::PathBuf;

use image::ImageFormat;
use serde_json::{Value, json};
use support::{BLUE, GREEN, RED, colours, encode, folder, model, plain};
use wire::{ErrorCode, Outcome};
use worker::jobs::classify;
use worker::model::answer::MeaningError;
use worker::model::engine::{EngineArgs, Kind};
use worker::model::fetch::{FetchError, Fetcher, ModelUri};
use worker::model::golden::GoldenError;
use worker::model::manifest::{Channels, Distance, Embedding, FileRef, Layout, Manifest, Output};
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
            json!({"fit": "cover", "shorterSide": 4, "filter": "bilinear"}),
            "input.resize.shorterSide is 4; it must be between 8 (the input must fit into the resized image)",
        ),
        ("/input/resize", json!({"shorterSide": 8, "filter": "bilinear"}), "missing field `fit`"),
        ("/input/resize", json!({"fit": "crop"}), "unknown variant `crop`, expected one of `cover`, `stretch`, `pad`"),
        ("/input/resize", json!({"fit": "cover", "longerSide": 8}), "unknown field `longerSide`"),
        ("/input/resize", json!({"fit": "cover", "shorterSide": 8, "filter": "nearest"}), "unknown variant `nearest`"),
        (
            "/input/resize",
            json!({"fit": "stretch", "width": 8, "height": 7, "filter": "bilinear"}),
            "input.resize.height is 7; it must be between 8",
        ),
        ("/input/resize", json!({"fit": "pad", "colour": [0, 0, 256], "filter": "bilinear"}), "invalid value: integer `256`"),
        ("/output/kind", json!("embedding"), "unknown field `labels`"),
        ("/output/kind", json!("ranking"), "expected one of `probabilities`, `logits`, `embedding`"),
        ("/output", embedding("threshold", json!(0.0)), "output.threshold is 0; it must be above 0"),
        ("/output", embedding("unknown", json!(" ")), "output.unknown is \" \"; it must be a label"),
        ("/output", embedding("distance", json!("manhattan")), "expected `euclidean` or `cosine`"),
        ("/output", embedding("gallery", json!({"file": "../g", "sha256": ""})), "output.gallery names the file \"../g\""),
        ("/output", embedding("topK", json!(0)), "output.topK must be at least 1"),
        ("/output/topK", json!(0), "output.topK must be at least 1"),
        ("/output/gallery", json!("x"), "unknown field `gallery`"),
        ("/golden/tolerance", json!(0.0), "golden.tolerance is 0; it must be above 0"),
    ];
    for (pointer, value, says) in cases {
        let error = manifest_with(pointer, value).expect_err(pointer);
        assert!(error.contains(says), "{pointer}: {error}");
    }
}

/// The output of a face recogniser, one field changed.
fn embedding(field: &str, value: Value) -> Value {
    let gallery = json!({"file": "gallery.json", "sha256": "0".repeat(64)});
    let mut output = json!({
        "kind": "embedding", "gallery": gallery, "distance": "cosine", "threshold": 0.4, "unknown": "nobody", "topK": 1,
    });
    output[field] = value;
    output
}

#[test]
fn the_manifests_of_our_recipes_are_read() {
    let models = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../models");
    let expected =
        [("efficientnet-lite0", [1, 3, 224, 224], 5), ("face-recognition", [1, 3, 150, 150], 3), ("open-nsfw", [1, 224, 224, 3], 2)];
    for (name, shape, top_k) in expected {
        let manifest = Manifest::parse(&std::fs::read(models.join(name).join("model.json")).unwrap()).unwrap();
        assert_eq!((manifest.name.as_str(), manifest.input.shape(), manifest.output.top_k()), (name, shape, top_k));
    }
}

#[test]
fn a_model_tells_apart_what_it_was_made_for() {
    let model = model();
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
    let model = model();
    let classified = classify(&model, b"hello", 1_000_000).unwrap();
    assert!(matches!(classified.outcome, Outcome::Failed { code: ErrorCode::NotAnImage, message } if message.contains("send JPEG")));
}

/// Each of these models loads, and most would still find the right label.
#[test]
fn a_model_that_is_off_does_not_serve() {
    let refused = |change: &dyn Fn(&mut Folder)| {
        let mut folder = folder();
        change(&mut folder);
        match Model::new(&folder, &EngineArgs::default()) {
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
        Model::new(&folder, &EngineArgs::default()).unwrap_err()
    };
    assert!(
        matches!(refused(&|folder| folder.names = "red\ngreen\n".into()), ModelError::Names(MeaningError::Labels(error)) if error.problem.contains("2 labels"))
    );
    assert!(
        matches!(refused(&|folder| folder.names = "red\n\nblue\n".into()), ModelError::Names(MeaningError::Labels(error)) if error.problem.contains("line 2"))
    );
    assert!(matches!(refused(&|folder| folder.onnx = "nonsense".into()), ModelError::Engine(_)));
    assert!(matches!(refused(&|folder| folder.manifest.input.layout = Layout::Nhwc), ModelError::Golden(GoldenError::Length { .. })));
    assert!(matches!(refused(&|folder| folder.golden_image = "nonsense".into()), ModelError::GoldenImage(_)));
}

#[test]
fn probabilities_are_taken_as_they_are() {
    let mut folder = folder();
    let Output::Logits(classes) = folder.manifest.output.clone() else { panic!("{:?}", folder.manifest.output) };
    folder.manifest.output = Output::Probabilities(classes);
    let model = Model::new(&folder, &EngineArgs::default()).unwrap();
    let scores = model.infer(&[0.5; 3 * 8 * 8]).unwrap().predictions;
    assert_eq!(scores.iter().map(|score| score.probability).collect::<Vec<_>>(), [5.0, 5.0]);
    assert!(model.infer(&[f32::NAN; 3 * 8 * 8]).is_err(), "what is no number must not become a result");
    assert!(model.infer(&[0.5; 3]).is_err(), "an input of another shape");
}

/// The scores of the colours model as vectors: near those of red pictures lies what is red.
#[test]
fn an_embedding_is_answered_with_the_nearest_name_or_none() {
    let mut folder = folder();
    let gallery = FileRef { file: "gallery.json".to_owned(), sha256: String::new() };
    let embedding = Embedding { gallery, distance: Distance::Euclidean, threshold: 4.0, unknown: "no idea".to_owned(), top_k: 2 };
    folder.manifest.output = Output::Embedding(embedding);
    folder.names = r#"[{"name": "rose", "vectors": [[10, 0, 0], [8, 1, 1]]}, {"name": "sky", "vectors": [[0, 3, 9]]}]"#.into();
    let model = Model::new(&folder, &EngineArgs::default()).unwrap();
    for (colour, label) in [(RED, "rose"), (BLUE, "sky"), (GREEN, "no idea")] {
        let classified = classify(&model, &encode(plain(9, 9, colour), ImageFormat::Png), 1_000).unwrap();
        let Outcome::Classified { label: is, predictions } = classified.outcome else { panic!("{label}: no predictions") };
        assert_eq!((is.as_str(), predictions.len()), (label, 2));
        assert!(predictions[0].distance < predictions[1].distance, "{predictions:?}");
        assert_eq!(predictions[0].probability >= 0.5, label != "no idea", "{predictions:?}");
    }
    folder.names = r#"[{"name": "rose", "vectors": [[1, 0]]}]"#.into();
    let error = Model::new(&folder, &EngineArgs::default()).unwrap_err();
    assert!(matches!(&error, ModelError::Names(MeaningError::Gallery(error)) if error.problem.contains("the network gives 3")), "{error}");
}

#[test]
fn a_library_that_is_not_there_is_said_with_what_to_do() {
    let missing = PathBuf::from("/nowhere/libonnxruntime.so");
    let args = EngineArgs { engine: Kind::Onnxruntime, onnxruntime_library: Some(missing), ..EngineArgs::default() };
    let error = Model::new(&folder(), &args).unwrap_err();
    let text = std::error::Error::source(&error).unwrap().to_string();
    for part in ["/nowhere/libonnxruntime.so", "Install version 1.", "--onnxruntime-library", "ORT_DYLIB_PATH", "engine tract"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
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
