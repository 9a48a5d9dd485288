//! `model.json`, which comes from a bucket.
#![no_main]

use fuzz::manifest::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(manifest) = Manifest::parse(data) else { return };
    let json = serde_json::to_vec(&manifest).expect("a manifest is JSON");
    assert_eq!(Manifest::parse(&json).expect("its own JSON is a manifest"), manifest);
    // What was accepted gives a tensor that can be allocated, whatever the image.
    assert!(manifest.input.shape().iter().product::<usize>() <= 3 * 4096 * 4096);
    for (width, height) in [(1, 1), (1, 65_535), (65_535, 1), (4000, 3000), (u32::MAX, 1)] {
        let (across, down) = manifest.input.resized(width, height);
        assert!(across >= 1 && down >= 1);
    }
});
