//! Makes a model's input of a picture: resize, take the middle, turn upright, normalise, lay out as the manifest says.
//! The resizing is that of Pillow and torchvision (with antialiasing), on which models are trained.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

use super::decode::Picture;
use crate::model::manifest::{Channels, Filter, Input, Layout, Pad, Resize};

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
    let (width, height) = picture.size;
    let resized = resize(picture, input).map_err(|reason| PrepareError { width, height, reason })?;
    let mut upright = DynamicImage::ImageRgb8(resized);
    upright.apply_orientation(picture.orientation);
    Ok(normalise(upright.as_bytes(), input))
}

/// What resizing the whole picture and taking the middle would give, but only those pixels are computed: a strip of
/// 1 × 65,000 pixels would else grow to gigabytes. Turning comes last, when the picture is small. Of a picture decoded at a
/// fraction of its size, the same part is taken as of the whole.
fn resize(picture: &Picture, input: &Input) -> Result<RgbImage, String> {
    let [across, down] = axes(picture, input);
    let (width, height) = picture.pixels.dimensions();
    // Rows before columns, each rounded to whole levels, as Pillow does: the pixels are then the very same. In one call,
    // columns would come first, and near ties between two labels would fall otherwise than where the model was tested.
    // Typed: otherwise the code for all kinds of pixels is compiled, which takes a minute.
    let source = TypedImageRef::<U8x3>::from_buffer(width, height, picture.pixels.as_raw()).map_err(|error| error.to_string())?;
    let mut resizer = Resizer::new();
    let mut narrow = TypedImage::<U8x3>::new(across.pixels, height);
    let rows = options(input.resize.filter()).crop(across.begin, 0.0, across.length, height.into());
    resizer.resize_typed(&source, &mut narrow, &rows).map_err(|error| error.to_string())?;
    let mut small = RgbImage::new(across.pixels, down.pixels);
    let mut target = TypedImage::<U8x3>::from_buffer(across.pixels, down.pixels, &mut small).map_err(|error| error.to_string())?;
    let columns = options(input.resize.filter()).crop(0.0, down.begin, across.pixels.into(), down.length);
    resizer.resize_typed(&narrow, &mut target, &columns).map_err(|error| error.to_string())?;
    Ok(match input.resize {
        Resize::Pad(Pad { colour, .. }) => {
            let mut canvas = RgbImage::from_pixel(across.target, down.target, image::Rgb(colour));
            image::imageops::replace(&mut canvas, &small, across.offset.into(), down.offset.into());
            canvas
        }
        Resize::Cover(_) | Resize::Stretch(_) => small,
    })
}

fn options(filter: Filter) -> ResizeOptions {
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(match filter {
        Filter::Bilinear => FilterType::Bilinear,
        Filter::Bicubic => FilterType::CatmullRom,
    }))
}

/// What becomes of one side of the stored picture.
struct Axis {
    /// Where the part that is used begins, in stored pixels.
    begin: f64,
    /// Its length, in stored pixels.
    length: f64,
    /// The pixels that become of it.
    pixels: u32,
    /// Where these begin in the input.
    offset: u32,
    /// The input's pixels.
    target: u32,
}

/// The sides of the stored picture, across and down. They are computed for the upright picture, whose sides these are,
/// perhaps exchanged or mirrored.
fn axes(picture: &Picture, input: &Input) -> [Axis; 2] {
    let turned = is_quarter_turned(picture.orientation);
    let upright = |(across, down): (u32, u32)| if turned { (down, across) } else { (across, down) };
    let (width, height) = upright(picture.size);
    let (resized_width, resized_height) = input.resized(width, height);
    let (across, down) = upright((resized_width, resized_height));
    let (target_across, target_down) = upright((input.width, input.height));
    let (mirrored_across, mirrored_down) = mirrored(picture.orientation);
    [
        Axis::new(picture.size.0, across, target_across, mirrored_across).reduced(picture.reduction),
        Axis::new(picture.size.1, down, target_down, mirrored_down).reduced(picture.reduction),
    ]
}

impl Axis {
    /// For a side of `side` pixels that becomes `resized`, of which the input takes the middle `target`, or all.
    fn new(side: u32, resized: u32, target: u32, mirrored: bool) -> Self {
        let middle = |outer: u32, inner: u32| {
            let margin = outer.saturating_sub(inner);
            // An odd pixel lies behind the middle of the upright picture.
            if mirrored { margin - margin / 2 } else { margin / 2 }
        };
        let scale = f64::from(side) / f64::from(resized.max(1));
        let begin = f64::from(middle(resized, target)) * scale;
        let pixels = resized.min(target);
        Self { begin, length: (f64::from(pixels) * scale).min(f64::from(side) - begin), pixels, offset: middle(target, resized), target }
    }

    /// The same part of a side of which each pixel stands for `reduction` of the original's.
    fn reduced(self, reduction: u32) -> Self {
        Self { begin: self.begin / f64::from(reduction), length: self.length / f64::from(reduction), ..self }
    }
}

fn is_quarter_turned(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// Whether the stored picture's sides, across and down, run against those of the upright one that they become.
fn mirrored(orientation: Orientation) -> (bool, bool) {
    match orientation {
        Orientation::NoTransforms | Orientation::Rotate90FlipH => (false, false),
        Orientation::FlipHorizontal | Orientation::Rotate270 => (true, false),
        Orientation::FlipVertical | Orientation::Rotate90 => (false, true),
        Orientation::Rotate180 | Orientation::Rotate270FlipH => (true, true),
    }
}

/// (pixel − mean) / std of each channel, in the manifest's channel order and layout.
fn normalise(rgb: &[u8], input: &Input) -> Vec<f32> {
    let source_of = |channel: usize| match input.channels {
        Channels::Rgb => channel,
        Channels::Bgr => 2 - channel,
    };
    // A byte has 256 values: looked up, they cost a third of what dividing does.
    let level = |channel: usize| std::array::from_fn(|level: usize| (level as f32 - input.mean[channel]) / input.std[channel]);
    let levels: [[f32; 256]; 3] = [level(0), level(1), level(2)];
    let mut tensor = Vec::with_capacity(rgb.len());
    match input.layout {
        Layout::Nchw => {
            for (channel, levels) in levels.iter().enumerate() {
                tensor.extend(rgb.iter().skip(source_of(channel)).step_by(3).map(|&value| levels[usize::from(value)]));
            }
        }
        Layout::Nhwc => {
            let pixels = rgb.chunks_exact(3);
            tensor.extend(pixels.flat_map(|pixel| [0, 1, 2].map(|channel| levels[channel][usize::from(pixel[source_of(channel)])])));
        }
    }
    tensor
}
