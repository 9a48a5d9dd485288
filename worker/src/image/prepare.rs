//! Makes a model's input of a picture: resize, crop, turn upright, normalise, lay out as the manifest says.
//! The resizing is that of Pillow and torchvision (with antialiasing), on which models are trained.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

use super::decode::Picture;
use crate::model::manifest::{Channels, Filter, Input, Layout};

/// A picture could not be brought to the model's size.
#[derive(Debug, thiserror::Error)]
#[error("the picture of {width} × {height} pixels could not be resized: {reason}")]
pub struct PrepareError {
    width: u32,
    height: u32,
    reason: String,
}

/// The input tensor of a batch of one: `3 × height × width` numbers in the manifest's layout.
///
/// # Errors
/// When the picture has no pixels.
pub fn prepare(picture: &Picture, input: &Input) -> Result<Vec<f32>, PrepareError> {
    let pixels = crop_resized(picture, input).map_err(|reason| PrepareError {
        width: picture.pixels.width(),
        height: picture.pixels.height(),
        reason,
    })?;
    let mut upright = DynamicImage::ImageRgb8(pixels);
    upright.apply_orientation(picture.orientation);
    Ok(normalise(upright.as_bytes(), input))
}

/// What resizing the whole picture and cropping its centre would give, but only those pixels are computed: a strip of
/// 1 × 65,000 pixels would else grow to gigabytes. Turning comes last, when the picture is small; the crop of a turned
/// picture may therefore lie one pixel off where the margin is odd.
fn crop_resized(picture: &Picture, input: &Input) -> Result<RgbImage, String> {
    let (width, height) = picture.pixels.dimensions();
    let (target_width, target_height) = match is_quarter_turned(picture.orientation) {
        true => (input.height, input.width),
        false => (input.width, input.height),
    };
    let across = crop_of_side(width, width.min(height), input.resize.shorter_side, target_width);
    let down = crop_of_side(height, width.min(height), input.resize.shorter_side, target_height);
    // Rows before columns, each rounded to whole levels, as Pillow does: the pixels are then the very same. In one call,
    // columns would come first, and near ties between two labels would fall otherwise than where the model was tested.
    let source = ImageRef::new(width, height, picture.pixels.as_raw(), PixelType::U8x3).map_err(|error| error.to_string())?;
    let mut narrow = Image::new(target_width, height, PixelType::U8x3);
    let rows = options(input.resize.filter).crop(across.begin, 0.0, across.length, height.into());
    let mut resizer = Resizer::new();
    resizer.resize(&source, &mut narrow, &rows).map_err(|error| error.to_string())?;
    let mut target = Image::new(target_width, target_height, PixelType::U8x3);
    let columns = options(input.resize.filter).crop(0.0, down.begin, target_width.into(), down.length);
    resizer.resize(&narrow, &mut target, &columns).map_err(|error| error.to_string())?;
    RgbImage::from_raw(target_width, target_height, target.into_vec()).ok_or_else(|| "the buffer has another size".to_owned())
}

fn options(filter: Filter) -> ResizeOptions {
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(match filter {
        Filter::Bilinear => FilterType::Bilinear,
        Filter::Bicubic => FilterType::CatmullRom,
    }))
}

/// A part of one side, in pixels of the original.
struct Span {
    begin: f64,
    length: f64,
}

/// Where on one side of the original the centre crop of the resized picture lies. Sizes are rounded down, as torchvision does.
fn crop_of_side(side: u32, shorter: u32, target_shorter: u32, target: u32) -> Span {
    let resized = (u64::from(target_shorter) * u64::from(side) / u64::from(shorter.max(1))).max(1);
    let scale = f64::from(side) / resized as f64;
    let margin = resized.saturating_sub(target.into()) / 2;
    let begin = margin as f64 * scale;
    Span { begin, length: (f64::from(target) * scale).min(f64::from(side) - begin) }
}

fn is_quarter_turned(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// (pixel − mean) / std of each channel, in the manifest's channel order and layout.
fn normalise(rgb: &[u8], input: &Input) -> Vec<f32> {
    let source_of = |channel: usize| match input.channels {
        Channels::Rgb => channel,
        Channels::Bgr => 2 - channel,
    };
    let value = |pixel: &[u8], channel: usize| (f32::from(pixel[source_of(channel)]) - input.mean[channel]) / input.std[channel];
    match input.layout {
        Layout::Nchw => (0..3).flat_map(|channel| rgb.chunks_exact(3).map(move |pixel| value(pixel, channel))).collect(),
        Layout::Nhwc => rgb.chunks_exact(3).flat_map(|pixel| (0..3).map(move |channel| value(pixel, channel))).collect(),
    }
}
