//! What the integration tests share: the colours model and images of one colour.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::Cursor;
use std::path::PathBuf;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use worker::model::engine::EngineArgs;
use worker::model::manifest::{Channels, Cover, Filter, Input, Layout, Manifest, Resize};
use worker::model::{Folder, Model};

pub const RED: [u8; 3] = [200, 30, 20];
pub const GREEN: [u8; 3] = [20, 180, 30];
pub const BLUE: [u8; 3] = [10, 20, 220];

/// The folder of the colours model (`tests/colours/make.py`).
pub fn colours() -> PathBuf {
    PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tests/colours")
}

/// The colours model as fetched.
pub fn folder() -> Folder {
    let read = |name: &str| std::fs::read(colours().join(name)).unwrap().into();
    Folder {
        manifest: Manifest::parse(&std::fs::read(colours().join("model.json")).unwrap()).unwrap(),
        onnx: read("colours.onnx"),
        names: read("labels.txt"),
        golden_image: read("golden.png"),
        golden_output: read("golden.json"),
    }
}

/// The colours model, loaded.
pub fn model() -> Model {
    Model::new(&folder(), &EngineArgs::default()).unwrap()
}

/// An input of `width` × `height` that is not normalised, so that numbers are pixels.
pub fn input(width: u32, height: u32, shorter: u32) -> Input {
    Input {
        width,
        height,
        layout: Layout::Nchw,
        channels: Channels::Rgb,
        mean: [0.0; 3],
        std: [1.0; 3],
        resize: Resize::Cover(Cover { shorter_side: shorter, filter: Filter::Bilinear }),
    }
}

pub fn plain(width: u32, height: u32, colour: [u8; 3]) -> RgbImage {
    RgbImage::from_pixel(width, height, Rgb(colour))
}

pub fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}
