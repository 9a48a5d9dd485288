//! Tells formats by their first bytes; names and content types lie.

use image::ImageFormat;

use super::DecodeError;

/// Which decoder reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Those of JPEG.
    Jpeg,
    /// That of one of the other formats that are read.
    Other(ImageFormat),
}

/// What people do send and is not read: offset, first bytes, name.
const UNREAD: [(usize, &[u8], &str); 15] = [
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypheix", "HEIC"),
    (4, b"ftyphevc", "HEIC"),
    (4, b"ftypmif1", "HEIF"),
    (4, b"ftypmsf1", "HEIF"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    (0, b"\xFF\x0A", "JPEG XL"),
    (0, b"\0\0\0\x0CJXL ", "JPEG XL"),
    (0, b"\0\0\0\x0CjP  ", "JPEG 2000"),
    (0, b"\xFF\x4F\xFF\x51", "JPEG 2000"),
    (0, b"%PDF-", "PDF"),
    (0, b"8BPS", "Photoshop"),
    (0, b"<svg", "SVG"),
    (0, b"\0\0\x01\0", "icon"),
];

impl Kind {
    /// The kind of a file that holds `bytes`.
    ///
    /// # Errors
    /// When it is empty or of no format that is read.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, DecodeError> {
        use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
        if bytes.is_empty() {
            return Err(DecodeError::Empty);
        }
        match image::guess_format(bytes) {
            Ok(Jpeg) => Ok(Self::Jpeg),
            Ok(format @ (Png | WebP | Gif | Bmp | Tiff)) => Ok(Self::Other(format)),
            _ => Err(unread(bytes)),
        }
    }
}

fn unread(bytes: &[u8]) -> DecodeError {
    let begins = |(offset, magic, _): &&(usize, &[u8], &str)| bytes.get(*offset..).is_some_and(|rest| rest.starts_with(magic));
    UNREAD.iter().find(begins).map_or(DecodeError::NotAnImage, |(_, _, name)| DecodeError::Format(name))
}

/// Name of a format, for people.
pub(super) fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        _ => "image",
    }
}
