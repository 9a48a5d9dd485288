//! How much one image may cost, checked against its header before anything is allocated.

use super::DecodeError;

/// Bytes of memory for each pixel of the largest image that is taken.
const BYTES_A_PIXEL: u64 = 4;
/// Bytes for tables, rows and metadata, whatever the size.
pub(super) const OVERHEAD: u64 = 16 << 20;

/// What one image may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Pixels of the image as stored.
    max_pixels: u64,
    /// Bytes of memory while it is decoded, its encoded bytes not counted.
    pub(super) max_bytes: u64,
}

impl Limits {
    pub(super) fn new(max_pixels: u64) -> Self {
        Self { max_pixels, max_bytes: max_pixels.saturating_mul(BYTES_A_PIXEL).saturating_add(OVERHEAD) }
    }

    /// Whether an image may have this size, as its header says.
    pub(super) fn check_size(&self, (width, height): (u32, u32)) -> Result<(), DecodeError> {
        if width == 0 || height == 0 {
            return Err(DecodeError::Corrupt("it has no pixels".to_owned()));
        }
        if u64::from(width) * u64::from(height) > self.max_pixels {
            return Err(DecodeError::TooManyPixels { width, height, max_pixels: self.max_pixels });
        }
        Ok(())
    }

    /// Whether decoding may take this much memory, in bytes. `hint` says what else helps than a smaller image.
    pub(super) fn check_memory(&self, bytes: u64, hint: &'static str) -> Result<(), DecodeError> {
        if bytes <= self.max_bytes { Ok(()) } else { Err(self.too_much_memory(hint)) }
    }

    pub(super) fn too_much_memory(&self, hint: &'static str) -> DecodeError {
        DecodeError::TooMuchMemory { max_mebibytes: self.max_bytes >> 20, hint }
    }
}
