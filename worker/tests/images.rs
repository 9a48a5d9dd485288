//! Decoding what uploaders send, and preparing it for a model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use support::{BLUE, GREEN, RED, encode, input, plain};
use wire::ErrorCode;
use worker::image::decode::{DecodeError, Picture, decode};
use worker::image::prepare::prepare;
use worker::model::manifest::{Channels, Layout};

const MAX_PIXELS: u64 = 1_000_000;

#[test]
fn images_of_every_format_are_read_whatever_their_name() {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    for format in [Jpeg, Png, WebP, Gif, Bmp, Tiff] {
        let picture = decode(&encode(plain(40, 30, RED), format), MAX_PIXELS).unwrap();
        assert_eq!(picture.pixels.dimensions(), (40, 30), "{format:?}");
        let Rgb(pixel) = *picture.pixels.get_pixel(20, 15);
        assert!(pixel.iter().zip(RED).all(|(&is, should)| is.abs_diff(should) < 8), "{format:?}: {pixel:?}");
    }
}

#[test]
fn what_is_no_picture_is_refused_with_a_reason() {
    let jpeg = encode(plain(400, 300, GREEN), ImageFormat::Jpeg);
    let noise = RgbImage::from_fn(400, 300, |x, y| Rgb([(x * 7 + y * 13) as u8, (x * y) as u8, (x ^ y) as u8]));
    let png = encode(noise, ImageFormat::Png);
    let cases: [(&str, Vec<u8>, ErrorCode); 8] = [
        ("empty", vec![], ErrorCode::NotAnImage),
        ("text named .jpg", b"dear sir or madam".to_vec(), ErrorCode::NotAnImage),
        ("AVIF", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf".to_vec(), ErrorCode::NotAnImage),
        ("JPEG cut in half", jpeg[..jpeg.len() / 2].to_vec(), ErrorCode::Corrupt),
        ("JPEG without its last byte", jpeg[..jpeg.len() - 1].to_vec(), ErrorCode::Corrupt),
        ("JPEG's first bytes", jpeg[..3].to_vec(), ErrorCode::Corrupt),
        ("PNG cut in half", png[..png.len() / 2].to_vec(), ErrorCode::Corrupt),
        ("PNG that announces 60,000 × 60,000", png_header(60_000, 60_000), ErrorCode::TooManyPixels),
    ];
    for (name, bytes, code) in cases {
        let error = decode(&bytes, 100_000_000).expect_err(name);
        assert_eq!(error.code(), code, "{name}: {error}");
    }
}

#[test]
fn the_limit_counts_pixels_and_names_both_numbers() {
    let bytes = encode(plain(1000, 1001, RED), ImageFormat::Png);
    let error = decode(&bytes, MAX_PIXELS).unwrap_err();
    assert!(matches!(error, DecodeError::TooManyPixels { width: 1000, height: 1001, max_pixels: MAX_PIXELS }));
    assert_eq!(error.to_string(), "the image has 1000 × 1001 pixels, 1000000 are the most that are taken; make it smaller");
    assert!(decode(&encode(plain(1000, 1000, RED), ImageFormat::Png), MAX_PIXELS).is_ok());
}

#[test]
fn what_is_transparent_lies_on_white() {
    let image = RgbaImage::from_fn(3, 1, |x, _| Rgba([200, 0, 0, [0, 255, 128][x as usize]]));
    let picture = decode(&encode(image, ImageFormat::Png), MAX_PIXELS).unwrap();
    assert_eq!(picture.pixels.pixels().map(|pixel| pixel.0).collect::<Vec<_>>(), [[255, 255, 255], [200, 0, 0], [227, 127, 127]]);
}

#[test]
fn grey_and_sixteen_bit_images_become_rgb() {
    for image in [DynamicImage::new_luma8(4, 4), DynamicImage::new_luma_a16(4, 4), DynamicImage::new_rgba16(4, 4)] {
        let picture = decode(&encode(image, ImageFormat::Png), MAX_PIXELS).unwrap();
        assert_eq!(picture.pixels.dimensions(), (4, 4));
    }
}

#[test]
fn a_photo_is_turned_as_its_exif_data_say() {
    // Red on the left half, blue on the right, as stored; upright after each orientation, the colour of the top left.
    let stored = RgbImage::from_fn(64, 64, |x, _| Rgb(if x < 32 { RED } else { BLUE }));
    for (exif, top_left, bottom_right) in [(1, RED, BLUE), (2, BLUE, RED), (3, BLUE, RED), (6, RED, BLUE), (8, BLUE, RED)] {
        let bytes = with_orientation(&encode(stored.clone(), ImageFormat::Jpeg), exif);
        let picture = decode(&bytes, MAX_PIXELS).unwrap();
        assert_eq!(picture.orientation, Orientation::from_exif(exif).unwrap());
        let upright = prepare(&picture, &input(8, 8, 8)).unwrap();
        let pixel = |x: usize, y: usize| [0, 1, 2].map(|channel| upright[channel * 64 + y * 8 + x]);
        for (at, should) in [((0, 0), top_left), ((7, 7), bottom_right)] {
            let is = pixel(at.0, at.1);
            assert!(
                is.iter().zip(should).all(|(is, should)| (is - f32::from(should)).abs() < 12.0),
                "orientation {exif} at {at:?}: {is:?}"
            );
        }
    }
}

#[test]
fn the_middle_is_cropped_of_pictures_of_any_shape() {
    // A green square in the middle of red bars, wide and high: only green must be left.
    for (width, height) in [(90, 30), (30, 90)] {
        let middle = |x: u32, y: u32| u32::abs_diff(45, x.max(y)) <= 15;
        let pixels = RgbImage::from_fn(width, height, |x, y| Rgb(if middle(x, y) { GREEN } else { RED }));
        let picture = Picture::whole(pixels, Orientation::NoTransforms);
        let tensor = prepare(&picture, &input(20, 20, 30)).unwrap();
        assert_eq!(tensor.len(), 3 * 20 * 20);
        assert!(tensor.chunks(400).zip(GREEN).all(|(plane, should)| plane.iter().all(|&is| is == f32::from(should))), "{width} × {height}");
    }
}

#[test]
fn extreme_shapes_need_no_extreme_memory() {
    for (width, height) in [(1, 60_000), (60_000, 1), (1, 1), (3, 2)] {
        let picture = Picture::whole(plain(width, height, BLUE), Orientation::Rotate90);
        let tensor = prepare(&picture, &input(24, 16, 32)).unwrap();
        assert_eq!(tensor.len(), 3 * 24 * 16, "{width} × {height}");
        assert_eq!([tensor[0], tensor[24 * 16], tensor[2 * 24 * 16]], BLUE.map(f32::from), "{width} × {height}");
    }
}

#[test]
fn numbers_are_normalised_and_laid_out_as_the_manifest_says() {
    let picture = Picture::whole(plain(2, 2, [10, 20, 30]), Orientation::NoTransforms);
    let spec = |layout, channels| {
        let mut spec = input(2, 2, 2);
        (spec.layout, spec.channels, spec.mean, spec.std) = (layout, channels, [10.0, 0.0, 0.0], [1.0, 2.0, 10.0]);
        prepare(&picture, &spec).unwrap()
    };
    let (rgb, bgr) = ([0.0, 10.0, 3.0], [20.0, 10.0, 1.0]);
    assert_eq!(spec(Layout::Nhwc, Channels::Rgb), rgb.repeat(4));
    assert_eq!(spec(Layout::Nhwc, Channels::Bgr), bgr.repeat(4));
    assert_eq!(spec(Layout::Nchw, Channels::Rgb), rgb.map(|value| [value; 4]).concat());
    assert_eq!(spec(Layout::Nchw, Channels::Bgr), bgr.map(|value| [value; 4]).concat());
}

/// A PNG of a few bytes whose header announces what no memory holds.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let chunk = |kind: &[u8], data: &[u8]| {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        let content = [kind, data].concat();
        [&length[..], &content, &crc32(&content).to_be_bytes()].concat()
    };
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", &[0x78, 0x9C]), chunk(b"IEND", &[])].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()));
    !bytes.iter().fold(u32::MAX, step)
}

/// The JPEG with an EXIF segment that holds the orientation and nothing else.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let tiff = [b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation, 0, 0, 0], &[0; 4]].concat();
    let payload = [b"Exif\0\0".as_slice(), &tiff].concat();
    let length = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &payload, &jpeg[2..]].concat()
}
