//! What the fuzzers begin with, and what they found: images in every way that formats have, job messages, manifests.
//! `good-*` show the picture of `fuzz/seeds.py`, `bad-*` are refused; nothing ends the process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;

use image::{DynamicImage, RgbImage};
use wire::{ErrorCode, Job};
use worker::image::decode::{Picture, decode, decode_for};
use worker::model::manifest::Manifest;

const MAX_PIXELS: u64 = 4 << 20;
/// The colours of the picture's quarters.
const QUARTERS: [[u8; 3]; 4] = [[200, 30, 20], [20, 180, 30], [10, 20, 220], [150, 150, 150]];

/// Names and contents of a target's files.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let read = |path: PathBuf| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap());
    let mut files: Vec<_> = entries.map(|entry| read(entry.unwrap().path())).collect();
    files.sort();
    files
}

fn upright(picture: Picture) -> RgbImage {
    let mut image = DynamicImage::ImageRgb8(picture.pixels);
    image.apply_orientation(picture.orientation);
    image.into_rgb8()
}

#[track_caller]
fn assert_shows_the_quarters(name: &str, image: &RgbImage) {
    let (width, height) = image.dimensions();
    for (index, colour) in QUARTERS.into_iter().enumerate() {
        let (across, down) = (index as u32 % 2, index as u32 / 2);
        let pixel = image.get_pixel(width / 4 + across * width / 2, height / 4 + down * height / 2).0;
        let off = pixel.iter().zip(colour).map(|(is, should)| is.abs_diff(should)).max().unwrap();
        assert!(off <= 6, "{name}: quarter {index} is {pixel:?}, not {colour:?}");
    }
}

#[test]
fn every_way_to_store_the_picture_shows_the_picture() {
    let files = corpus("decode");
    let good: Vec<_> = files.iter().filter(|(name, _)| name.starts_with("good")).collect();
    assert!(good.len() >= 30, "{} files", good.len());
    for (name, bytes) in good {
        let picture = decode(bytes, MAX_PIXELS).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(picture.reduction, 1, "{name}");
        assert_shows_the_quarters(name, &upright(picture));
    }
}

#[test]
fn what_is_refused_is_refused_with_a_reason_and_a_code() {
    let code_of = |name: &str| match name {
        _ if name.starts_with("bad-size") => ErrorCode::TooManyPixels,
        "bad-arithmetic.jpg" | "bad-palette.tif" | "bad-text.txt" | "bad-empty" | "bad.heic" | "bad.pdf" => ErrorCode::NotAnImage,
        _ => ErrorCode::Corrupt,
    };
    for (name, bytes) in corpus("decode").iter().filter(|(name, _)| name.starts_with("bad")) {
        let error = decode(bytes, MAX_PIXELS).expect_err(name);
        assert_eq!(error.code(), code_of(name), "{name}: {error}");
        let told = error.to_string();
        assert!(["send", "save", "make it smaller"].iter().any(|advice| told.contains(advice)), "{name}: {told}");
    }
}

#[test]
fn a_large_jpeg_is_decoded_at_the_fraction_that_leaves_enough() {
    let large: Vec<_> = corpus("decode").into_iter().filter(|(name, _)| name.starts_with("good-large")).collect();
    assert_eq!(large.len(), 3);
    for (name, bytes) in &large {
        // 1024 pixels high: 2½ for each that is wanted must be left.
        for (shorter_side, reduction, size) in [
            (51, 8, (288, 128)),
            (52, 4, (576, 256)),
            (102, 4, (576, 256)),
            (103, 2, (1152, 512)),
            (204, 2, (1152, 512)),
            (205, 1, (2304, 1024)),
        ] {
            let picture = decode_for(bytes, MAX_PIXELS, shorter_side).unwrap();
            assert_eq!((picture.reduction, picture.pixels.dimensions(), picture.size), (reduction, size, (2304, 1024)), "{name}");
            assert_shows_the_quarters(name, &upright(picture));
        }
    }
}

#[test]
fn only_large_jpegs_are_reduced() {
    for (name, bytes) in corpus("decode").iter().filter(|(name, _)| !name.starts_with("good-large")) {
        if let Ok(picture) = decode_for(bytes, MAX_PIXELS, 1) {
            assert_eq!((picture.reduction, picture.pixels.dimensions()), (1, picture.size), "{name}");
        }
    }
}

#[test]
fn jobs_and_manifests_of_the_corpus_are_understood_or_refused() {
    for (name, bytes) in corpus("job") {
        let job = str::from_utf8(&bytes).map(Job::from_message);
        assert_eq!(matches!(job, Ok(Ok(_))), !name.starts_with("bad"), "{name}");
    }
    for (name, bytes) in corpus("manifest") {
        let manifest = Manifest::parse(&bytes);
        assert_eq!(manifest.is_ok(), !name.starts_with("bad"), "{name}: {manifest:?}");
    }
}
