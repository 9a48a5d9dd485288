//! The worker's modules that read what others wrote, from its own sources: with AWS and tract, which they do not know,
//! a build with a sanitizer would take a quarter of an hour. And how the targets treat panics.
#![allow(dead_code, unused_imports, reason = "the worker uses the rest")]

use std::collections::HashSet;
use std::panic::Location;
use std::sync::Mutex;

#[path = "../../worker/src/image/decode/mod.rs"]
pub mod decode;
#[path = "../../worker/src/model/manifest/mod.rs"]
pub mod manifest;

/// Lets panics unwind where the fuzzer would end the process: the worker catches those of decoders, and so must the target.
/// What is not caught still ends it. Each place that panics is told once.
pub fn unwind_on_panic() {
    static TOLD: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(Location::to_string).unwrap_or_default();
        if TOLD.lock().is_ok_and(|mut told| told.get_or_insert_default().insert(place)) {
            eprintln!("panic: {panic}");
        }
    }));
}
