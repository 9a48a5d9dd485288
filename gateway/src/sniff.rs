//! What a file is, by its first bytes; names and declared types lie. Pure: whether an image is whole, the worker finds out.

/// An image format that the workers read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImageFormat {
    Jpeg,
    Png,
    WebP,
    Gif,
    Bmp,
    Tiff,
}

/// The formats that are read, for people.
pub(crate) const READ: &str = "JPEG, PNG, WebP, GIF, BMP and TIFF";

impl ImageFormat {
    /// Its media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
            Self::Bmp => "image/bmp",
            Self::Tiff => "image/tiff",
        }
    }
}

/// The format of an image, or what else the bytes seem to be ("a PDF document").
pub(crate) fn sniff(bytes: &[u8]) -> Result<ImageFormat, String> {
    match bytes {
        [0xFF, 0xD8, 0xFF, ..] => Ok(ImageFormat::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Ok(ImageFormat::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(ImageFormat::WebP),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(ImageFormat::Gif),
        [b'I', b'I', b'*' | b'+', 0, ..] | [b'M', b'M', 0, b'*' | b'+', ..] => Ok(ImageFormat::Tiff),
        _ if is_bmp(bytes) => Ok(ImageFormat::Bmp),
        _ => Err(something_else(bytes)),
    }
}

/// "BM" alone begins many a text: the length of the second header must be one that exists too.
fn is_bmp(bytes: &[u8]) -> bool {
    bytes.starts_with(b"BM") && matches!(bytes.get(14..18), Some([12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0]))
}

fn something_else(bytes: &[u8]) -> String {
    let known: &[(&[u8], usize, &str)] = &[
        (b"%PDF", 0, "a PDF document"),
        (b"PK\x03\x04", 0, "a ZIP archive or an office document"),
        (b"\x1F\x8B", 0, "gzip data"),
        (b"ftypheic", 4, "a HEIC image"),
        (b"ftypheix", 4, "a HEIC image"),
        (b"ftypmif1", 4, "a HEIF image"),
        (b"ftypavif", 4, "an AVIF image"),
        (b"ftyp", 4, "an MP4 or QuickTime film"),
        (b"\xFF\x0A", 0, "a JPEG XL image"),
        (b"\0\0\0\x0CJXL ", 0, "a JPEG XL image"),
        (b"\0\0\0\x0CjP  ", 0, "a JPEG 2000 image"),
        (b"\0\0\x01\0", 0, "an icon"),
        (b"8BPS", 0, "a Photoshop document"),
        (b"\x7FELF", 0, "a program"),
        (b"MZ", 0, "a program"),
        (b"<svg", 0, "an SVG drawing"),
    ];
    let found = known.iter().find(|(magic, offset, _)| bytes.get(*offset..).is_some_and(|rest| rest.starts_with(magic)));
    match found {
        Some((_, _, name)) => (*name).to_owned(),
        None if is_text(bytes) => text(bytes).to_owned(),
        None => format!("unknown data that begins with {}", hex(bytes)),
    }
}

fn text(bytes: &[u8]) -> &'static str {
    match bytes.trim_ascii_start() {
        [b'<', ..] => "HTML or XML text",
        [b'{' | b'[', ..] => "JSON text",
        _ => "text",
    }
}

fn is_text(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(512)];
    // The cut may go through a character.
    let valid = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    valid && !head.iter().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0C))
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<_> = bytes.iter().take(8).map(|byte| format!("{byte:02X}")).collect();
    bytes.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_known_by_their_first_bytes() {
        let bmp = [b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".as_slice(), &[0; 36]].concat();
        let table: &[(&[u8], ImageFormat)] = &[
            (b"\xFF\xD8\xFF\xE0\0\x10JFIF", ImageFormat::Jpeg),
            (b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR", ImageFormat::Png),
            (b"RIFF\x24\0\0\0WEBPVP8 ", ImageFormat::WebP),
            (b"GIF89a\x01\0", ImageFormat::Gif),
            (b"GIF87a\x01\0", ImageFormat::Gif),
            (&bmp, ImageFormat::Bmp),
            (b"II*\0\x08\0\0\0", ImageFormat::Tiff),
            (b"MM\0*\0\0\0\x08", ImageFormat::Tiff),
        ];
        for (bytes, format) in table {
            assert_eq!(sniff(bytes), Ok(*format));
        }
    }

    #[test]
    fn what_is_no_image_is_named() {
        let table: &[(&[u8], &str)] = &[
            (b"hello, this is no picture\n", "text"),
            (b"BMW is a car maker from Munich", "text"),
            ("ein Gr\u{fc}\u{df}chen".as_bytes(), "text"),
            (b"<!doctype html><p>", "HTML or XML text"),
            (b"{\"a\": 1}", "JSON text"),
            (b"%PDF-1.7", "a PDF document"),
            (b"\0\0\0\x18ftypheic", "a HEIC image"),
            (b"\0\0\0\x18ftypisom", "an MP4 or QuickTime film"),
            (b"RIFF\x24\0\0\0WAVEfmt ", "unknown data that begins with 52 49 46 46 24 00 00 00"),
            (b"\xFF\xD8", "unknown data that begins with FF D8"),
        ];
        for (bytes, found) in table {
            assert_eq!(sniff(bytes), Err((*found).to_owned()));
        }
    }
}
