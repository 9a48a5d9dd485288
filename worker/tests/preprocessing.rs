//! From a picture to a model's input, for every way in which a manifest may ask for it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use image::metadata::Orientation;
use image::{DynamicImage, Rgb, RgbImage};
use support::{BLUE, GREEN, RED, input, plain};
use worker::image::decode::Picture;
use worker::image::prepare::prepare;
use worker::model::manifest::{Cover, Filter, Input, Pad, Resize, Stretch};

fn with(width: u32, height: u32, resize: Resize) -> Input {
    Input { resize, ..input(width, height, 1) }
}

/// Red, green and blue of a pixel of the tensor, which is laid out by channels.
fn pixel(tensor: &[f32], input: &Input, x: u32, y: u32) -> [u8; 3] {
    let (plane, at) = ((input.width * input.height) as usize, (y * input.width + x) as usize);
    [0, 1, 2].map(|channel| tensor[channel * plane + at] as u8)
}

/// Red on the left, green in the middle, blue on the right.
fn flag(width: u32, height: u32) -> Picture {
    let pixels = RgbImage::from_fn(width, height, |x, _| Rgb([RED, GREEN, BLUE][(x * 3 / width) as usize]));
    Picture::whole(pixels, Orientation::NoTransforms)
}

#[test]
fn stretched_to_the_input_all_is_seen() {
    let input = with(9, 9, Resize::Stretch(Stretch { width: 9, height: 9, filter: Filter::Bilinear }));
    for (width, height) in [(90, 30), (30, 90), (9, 9)] {
        let tensor = prepare(&flag(width, height), &input).unwrap();
        let row = [0, 4, 8].map(|x| pixel(&tensor, &input, x, 4));
        assert_eq!(row, [RED, GREEN, BLUE], "{width} × {height}");
    }
}

#[test]
fn stretched_to_more_than_the_input_the_middle_is_seen() {
    let input = with(9, 9, Resize::Stretch(Stretch { width: 27, height: 9, filter: Filter::Bilinear }));
    let tensor = prepare(&flag(270, 90), &input).unwrap();
    // The middle third is green, but where it borders on the others.
    assert!((1..8).all(|x| pixel(&tensor, &input, x, 4) == GREEN), "{tensor:?}");
}

#[test]
fn padded_all_is_seen_in_proportion() {
    let colour = [7, 8, 9];
    let input = with(9, 9, Resize::Pad(Pad { colour, filter: Filter::Bilinear }));
    let tensor = prepare(&flag(90, 30), &input).unwrap();
    let column = [0, 2, 3, 5, 6, 8].map(|y| pixel(&tensor, &input, 4, y));
    assert_eq!(column, [colour, colour, GREEN, GREEN, colour, colour]);
    let tensor = prepare(&Picture::whole(plain(30, 90, RED), Orientation::NoTransforms), &input).unwrap();
    let row = [0, 2, 3, 5, 6, 8].map(|x| pixel(&tensor, &input, x, 4));
    assert_eq!(row, [colour, colour, RED, RED, colour, colour]);
    // A line of pixels stays one.
    let tensor = prepare(&Picture::whole(plain(3000, 1, BLUE), Orientation::NoTransforms), &input).unwrap();
    let column = [3, 4, 5].map(|y| pixel(&tensor, &input, 4, y));
    assert_eq!(column, [colour, BLUE, colour]);
}

/// Turning last must give what turning first would, to the pixel, though margins are odd.
#[test]
fn a_turned_picture_is_prepared_as_the_upright_one() {
    use Orientation::*;
    let stored = RgbImage::from_fn(61, 44, |x, y| Rgb([(x * 4) as u8, (y * 5) as u8, (x ^ y) as u8 * 3]));
    let filter = Filter::Bicubic;
    let ways = [
        Resize::Cover(Cover { shorter_side: 21, filter }),
        Resize::Stretch(Stretch { width: 21, height: 20, filter }),
        Resize::Pad(Pad { colour: [1, 2, 3], filter }),
    ];
    for resize in ways {
        let input = with(18, 13, resize);
        for orientation in [NoTransforms, Rotate90, Rotate180, Rotate270, FlipHorizontal, FlipVertical, Rotate90FlipH, Rotate270FlipH] {
            let mut upright = DynamicImage::ImageRgb8(stored.clone());
            upright.apply_orientation(orientation);
            let first = prepare(&Picture::whole(upright.into_rgb8(), NoTransforms), &input).unwrap();
            let last = prepare(&Picture::whole(stored.clone(), orientation), &input).unwrap();
            let off = first.iter().zip(&last).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // Rows and columns are rounded in another order.
            assert!(off <= 2.0 && first.len() == last.len(), "{resize:?} {orientation:?}: {off} levels off");
        }
    }
}
