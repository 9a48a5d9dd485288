//! The part of `model.json` that says how an image becomes the network's input. Pure data and its rules.

use serde::{Deserialize, Serialize};

use super::{ManifestError, ensure};

/// Longest side of an image on its way into a model, in pixels: more is surely a mistake.
const MAX_SIDE: u32 = 4096;

/// How an image becomes the network's input, in this order: resize, take the middle, normalise, lay out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Input {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Order of the dimensions.
    pub layout: Layout,
    /// Order of the channels; `mean` and `std` follow it.
    pub channels: Channels,
    /// Subtracted from each channel (0 to 255).
    pub mean: [f32; 3],
    /// Each channel is then divided by it.
    pub std: [f32; 3],
    /// How the image is resized. Of what is then larger than the input, the middle is taken.
    pub resize: Resize,
}

/// Order of the input's dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Layout {
    /// Batch, channel, row, column.
    Nchw,
    /// Batch, row, column, channel.
    Nhwc,
}

/// Order of the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Channels {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// How an image is resized, with antialiasing. A model answers best with what it was trained with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fit", rename_all = "camelCase")]
pub enum Resize {
    /// In proportion, until the shorter side has this length; what is too much of the longer side is cut off.
    Cover(Cover),
    /// To this size, whatever the proportions: also right for images that come cropped to the input's own.
    Stretch(Stretch),
    /// In proportion, until all of it fits into the input; the rest is filled.
    Pad(Pad),
}

/// See [`Resize::Cover`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cover {
    /// Length that the shorter side gets, in pixels.
    pub shorter_side: u32,
    /// How pixels are interpolated.
    pub filter: Filter,
}

/// See [`Resize::Stretch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// Width that the image gets, in pixels.
    pub width: u32,
    /// Height that it gets.
    pub height: u32,
    /// How pixels are interpolated.
    pub filter: Filter,
}

/// See [`Resize::Pad`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pad {
    /// What the rest is filled with: red, green, blue, 0 to 255.
    pub colour: [u8; 3],
    /// How pixels are interpolated.
    pub filter: Filter,
}

/// How pixels are interpolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Filter {
    /// Linear.
    Bilinear,
    /// Cubic (Catmull-Rom), as Pillow's.
    Bicubic,
}

impl Input {
    pub(super) fn validate(&self) -> Result<(), ManifestError> {
        for (field, side) in [("input.width", self.width), ("input.height", self.height)] {
            ensure((1..=MAX_SIDE).contains(&side), field, || format!("is {side}; it must be between 1 and {MAX_SIDE} pixels"))?;
        }
        match self.resize {
            Resize::Cover(Cover { shorter_side, .. }) => {
                check_room("input.resize.shorterSide", shorter_side, self.width.max(self.height))?;
            }
            Resize::Stretch(Stretch { width, height, .. }) => {
                check_room("input.resize.width", width, self.width)?;
                check_room("input.resize.height", height, self.height)?;
            }
            Resize::Pad(_) => {}
        }
        ensure(self.mean.iter().all(|mean| mean.is_finite()), "input.mean", || "must be finite numbers".to_owned())?;
        ensure(self.std.iter().all(|std| std.is_normal()), "input.std", || "must be finite and not 0: pixels are divided by it".to_owned())
    }

    /// The tensor's shape, batch of one.
    #[must_use]
    pub fn shape(&self) -> [usize; 4] {
        let (width, height) = (self.width as usize, self.height as usize);
        match self.layout {
            Layout::Nchw => [1, 3, height, width],
            Layout::Nhwc => [1, height, width, 3],
        }
    }

    /// The size, in pixels, to which an upright image of `width` × `height` is resized before the middle is taken, rounded as
    /// torchvision and Pillow do.
    #[must_use]
    pub fn resized(&self, width: u32, height: u32) -> (u32, u32) {
        match self.resize {
            Resize::Cover(Cover { shorter_side, .. }) => {
                let shorter = u64::from(width.min(height).max(1));
                let side = |side: u32| u32::try_from((u64::from(shorter_side) * u64::from(side) / shorter).max(1)).unwrap_or(u32::MAX);
                (side(width), side(height))
            }
            Resize::Stretch(Stretch { width, height, .. }) => (width, height),
            Resize::Pad(_) => {
                let scale = f64::min(f64::from(self.width) / f64::from(width.max(1)), f64::from(self.height) / f64::from(height.max(1)));
                let side = |side: u32, most: u32| ((f64::from(side) * scale).round() as u32).clamp(1, most);
                (side(width, self.width), side(height, self.height))
            }
        }
    }

    /// Length, in pixels, that the shorter side of a picture must have so that resizing never enlarges it.
    #[must_use]
    pub fn shorter_side(&self) -> u32 {
        match self.resize {
            Resize::Cover(Cover { shorter_side, .. }) => shorter_side,
            Resize::Stretch(Stretch { width, height, .. }) => width.max(height),
            Resize::Pad(_) => self.width.max(self.height),
        }
    }
}

impl Resize {
    /// How pixels are interpolated.
    #[must_use]
    pub fn filter(&self) -> Filter {
        match *self {
            Self::Cover(Cover { filter, .. }) | Self::Stretch(Stretch { filter, .. }) | Self::Pad(Pad { filter, .. }) => filter,
        }
    }
}

/// The input is cut out of the resized image.
fn check_room(field: &'static str, side: u32, needed: u32) -> Result<(), ManifestError> {
    ensure((needed..=MAX_SIDE).contains(&side), field, || {
        format!("is {side}; it must be between {needed} (the input must fit into the resized image) and {MAX_SIDE} pixels")
    })
}
