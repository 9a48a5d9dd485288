//! Why bytes are no picture, and what their uploader is told.

use wire::ErrorCode;

/// The formats that are read, for people.
const FORMATS: &str = "JPEG, PNG, WebP, GIF, BMP or TIFF";

/// Why bytes are no picture. No retry would mend any of these.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No bytes at all.
    #[error("the file is empty; send it again")]
    Empty,
    /// The bytes begin like no image format.
    #[error("the file is not an image; send {FORMATS}")]
    NotAnImage,
    /// A known format, but none that is read.
    #[error("{0} files are not read; send {FORMATS}")]
    Format(&'static str),
    /// A format that is read, but in a way that is rare.
    #[error("this kind of {format} is not read ({reason}); save it as an ordinary JPEG or PNG")]
    Variant {
        /// Name of the format.
        format: &'static str,
        /// What is not understood.
        reason: String,
    },
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
    /// The decoder would need more memory than the limit.
    #[error("decoding the image takes more than the {max_mebibytes} MiB of memory that are given; make it smaller{hint}")]
    TooMuchMemory {
        /// The limit.
        max_mebibytes: u64,
        /// What else helps with this format: a clause.
        hint: &'static str,
    },
}

impl DecodeError {
    /// What programs are told.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Empty | Self::NotAnImage | Self::Format(_) | Self::Variant { .. } => ErrorCode::NotAnImage,
            Self::Corrupt(_) => ErrorCode::Corrupt,
            Self::TooManyPixels { .. } | Self::TooMuchMemory { .. } => ErrorCode::TooManyPixels,
        }
    }
}
