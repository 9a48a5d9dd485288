//! Any colours as RGB with 8 bits a channel. Works in place where pixels get smaller, so that a large image is never in
//! memory twice.

use image::{ColorType, RgbImage};

/// Bytes that a pixel of this kind takes beside its own while it becomes RGB.
pub(super) fn extra_bytes(colour: ColorType) -> u64 {
    if colour.bytes_per_pixel() < 3 { 3 } else { 0 }
}

/// Makes RGB of `width` × `height` pixels as a decoder stores them. None when there are too few, or their kind is not known.
/// Transparent pixels hide arbitrary colours; white is what they are mostly seen on.
pub(super) fn from_raw(raw: Vec<u8>, colour: ColorType, width: u32, height: u32) -> Option<RgbImage> {
    let grey = |level: u8| [level; 3];
    let rgb = match colour {
        ColorType::L8 => grow(&raw, |[level]| grey(level)),
        ColorType::La8 => grow(&raw, |[level, alpha]| grey(on_white(level, alpha))),
        ColorType::Rgb8 => raw,
        ColorType::Rgba8 => shrink(raw, |[r, g, b, a]| [r, g, b].map(|channel| on_white(channel, a))),
        ColorType::L16 => grow(&raw, |pixel: [u8; 2]| grey(narrow(pixel))),
        ColorType::La16 => shrink(raw, |[l0, l1, a0, a1]| grey(on_white(narrow([l0, l1]), narrow([a0, a1])))),
        ColorType::Rgb16 => shrink(raw, |[r0, r1, g0, g1, b0, b1]| [[r0, r1], [g0, g1], [b0, b1]].map(narrow)),
        ColorType::Rgba16 => shrink(raw, |[r0, r1, g0, g1, b0, b1, a0, a1]| {
            [[r0, r1], [g0, g1], [b0, b1]].map(|channel| on_white(narrow(channel), narrow([a0, a1])))
        }),
        ColorType::Rgb32F => shrink(raw, |pixel: [u8; 12]| floats(&pixel)),
        ColorType::Rgba32F => shrink(raw, |pixel: [u8; 16]| {
            let alpha = level(pixel.last_chunk().copied().unwrap_or_default());
            floats(&pixel).map(|channel| on_white(channel, alpha))
        }),
        _ => return None,
    };
    RgbImage::from_raw(width, height, rgb)
}

/// Cyan, magenta, yellow and black; 255 is all ink.
pub(super) fn from_cmyk(raw: Vec<u8>, width: u32, height: u32) -> Option<RgbImage> {
    let paper = |ink: u8, black: u8| (u32::from(255 - ink) * u32::from(255 - black) + 127) / 255;
    let level = |ink: u8, black: u8| u8::try_from(paper(ink, black)).unwrap_or(u8::MAX);
    RgbImage::from_raw(width, height, shrink(raw, |[c, m, y, k]| [c, m, y].map(|ink| level(ink, k))))
}

/// Grey levels as RGB.
pub(super) fn from_grey(raw: &[u8], width: u32, height: u32) -> Option<RgbImage> {
    RgbImage::from_raw(width, height, grow(raw, |[level]| [level; 3]))
}

/// Pixels of fewer than three bytes.
fn grow<const N: usize>(raw: &[u8], rgb: impl Fn([u8; N]) -> [u8; 3]) -> Vec<u8> {
    raw.as_chunks::<N>().0.iter().flat_map(|&pixel| rgb(pixel)).collect()
}

/// Pixels of at least three bytes: what is written never overtakes what is still to be read.
fn shrink<const N: usize>(mut raw: Vec<u8>, rgb: impl Fn([u8; N]) -> [u8; 3]) -> Vec<u8> {
    let pixels = raw.len() / N;
    for index in 0..pixels {
        let Some(pixel) = raw[index * N..].first_chunk::<N>().copied() else { break };
        raw[index * 3..][..3].copy_from_slice(&rgb(pixel));
    }
    raw.truncate(pixels * 3);
    raw
}

fn on_white(channel: u8, alpha: u8) -> u8 {
    if alpha == u8::MAX {
        return channel;
    }
    let (channel, alpha) = (u32::from(channel), u32::from(alpha));
    u8::try_from((channel * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
}

/// 16 bits to 8, rounded.
fn narrow(channel: [u8; 2]) -> u8 {
    u8::try_from((u32::from(u16::from_ne_bytes(channel)) + 128) / 257).unwrap_or(u8::MAX)
}

/// The first three channels of 32-bit floating point.
fn floats(pixel: &[u8]) -> [u8; 3] {
    let mut channels = pixel.as_chunks::<4>().0.iter().map(|&channel| level(channel));
    std::array::from_fn(|_| channels.next().unwrap_or_default())
}

/// 0.0 to 1.0 as 0 to 255; what lies outside is cut off, what is no number is black.
fn level(channel: [u8; 4]) -> u8 {
    (f32::from_ne_bytes(channel).clamp(0.0, 1.0) * 255.0).round() as u8
}
