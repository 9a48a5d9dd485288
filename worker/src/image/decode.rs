//! Decodes what uploaders send, which may be anything: no byte is trusted, and nothing large is allocated before the
//! header says how large. Colour profiles are ignored; of an animation, the first frame counts.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, Limits, RgbImage};
use wire::ErrorCode;

use super::jpeg;

/// The formats that are read, for people.
const FORMATS: &str = "JPEG, PNG, WebP, GIF, BMP or TIFF";

/// A decoded image.
#[derive(Debug)]
pub struct Picture {
    /// Pixels as stored: what was transparent lies on white.
    pub pixels: RgbImage,
    /// What turns the stored pixels upright (EXIF).
    pub orientation: Orientation,
}

/// Why bytes are no picture. No retry would mend any of these.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No bytes at all.
    #[error("the file is empty; send it again")]
    Empty,
    /// The bytes begin like no image format.
    #[error("the file is not an image; send {FORMATS}")]
    NotAnImage,
    /// An image format, but none that is read.
    #[error("images of the format {0:?} are not read; convert it to {FORMATS}")]
    Format(ImageFormat),
    /// The decoder gave up.
    #[error("the image is damaged or cut off: {0}; send it again")]
    Corrupt(String),
    /// The header announces more pixels than the limit.
    #[error("the image has {width} × {height} pixels, {max_pixels} are the most that are taken; make it smaller")]
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The limit.
        max_pixels: u64,
    },
    /// The decoder would need more memory than pixels within the limit can justify.
    #[error("the image needs too much memory to decode; make it smaller or save it with 8 bits a channel")]
    TooMuchMemory,
}

impl DecodeError {
    /// What programs are told.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Empty | Self::NotAnImage | Self::Format(_) => ErrorCode::NotAnImage,
            Self::Corrupt(_) => ErrorCode::Corrupt,
            Self::TooManyPixels { .. } | Self::TooMuchMemory => ErrorCode::TooManyPixels,
        }
    }
}

/// Decodes an image of at most `max_pixels`.
///
/// # Errors
/// When the bytes are no image, damaged, or too large.
pub fn decode(bytes: &[u8], max_pixels: u64) -> Result<Picture, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let format = image::guess_format(bytes).map_err(|_| DecodeError::NotAnImage)?;
    if format == ImageFormat::Jpeg && !jpeg::is_whole(bytes) {
        return Err(DecodeError::Corrupt("it ends before its end marker".to_owned()));
    }
    // A decoder that panics has met bytes that its authors did not think of: the image is to blame, the worker goes on.
    catch_unwind(AssertUnwindSafe(|| decode_as(format, bytes, max_pixels)))
        .unwrap_or_else(|_| Err(DecodeError::Corrupt("the decoder failed on it".to_owned())))
}

fn decode_as(format: ImageFormat, bytes: &[u8], max_pixels: u64) -> Result<Picture, DecodeError> {
    let failed = |error| explain(format, error);
    let mut limits = limits(max_pixels);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(failed)?;
    check_size(decoder.dimensions(), max_pixels)?;
    limits.reserve(decoder.total_bytes()).map_err(failed)?;
    decoder.set_limits(limits).map_err(failed)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(failed)?;
    Ok(Picture { pixels: on_white(image), orientation })
}

/// Memory for the pixels as most images have them (up to 4 bytes each), and some for the decoder itself.
fn limits(max_pixels: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(max_pixels.saturating_mul(4).saturating_add(16 << 20));
    limits
}

fn check_size((width, height): (u32, u32), max_pixels: u64) -> Result<(), DecodeError> {
    if width == 0 || height == 0 {
        return Err(DecodeError::Corrupt("it has no pixels".to_owned()));
    }
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(DecodeError::TooManyPixels { width, height, max_pixels });
    }
    Ok(())
}

fn explain(format: ImageFormat, error: ImageError) -> DecodeError {
    match error {
        ImageError::Limits(_) => DecodeError::TooMuchMemory,
        ImageError::Unsupported(_) if !format.reading_enabled() => DecodeError::Format(format),
        other => DecodeError::Corrupt(other.to_string()),
    }
}

/// RGB with 8 bits a channel. Transparent pixels hide arbitrary colours; white is what they are mostly seen on.
fn on_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let image = image.into_rgba8();
    let blend = |channel: u8, alpha: u8| {
        let (channel, alpha) = (u32::from(channel), u32::from(alpha));
        u8::try_from((channel * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
    };
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [r, g, b, a] = image.get_pixel(x, y).0;
        image::Rgb([blend(r, a), blend(g, a), blend(b, a)])
    })
}
