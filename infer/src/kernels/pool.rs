//! Pooling: the largest, or the mean, of each window, of each channel by itself.

use super::Simd;
use crate::window::Window;

/// What is made of the numbers in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PoolKind {
    /// The largest. Padding counts for nothing, and neither does a NaN, as in tract.
    Max,
    /// The mean, where there is no padding.
    Mean,
}

/// A feature map to be pooled.
#[derive(Debug)]
pub(crate) struct Pooling<'a> {
    /// What is made of each window.
    pub(crate) kind: PoolKind,
    /// The windows.
    pub(crate) window: Window,
    /// Rows and columns of the output.
    pub(crate) size: [usize; 2],
    /// Channels.
    pub(crate) depth: usize,
    /// Pixels of channels.
    pub(crate) input: &'a [f32],
}

impl Pooling<'_> {
    /// Whether everything that is read or written lies within its slice.
    ///
    /// # Panics
    /// When something does not.
    pub(super) fn check(&self, output: usize) {
        let Self { window, size: [rows, columns], depth, input, .. } = self;
        // A window's rows and columns are always cut to those of the input.
        assert!(window.pixels().saturating_mul(*depth) <= input.len(), "windows reach beyond the input");
        assert!(rows.saturating_mul(*columns).saturating_mul(*depth) <= output, "results reach beyond the output");
    }
}

/// Runs a checked job.
///
/// # Safety
/// The CPU has the instructions, `job` was checked, and `output` is valid for the length that it was checked with.
#[inline(always)]
pub(super) unsafe fn run<S: Simd>(job: &Pooling<'_>, output: *mut f32) {
    let [rows, columns] = job.size;
    for pixel in 0..rows * columns {
        for channel in (0..job.depth).step_by(S::LANES) {
            // SAFETY: the caller's promise.
            unsafe { vector::<S>(job, [pixel / columns, pixel % columns], channel, output.add(pixel * job.depth + channel)) };
        }
    }
}

/// One vector of channels of one pixel.
///
/// # Safety
/// As [`run`], of a pixel and a channel of the job.
#[inline(always)]
unsafe fn vector<S: Simd>(job: &Pooling<'_>, [row, column]: [usize; 2], channel: usize, output: *mut f32) {
    let (rows, columns) = (job.window.covers(0, row), job.window.covers(1, column));
    let rest = job.depth - channel;
    // SAFETY: the rows and columns are the input's, and of the channels not more than the rest is read or written.
    unsafe {
        let mut result = S::splat(if job.kind == PoolKind::Max { f32::MIN } else { 0.0 });
        for row in rows {
            for column in columns.clone() {
                let from = job.input.as_ptr().add((row * job.window.input[1] + column) * job.depth + channel);
                let numbers = if rest >= S::LANES { S::load(from) } else { S::load_some(from, rest) };
                result = if job.kind == PoolKind::Max { S::max(numbers, result) } else { S::add(numbers, result) };
            }
        }
        if job.kind == PoolKind::Mean {
            #[allow(clippy::cast_precision_loss)] // a small number
            let count = job.window.sides.iter().product::<usize>() as f32;
            result = S::multiply_add(result, S::splat(count.recip()), S::splat(0.0));
        }
        if rest >= S::LANES { S::store(output, result) } else { S::store_some(output, result, rest) }
    }
}
