//! What decoding may cost. Alone in its process, whose peak of memory it reads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
use worker::image::decode::{DecodeError, decode, decode_for};

const MIB: u64 = 1 << 20;
const SIDE: u32 = 2048;
const PIXELS: u64 = SIDE as u64 * SIDE as u64;

/// The kernel's figure for this process, in bytes.
fn memory(figure: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Bytes by which the process grew at most while `work` ran.
fn growth<T>(work: impl FnOnce() -> T) -> (T, u64) {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS");
    let done = work();
    (done, memory("VmHWM").saturating_sub(before))
}

fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn noise(x: u32, y: u32) -> u8 {
    (x.wrapping_mul(2_654_435_761).wrapping_add(y.wrapping_mul(40_503)) >> 13) as u8
}

#[test]
fn decoding_takes_no_more_than_four_bytes_a_pixel_of_the_limit() {
    let rgb = RgbImage::from_fn(SIDE, SIDE, |x, y| image::Rgb([noise(x, y), noise(y, x), noise(x + y, 3)]));
    let rgba = RgbaImage::from_fn(SIDE, SIDE, |x, y| image::Rgba([noise(x, y), noise(y, x), 7, noise(x, 9)]));
    let grey = DynamicImage::ImageRgb8(rgb.clone()).into_luma8();
    let deep = DynamicImage::ImageRgb8(rgb.clone()).into_rgb16();
    let images: [(&str, Vec<u8>); 11] = [
        ("JPEG", encode(rgb.clone(), ImageFormat::Jpeg)),
        ("grey JPEG", encode(grey.clone(), ImageFormat::Jpeg)),
        ("PNG", encode(rgb.clone(), ImageFormat::Png)),
        ("transparent PNG", encode(rgba.clone(), ImageFormat::Png)),
        ("grey PNG", encode(grey, ImageFormat::Png)),
        ("PNG of 16 bits", encode(deep, ImageFormat::Png)),
        ("WebP", encode(rgb.clone(), ImageFormat::WebP)),
        ("transparent WebP", encode(rgba.clone(), ImageFormat::WebP)),
        ("GIF", encode(rgba, ImageFormat::Gif)),
        ("BMP", encode(rgb.clone(), ImageFormat::Bmp)),
        ("TIFF", encode(rgb, ImageFormat::Tiff)),
    ];
    for (name, bytes) in &images {
        // As little as is enough for this format, in steps: at the limit where it is taken, memory must suffice.
        for max_pixels in [PIXELS, PIXELS * 2, PIXELS * 3] {
            let allowed = max_pixels * 4 + 16 * MIB;
            let (decoded, grown) = growth(|| decode(bytes, max_pixels));
            assert!(grown <= allowed + 2 * MIB, "{name}: {} MiB, {} are allowed", grown / MIB, allowed / MIB);
            match decoded {
                Ok(_) => break,
                Err(error) => assert!(matches!(error, DecodeError::TooMuchMemory { .. }), "{name}: {error}"),
            }
            assert!(max_pixels < PIXELS * 3, "{name} is never taken");
        }
    }
    let (picture, grown) = growth(|| decode_for(&images[0].1, PIXELS, 100));
    assert_eq!(picture.unwrap().reduction, 8);
    assert!(grown < PIXELS * 3, "a JPEG at an eighth: {} MiB", grown / MIB);
}
