//! What a TIFF says of itself. Of a list of values, the decoder makes room for as many as are announced, and much for each.

use std::ops::RangeInclusive;

/// The tags that describe the picture; what else there is (colour profiles, notes) the decoder leaves alone.
const PICTURE: RangeInclusive<u16> = 254..=532;
/// Most values of such a tag: the largest colour table has 196,608.
const MAX_VALUES: u32 = 1 << 18;
/// Tag, type, number of values, values or where they are.
const ENTRY: usize = 12;

/// Whether the lists that describe the first picture are of a credible length.
pub(super) fn is_credible(tiff: &[u8]) -> bool {
    entries(tiff).is_none_or(|mut entries| entries.all(|(tag, values)| !PICTURE.contains(&tag) || values <= MAX_VALUES))
}

/// Tag and number of values of all entries that describe the first picture; none when there is no such list.
fn entries(tiff: &[u8]) -> Option<impl Iterator<Item = (u16, u32)>> {
    let little = tiff.starts_with(b"II");
    let short = move |bytes: [u8; 2]| if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) };
    let long = move |bytes: [u8; 4]| if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
    let begin = usize::try_from(long(*tiff.get(4..)?.first_chunk()?)).ok()?;
    let (count, rest) = tiff.get(begin..)?.split_first_chunk()?;
    let entry = move |[t0, t1, _, _, n0, n1, n2, n3, ..]: &[u8; ENTRY]| (short([*t0, *t1]), long([*n0, *n1, *n2, *n3]));
    Some(rest.as_chunks::<ENTRY>().0.iter().take(short(*count).into()).map(entry))
}

#[cfg(test)]
mod tests {
    use super::is_credible;

    #[test]
    fn only_lists_that_describe_the_picture_are_limited() {
        let tiff = |tag: u16, values: u32| {
            let entry = [&tag.to_be_bytes()[..], &[0, 1], &values.to_be_bytes(), &[0; 4]].concat();
            [b"MM\0\x2A\0\0\0\x08\0\x01", &entry[..], &[0; 4]].concat()
        };
        assert!(is_credible(&tiff(320, 196_608)), "a colour table");
        assert!(!is_credible(&tiff(258, 5_000_000)), "bits of each sample");
        assert!(is_credible(&tiff(34_675, 5_000_000)), "a colour profile");
        assert!(is_credible(b"II\x2A\0\xFF\xFF\xFF\xFF"), "nothing there: the decoder says so");
    }
}
