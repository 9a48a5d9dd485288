//! Decoding and preparing against the reference, Pillow and numpy (`reference/make.py`), on the default model's golden image.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;

use worker::image::decode::decode_for;
use worker::image::prepare::prepare;
use worker::model::manifest::Manifest;

/// Side of the squares whose means are compared, in pixels: single pixels may fall to the next of 256 levels.
const SQUARE: usize = 16;
/// In the tensor's units, of which a level is 1/128.
const TOLERANCE: f32 = 1e-3;

#[test]
fn the_golden_image_becomes_the_tensor_of_the_reference() {
    let tests = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tests/reference");
    let folder = tests.join("../../../models/efficientnet-lite0");
    let means: Vec<f32> = serde_json::from_slice(&std::fs::read(tests.join("means.json")).unwrap()).unwrap();
    let input = Manifest::parse(&std::fs::read(folder.join("model.json")).unwrap()).unwrap().input;
    let image = std::fs::read(folder.join("golden.jpg")).unwrap();
    let picture = decode_for(&image, 1 << 20, input.shorter_side()).unwrap();
    let tensor = prepare(&picture, &input).unwrap();
    let (width, height) = (input.width as usize, input.height as usize);
    let mut recorded = means.iter();
    for channel in tensor.chunks(width * height) {
        for rows in channel.chunks(width * SQUARE) {
            for across in (0..width).step_by(SQUARE) {
                let sum: f32 = rows.chunks(width).flat_map(|row| &row[across..across + SQUARE]).sum();
                let (mean, should) = (sum / (SQUARE * SQUARE) as f32, *recorded.next().unwrap());
                assert!((mean - should).abs() < TOLERANCE, "at {across}: {mean}, the reference has {should}");
            }
        }
    }
    assert!(recorded.next().is_none());
}
