//! An uploaded file. Run it with `-malloc_limit_mb=34`: more than the limit for these pixels is never allocated at once.
#![no_main]

use fuzz::decode::{Picture, decode, decode_for};
use libfuzzer_sys::fuzz_target;

/// Few, so that many images can be tried; enough for the reduced sizes of JPEG.
const MAX_PIXELS: u64 = 4 << 20;

fuzz_target!(init: fuzz::unwind_on_panic(), |data: &[u8]| {
    if let Ok(picture) = decode(data, MAX_PIXELS) {
        assert_eq!(picture.reduction, 1);
        check(&picture);
    }
    if let Ok(picture) = decode_for(data, MAX_PIXELS, 100) {
        check(&picture);
    }
});

fn check(Picture { pixels, size: (width, height), reduction, orientation: _ }: &Picture) {
    assert!(u64::from(*width) * u64::from(*height) <= MAX_PIXELS);
    assert_eq!(pixels.dimensions(), (width.div_ceil(*reduction), height.div_ceil(*reduction)));
}
