//! All formats but JPEG, by the `image` crate.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{ImageDecoder, ImageError, ImageFormat, ImageReader};

use super::kind::name;
use super::limits::{Limits, OVERHEAD};
use super::{DecodeError, Picture, rgb, tiff, webp};

const HINT: &str = " or save it as a JPEG";

/// Decodes an image of `format`.
///
/// # Errors
/// When it is damaged, too large, or of a rare kind.
pub(super) fn decode(format: ImageFormat, bytes: &[u8], limits: Limits) -> Result<Picture, DecodeError> {
    let failed = |error| explain(format, limits, error);
    match format {
        ImageFormat::WebP if !webp::is_whole(bytes) => return Err(DecodeError::Corrupt("it ends before its last chunk".to_owned())),
        ImageFormat::Tiff if !tiff::is_credible(bytes) => return Err(DecodeError::Corrupt("its header makes no sense".to_owned())),
        _ => {}
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // Before the size is known, there is room for metadata only: a colour profile may be a bomb too.
    reader.limits(allowance(OVERHEAD));
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    limits.check_size((width, height))?;
    limits.check_memory(memory(format, bytes, &decoder), HINT)?;
    // What the decoder allocates beside the pixels.
    decoder.set_limits(allowance(limits.max_bytes.saturating_sub(decoder.total_bytes()))).map_err(failed)?;
    // A camera's note that cannot be read is no reason to refuse the photo.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let colour = decoder.color_type();
    let length = usize::try_from(decoder.total_bytes()).unwrap_or(usize::MAX);
    let mut raw = vec![0; length];
    decoder.read_image(&mut raw).map_err(failed)?;
    let pixels = rgb::from_raw(raw, colour, width, height)
        .ok_or_else(|| DecodeError::Variant { format: name(format), reason: format!("{colour:?}") })?;
    Ok(Picture::whole(pixels, orientation))
}

/// Bytes of memory at the peak of decoding: the pixels as stored, then as RGB, and what the decoder holds beside them.
fn memory(format: ImageFormat, bytes: &[u8], decoder: &impl ImageDecoder) -> u64 {
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    let stored = decoder.total_bytes();
    let beside = match format {
        // The planes and, of the alpha plane, a picture of its own; of an animation, the canvas and a frame.
        ImageFormat::WebP if webp::is_animated(bytes) => pixels * 9,
        ImageFormat::WebP if decoder.color_type().has_alpha() => pixels * 7,
        ImageFormat::WebP => pixels * 5,
        // It decodes into a buffer of its own first.
        ImageFormat::Tiff => pixels * u64::from(decoder.original_color_type().bits_per_pixel()).div_ceil(8),
        _ => 0,
    };
    stored + beside.max(pixels * rgb::extra_bytes(decoder.color_type()))
}

fn allowance(bytes: u64) -> image::Limits {
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}

fn explain(format: ImageFormat, limits: Limits, error: ImageError) -> DecodeError {
    match error {
        ImageError::Limits(_) => limits.too_much_memory(HINT),
        ImageError::Unsupported(error) => DecodeError::Variant { format: name(format), reason: error.to_string() },
        other => DecodeError::Corrupt(other.to_string()),
    }
}
