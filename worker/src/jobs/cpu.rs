//! The CPU's part of jobs: so many at a time, on threads of their own, within a bound on pixels. Knows nothing of queues and
//! buckets.

use std::io::Cursor;
use std::panic::catch_unwind;
use std::sync::Arc;

use image::ImageReader;
use nix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinError;
use tracing::Span;

use super::classify::{Classified, ClassifyError, classify};
use super::image::Encoded;
use crate::metrics::Metrics;
use crate::model::Model;

/// Unit of the semaphore that counts pixels: its permits are limited to 32 bits a call.
const PERMIT_PIXELS: u64 = 1024;

/// An image could not be classified, and it is not known to be to blame.
#[derive(Debug, thiserror::Error)]
pub(super) enum CpuError {
    #[error(transparent)]
    Classify(#[from] ClassifyError),
    /// A panic, whose message was written where it happened.
    #[error("the classification ended by itself")]
    Died(#[from] JoinError),
}

/// What classifies.
#[derive(Debug)]
pub struct Cpu {
    model: Arc<Model>,
    max_pixels: u64,
    threads: Semaphore,
    /// However many threads there are, no more pixels are decoded at a time than one image may have.
    pixels: Arc<Semaphore>,
}

impl Cpu {
    /// Classifies so many images at a time, each of at most `max_pixels`.
    #[must_use]
    pub fn new(model: Arc<Model>, threads: usize, max_pixels: u64) -> Self {
        let pixels = usize::try_from(permits(max_pixels)).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { model, max_pixels, threads: Semaphore::new(threads), pixels: Arc::new(Semaphore::new(pixels)) }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// One for each image that may be decoded and classified at a time.
    #[must_use]
    pub fn threads(&self) -> &Semaphore {
        &self.threads
    }

    /// Waits for a thread.
    pub(super) async fn turn(&self) -> SemaphorePermit<'_> {
        #[expect(clippy::expect_used, reason = "the semaphore is never closed")]
        self.threads.acquire().await.expect("there are threads")
    }

    /// Classifies an image on the thread that `turn` stands for.
    pub(super) async fn classify(&self, image: Encoded, turn: SemaphorePermit<'_>, metrics: &Metrics) -> Result<Classified, CpuError> {
        let (model, max_pixels, budget) = (Arc::clone(&self.model), self.max_pixels, Arc::clone(&self.pixels));
        let (runtime, cpu_seconds) = (Handle::current(), metrics.classify_cpu_seconds.clone());
        let job = Span::current();
        let work = move || {
            let pixels = u32::try_from(permits(pixels(&image.bytes).min(max_pixels))).unwrap_or(u32::MAX);
            let _room = runtime.block_on(budget.acquire_many(pixels));
            let begun = thread_seconds();
            let classified = job.in_scope(|| classify(&model, &image.bytes, max_pixels));
            cpu_seconds.inc_by((thread_seconds() - begun).max(0.0));
            classified
        };
        let classified = tokio::task::spawn_blocking(work).await;
        drop(turn);
        Ok(classified??)
    }
}

/// Pixels that the header announces; none when it is not understood, so that nothing will be decoded.
fn pixels(image: &[u8]) -> u64 {
    let dimensions = || ImageReader::new(Cursor::new(image)).with_guessed_format().ok()?.into_dimensions().ok();
    catch_unwind(dimensions).ok().flatten().map_or(0, |(width, height)| u64::from(width) * u64::from(height))
}

fn permits(pixels: u64) -> u64 {
    pixels.div_ceil(PERMIT_PIXELS)
}

/// CPU time of this thread.
fn thread_seconds() -> f64 {
    let spent = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    spent.map_or(0.0, |spent| std::time::Duration::from(spent).as_secs_f64())
}
