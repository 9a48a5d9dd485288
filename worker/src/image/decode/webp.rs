//! What a WebP says of itself. The decoder believes the length of every chunk: one that announces 4 GiB would get them.

/// Length of a chunk's name and length.
const CHUNK_HEADER: usize = 8;
/// Where the chunks begin: behind `RIFF`, the length of all and `WEBP`.
const CHUNKS: usize = 12;

/// Whether all chunks end within the file.
pub(super) fn is_whole(webp: &[u8]) -> bool {
    let Some(length) = webp.get(4..8).and_then(number) else { return false };
    let mut rest = &webp[..webp.len().min(length.saturating_add(CHUNK_HEADER))];
    rest = rest.get(CHUNKS..).unwrap_or_default();
    while let Some(content) = rest.get(CHUNK_HEADER..) {
        let Some(length) = rest.get(4..8).and_then(number).filter(|length| *length <= content.len()) else { return false };
        // Of an odd number of bytes, one more fills up.
        rest = content.get(length.next_multiple_of(2)..).unwrap_or_default();
    }
    true
}

/// Whether it is an animation: a flag of its extended header.
pub(super) fn is_animated(webp: &[u8]) -> bool {
    webp.get(12..16) == Some(b"VP8X") && webp.get(20).is_some_and(|flags| flags & 0x02 != 0)
}

fn number(bytes: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.first_chunk()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    fn webp(chunks: &[(&[u8; 4], u32, &[u8])]) -> Vec<u8> {
        let chunk = |(name, length, content): &(&[u8; 4], u32, &[u8])| [&name[..], &length.to_le_bytes(), content].concat();
        let content = chunks.iter().flat_map(chunk).collect::<Vec<u8>>();
        let length = u32::try_from(content.len() + 4).unwrap().to_le_bytes();
        [b"RIFF", &length[..], b"WEBP", &content].concat()
    }

    #[test]
    fn a_chunk_that_is_longer_than_the_file_is_found_wherever_it_is() {
        assert!(is_whole(&webp(&[(b"VP8 ", 3, b"abc\0"), (b"EXIF", 2, b"ab")])));
        assert!(is_whole(&[webp(&[(b"VP8 ", 2, b"ab")]), b"trailing bytes".to_vec()].concat()));
        assert!(!is_whole(&webp(&[(b"VP8 ", 5, b"abcd")])));
        assert!(!is_whole(&webp(&[(b"VP8X", 2, b"ab"), (b"EXIF", u32::MAX, b"ab")])));
        assert!(!is_whole(b"RIFF"));
    }
}
