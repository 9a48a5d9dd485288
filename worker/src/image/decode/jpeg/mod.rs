//! JPEG. All pixels by zune-jpeg, which is quick; a fraction of them by jpeg-decoder, which can leave the fine detail of
//! every block out: a photo of 12 megapixels costs more to decode than to classify.

mod header;

use std::io::Cursor;

use image::RgbImage;
use jpeg_decoder::PixelFormat;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors as FullError;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::limits::Limits;
use super::{DecodeError, Picture, rgb};
use header::Header;

/// Pixels, in halves, that must be left along a side for each that is wanted. Measured with 20 photos enlarged to six sizes:
/// with 2½ or more no label changes; with 2, that of one photo does; with 1, of two.
const MARGIN_IN_HALVES: u64 = 5;
/// Below so many pixels the quicker decoder is quicker, though it decodes them all.
const WORTH_REDUCING: u64 = 1 << 21;
/// Each scan passes over all blocks, however little it holds. Encoders write about ten.
const MAX_SCANS: usize = 100;
const HINT: &str = " or save it as a baseline (not progressive) JPEG";

/// Decodes a JPEG; for `shorter_side`, see [`super::decode_for`].
///
/// # Errors
/// When it is damaged, too large, or of a rare kind.
pub(super) fn decode(bytes: &[u8], limits: Limits, shorter_side: Option<u32>) -> Result<Picture, DecodeError> {
    let header = Header::read(bytes)?;
    limits.check_size(header.size)?;
    if header.scans > MAX_SCANS {
        return Err(DecodeError::Corrupt(format!("it has {} scans, where about ten are usual", header.scans)));
    }
    let reduction = shorter_side.map_or(1, |side| reduction(header.size, side));
    limits.check_memory(header.memory(reduction), HINT)?;
    let pixels = if reduction == 1 { full(bytes, &header)? } else { reduced(bytes, &header, reduction)? };
    Ok(Picture { pixels, orientation: header.orientation, size: header.size, reduction })
}

/// By how much each side may be divided for one who wants `shorter_side` pixels.
fn reduction((width, height): (u32, u32), shorter_side: u32) -> u32 {
    if u64::from(width) * u64::from(height) < WORTH_REDUCING {
        return 1;
    }
    let enough = |by: &u32| u64::from(width.min(height) / by) * 2 >= u64::from(shorter_side) * MARGIN_IN_HALVES;
    [8, 4, 2].into_iter().find(enough).unwrap_or(1)
}

fn full(bytes: &[u8], header: &Header) -> Result<RgbImage, DecodeError> {
    // A limit of its own would refuse long strips.
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), options);
    decoder.decode_headers().map_err(explain_full)?;
    let (width, height) = header.size;
    header.check_same(decoder.dimensions().map(|(width, height)| (width as u64, height as u64)))?;
    let pixels = decoder.decode().map_err(explain_full)?;
    RgbImage::from_raw(width, height, pixels).ok_or_else(too_few)
}

fn reduced(bytes: &[u8], header: &Header, reduction: u32) -> Result<RgbImage, DecodeError> {
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    decoder.read_info().map_err(explain_reduced)?;
    header.check_same(decoder.info().map(|info| (info.width.into(), info.height.into())))?;
    let (width, height) = (header.size.0.div_ceil(reduction), header.size.1.div_ceil(reduction));
    let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
    let actual = decoder.scale(side(width), side(height)).map_err(explain_reduced)?;
    let pixels = decoder.decode().map_err(explain_reduced)?;
    if actual != (side(width), side(height)) {
        return Err(too_few());
    }
    let rgb = match decoder.info().map(|info| info.pixel_format) {
        Some(PixelFormat::RGB24) => RgbImage::from_raw(width, height, pixels),
        Some(PixelFormat::L8) => rgb::from_grey(&pixels, width, height),
        Some(PixelFormat::CMYK32) => rgb::from_cmyk(pixels, width, height),
        _ => None,
    };
    rgb.ok_or_else(too_few)
}

fn too_few() -> DecodeError {
    DecodeError::Corrupt("it has not the size that its header says".to_owned())
}

fn variant(reason: String) -> DecodeError {
    DecodeError::Variant { format: "JPEG", reason }
}

fn explain_full(error: FullError) -> DecodeError {
    match error {
        FullError::Unsupported(scheme) => variant(format!("{scheme:?}")),
        other => DecodeError::Corrupt(format!("{other:?}")),
    }
}

fn explain_reduced(error: jpeg_decoder::Error) -> DecodeError {
    match error {
        jpeg_decoder::Error::Unsupported(feature) => variant(format!("{feature:?}")),
        other => DecodeError::Corrupt(other.to_string()),
    }
}
