//! Whether a JPEG is whole. The decoder fills what is missing with grey and says nothing, and a label for half a picture
//! would look like any other.

const START_OF_SCAN: u8 = 0xDA;
const END_OF_IMAGE: u8 = 0xD9;

/// Whether an end-of-image marker follows the compressed data. One before it may belong to an embedded thumbnail.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    compressed_data(bytes).is_some_and(|data| data.windows(2).rev().any(|pair| pair == [0xFF, END_OF_IMAGE]))
}

/// What follows the header of the first scan: walks over the segments, each `FF`, marker, length in two bytes.
fn compressed_data(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.strip_prefix(&[0xFF, 0xD8])?;
    loop {
        let at = rest.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF))?;
        let marker = rest[at + 1];
        rest = &rest[at + 2..];
        // Markers without a segment: TEM and the restarts.
        if matches!(marker, 0x01 | 0xD0..=0xD7) {
            continue;
        }
        let length = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
        rest = rest.get(length.max(2)..)?;
        if marker == START_OF_SCAN {
            return Some(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn an_end_marker_counts_only_behind_the_scan() {
        let scan = [0xFF, 0xDA, 0, 2, 1, 2, 3];
        let thumbnail = [0xFF, 0xE1, 0, 4, 0xFF, 0xD9];
        let cases: [(&str, Vec<u8>, bool); 5] = [
            ("whole", [&[0xFF, 0xD8], &scan[..], &[0xFF, 0xD9]].concat(), true),
            ("trailing bytes", [&[0xFF, 0xD8], &scan[..], &[0xFF, 0xD9, 0, 0]].concat(), true),
            ("cut in the scan", [&[0xFF, 0xD8], &scan[..]].concat(), false),
            ("cut, with a whole thumbnail", [&[0xFF, 0xD8], &thumbnail[..], &scan].concat(), false),
            ("cut in a segment", vec![0xFF, 0xD8, 0xFF, 0xE1, 0, 200, 1], false),
        ];
        for (name, bytes, whole) in cases {
            assert_eq!(is_whole(&bytes), whole, "{name}");
        }
    }
}
