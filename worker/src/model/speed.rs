//! How many images a second this machine classifies. The first runs also warm caches and clocks up, so that the first
//! job is as quick as the next.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Folder, GOLDEN_MAX_PIXELS, Model, ModelError};
use crate::image::decode::decode;

/// Long enough for a steady number, short beside a boot.
const MEASURED_FOR: Duration = Duration::from_millis(1000);

/// Images per second with `parallelism` threads, each decoding, preparing and classifying the golden image for a second.
///
/// # Errors
/// When the golden image cannot be classified.
pub fn measure(model: &Model, folder: &Folder, parallelism: NonZeroUsize) -> Result<f64, ModelError> {
    let classify = || -> Result<(), ModelError> {
        let picture = decode(&folder.golden_image, GOLDEN_MAX_PIXELS)?;
        model.infer(&model.prepare(&picture)?)?;
        Ok(())
    };
    classify()?;
    let (images, begin) = (AtomicU32::new(0), Instant::now());
    let run = || -> Result<(), ModelError> {
        while begin.elapsed() < MEASURED_FOR {
            classify()?;
            images.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..parallelism.get()).map(|_| scope.spawn(run)).collect();
        let own = run();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        others.into_iter().map(join).chain([own]).collect::<Result<(), _>>()
    })?;
    Ok(f64::from(images.load(Ordering::Relaxed)) / begin.elapsed().as_secs_f64())
}
