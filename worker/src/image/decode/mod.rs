//! Decodes what uploaders send, which may be anything: no byte is trusted, and nothing large is allocated before the
//! header says how large. Colour profiles are ignored; of an animation, the first frame counts, of several pages the first.
//! Knows no model: who wants few pixels says how few.

mod error;
mod formats;
mod jpeg;
mod kind;
mod limits;
mod rgb;
mod tiff;
mod webp;

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::RgbImage;
use image::metadata::Orientation;

pub use error::DecodeError;
use kind::Kind;
use limits::Limits;

/// A decoded image.
#[derive(Debug)]
pub struct Picture {
    /// Pixels as stored: what was transparent lies on white.
    pub pixels: RgbImage,
    /// What turns the stored pixels upright (EXIF).
    pub orientation: Orientation,
    /// Width and height of the image as stored, in pixels. Each of `pixels` stands for `reduction` × `reduction` of them;
    /// the last row and column for what is left.
    pub size: (u32, u32),
    /// 1: all pixels are there; 2, 4 or 8: it was decoded at a fraction of its size.
    pub reduction: u32,
}

impl Picture {
    /// A picture of all its pixels.
    #[must_use]
    pub fn whole(pixels: RgbImage, orientation: Orientation) -> Self {
        Self { size: pixels.dimensions(), pixels, orientation, reduction: 1 }
    }
}

/// Decodes all pixels of an image of at most `max_pixels`, with at most 4 bytes of memory for each of these and 16 MiB,
/// not counting `bytes`.
///
/// # Errors
/// When the bytes are no image, damaged, or too large.
pub fn decode(bytes: &[u8], max_pixels: u64) -> Result<Picture, DecodeError> {
    guarded(bytes, Limits::new(max_pixels), None)
}

/// As [`decode`], for one who will shrink the picture until its shorter side has `shorter_side` pixels: where that saves
/// time, it is decoded at 1/2, 1/4 or 1/8 of its size, with a margin that keeps the shrunken picture as it would be.
///
/// # Errors
/// When the bytes are no image, damaged, or too large.
pub fn decode_for(bytes: &[u8], max_pixels: u64, shorter_side: u32) -> Result<Picture, DecodeError> {
    guarded(bytes, Limits::new(max_pixels), Some(shorter_side))
}

/// A decoder that panics has met bytes that its authors did not think of: the image is to blame, the worker goes on.
fn guarded(bytes: &[u8], limits: Limits, shorter_side: Option<u32>) -> Result<Picture, DecodeError> {
    let decode = || match Kind::of(bytes)? {
        Kind::Jpeg => jpeg::decode(bytes, limits, shorter_side),
        Kind::Other(format) => formats::decode(format, bytes, limits),
    };
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err(DecodeError::Corrupt("the decoder failed on it".to_owned())))
}
