//! What a JPEG says of itself, read before any decoder sees it: its size, what decoding it will cost, how it is turned, and
//! whether it is whole. Decoders fill what is missing with grey and say nothing, and a label for half a picture would
//! look like any other.

use image::metadata::Orientation;

use super::super::DecodeError;
use super::super::jpeg::{too_few, variant};

const START_OF_SCAN: u8 = 0xDA;
const END_OF_IMAGE: u8 = 0xD9;
/// Where cameras note EXIF data.
const APP1: u8 = 0xE1;
const EXIF: &[u8] = b"Exif\0\0";
/// Bytes of a coefficient while it waits for its inverse transform.
const COEFFICIENT: u64 = 2;

/// What a JPEG says of itself.
#[derive(Debug)]
pub(super) struct Header {
    /// Width and height as stored, in pixels.
    pub(super) size: (u32, u32),
    /// What turns the stored pixels upright.
    pub(super) orientation: Orientation,
    /// How often its data pass over the picture.
    pub(super) scans: usize,
    frame: Frame,
}

/// The frame header.
#[derive(Debug, Clone)]
struct Frame {
    size: (u32, u32),
    progressive: bool,
    /// Horizontal and vertical sampling factor of each component, 1 to 4.
    sampling: Vec<(u8, u8)>,
}

impl Header {
    /// Reads all segments to the end of the image.
    ///
    /// # Errors
    /// When it is cut off, has no frame or no data, or is of a kind that is not read.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (mut frame, mut orientation, mut scans) = (None, None, 0);
        for (marker, content) in (Segments { rest: bytes }) {
            match marker {
                0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) && frame.is_some() => {
                    return Err(variant("it holds several frames".to_owned()));
                }
                0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => frame = Some(Frame::read(marker, content)?),
                APP1 => orientation = orientation.or_else(|| content.strip_prefix(EXIF).and_then(Orientation::from_exif_chunk)),
                START_OF_SCAN => scans += 1,
                END_OF_IMAGE => {
                    let frame = frame.filter(|_| scans > 0).ok_or_else(|| corrupt("it has no picture in it"))?;
                    return Ok(Self { size: frame.size, orientation: orientation.unwrap_or(Orientation::NoTransforms), scans, frame });
                }
                _ => {}
            }
        }
        Err(corrupt("it ends before its end marker"))
    }

    /// Bytes of memory at the peak of decoding it at 1/`reduction` of its size, more or less.
    pub(super) fn memory(&self, reduction: u32) -> u64 {
        let area = u64::from(reduction).pow(2);
        let pixels = u64::from(self.size.0.div_ceil(reduction)) * u64::from(self.size.1.div_ceil(reduction));
        let samples = self.frame.samples();
        let coefficients = match (self.frame.progressive || self.scans > 1, reduction) {
            (false, 1) => 0,
            (true, 1) => samples * COEFFICIENT,
            // The decoder's threads may lag: in the worst case, all coefficients wait for them; of several scans, in a copy.
            (false, _) => samples * COEFFICIENT,
            (true, _) => 2 * samples * COEFFICIENT,
        };
        let planes = if reduction == 1 { 0 } else { samples / area };
        coefficients + planes + pixels * (self.frame.sampling.len() as u64).max(3)
    }

    /// Whether a decoder has understood the same size.
    pub(super) fn check_same(&self, size: Option<(u64, u64)>) -> Result<(), DecodeError> {
        if size == Some((self.size.0.into(), self.size.1.into())) { Ok(()) } else { Err(too_few()) }
    }
}

impl Frame {
    /// Precision, height, width, number of components; then of each its name, sampling factors and quantisation table.
    fn read(marker: u8, content: &[u8]) -> Result<Self, DecodeError> {
        let Some((&[precision, h1, h0, w1, w0, count], components)) = content.split_first_chunk() else {
            return Err(corrupt("its frame header is too short"));
        };
        if !matches!(marker, 0xC0..=0xC2) || precision != 8 {
            return Err(variant(format!("coding process {}, {precision} bits a channel", marker - 0xC0)));
        }
        let sampling: Vec<(u8, u8)> = components.as_chunks::<3>().0.iter().map(|[_, factors, _]| (factors >> 4, factors & 15)).collect();
        if sampling.len() != usize::from(count) || !sampling.iter().all(|(h, v)| (1..=4).contains(h) && (1..=4).contains(v)) {
            return Err(corrupt("its frame header makes no sense"));
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(variant(format!("{count} components")));
        }
        let side = |high: u8, low: u8| u32::from(u16::from_be_bytes([high, low]));
        Ok(Self { size: (side(w1, w0), side(h1, h0)), progressive: marker == 0xC2, sampling })
    }

    /// Samples of all components, in whole blocks.
    fn samples(&self) -> u64 {
        let most = |factor: fn(&(u8, u8)) -> u8| u32::from(self.sampling.iter().map(factor).max().unwrap_or(1));
        let units = self.size.0.div_ceil(8 * most(|s| s.0)) as u64 * self.size.1.div_ceil(8 * most(|s| s.1)) as u64;
        units * self.sampling.iter().map(|(h, v)| u64::from(h * v) * 64).sum::<u64>()
    }
}

fn corrupt(what: &str) -> DecodeError {
    DecodeError::Corrupt(what.to_owned())
}

/// The segments up to and with the end of the image: marker and content. Compressed data between them are skipped.
struct Segments<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);

    /// Each segment is `FF`, marker, length in two bytes, content.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let at = memchr::memchr(0xFF, self.rest)?;
            let marker = *self.rest.get(at + 1)?;
            match marker {
                // A byte of data, TEM, a restart, the start of the image: nothing follows.
                0x00 | 0x01 | 0xD0..=0xD8 => self.rest = &self.rest[at + 2..],
                // Filling.
                0xFF => self.rest = &self.rest[at + 1..],
                END_OF_IMAGE => {
                    self.rest = &[];
                    return Some((marker, &[]));
                }
                _ => {
                    let (length, behind) = self.rest[at + 2..].split_first_chunk()?;
                    let (content, rest) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)).saturating_sub(2))?;
                    self.rest = rest;
                    return Some((marker, content));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: [u8; 19] = [0xFF, 0xC0, 0, 17, 8, 0, 30, 0, 40, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1];
    const SCAN: [u8; 7] = [0xFF, 0xDA, 0, 2, 1, 2, 3];
    const START: [u8; 2] = [0xFF, 0xD8];
    const END: [u8; 2] = [0xFF, 0xD9];

    #[test]
    fn an_end_marker_counts_only_behind_the_scan() {
        let thumbnail = [0xFF, 0xE1, 0, 4, 0xFF, 0xD9];
        let cases: [(&str, Vec<u8>, bool); 6] = [
            ("whole", [&START, &FRAME[..], &SCAN, &END].concat(), true),
            ("trailing bytes", [&START, &FRAME[..], &SCAN, &END, &[0, 0]].concat(), true),
            ("cut in the scan", [&START, &FRAME[..], &SCAN].concat(), false),
            ("cut, with a whole thumbnail", [&START, &thumbnail[..], &FRAME, &SCAN].concat(), false),
            ("cut in a segment", [&START[..], &[0xFF, 0xE1, 0, 200, 1]].concat(), false),
            ("no scan", [&START, &FRAME[..], &END].concat(), false),
        ];
        for (name, bytes, whole) in cases {
            assert_eq!(Header::read(&bytes).is_ok(), whole, "{name}");
        }
    }

    #[test]
    fn the_size_is_that_of_the_frame_and_the_scans_are_counted() {
        let header = Header::read(&[&START, &FRAME[..], &SCAN, &SCAN, &END].concat()).unwrap();
        assert_eq!((header.size, header.scans), ((40, 30), 2));
        // Three units of 16 pixels across, two down, of 4 + 1 + 1 blocks.
        assert_eq!(header.frame.samples(), 3 * 2 * 6 * 64);
    }

    #[test]
    fn what_no_decoder_reads_is_named() {
        let with = |at: usize, value: u8| {
            let mut frame = FRAME;
            frame[at] = value;
            Header::read(&[&START, &frame[..], &SCAN, &END].concat()).unwrap_err().to_string()
        };
        assert!(with(1, 0xC9).contains("coding process 9"), "arithmetic coding");
        assert!(with(4, 12).contains("12 bits"), "12 bits");
        assert!(with(11, 0x50).contains("makes no sense"), "a sampling factor of 5 × 0");
        assert!(with(9, 2).contains("makes no sense"), "two of three components");
    }
}
