//! A convolution of which a pool follows, as networks of images begin. What is convolved is pooled band by band and never leaves
//! the cache: at that size of feature map it would be the largest of the network.

use std::ops::Range;

use super::Stage;
use super::convolution::{Convolution, Part};
use super::pool::Pool;
use crate::instruction_set::InstructionSet;
use crate::kernels::{Grid, Pooling, Residual, pool};
use crate::memory::Scratch;
use crate::window::Window;

/// Numbers of a band's convolved rows, about: a quarter of a second-level cache of 1 MiB.
const BAND: usize = 64 * 1024;

/// A convolution and the pool that follows.
#[derive(Debug)]
pub(crate) struct PooledConvolution {
    set: InstructionSet,
    convolution: Convolution,
    pool: Pool,
    /// Rows of the output in a band.
    band: usize,
}

impl PooledConvolution {
    /// The pool's input is the convolution's output, to which nothing is added.
    pub(crate) fn new(set: InstructionSet, convolution: Convolution, pool: Pool) -> Self {
        let rows = BAND / (pool.window.input[1] * pool.depth);
        let band = (rows / pool.window.strides[0]).clamp(1, pool.size[0]);
        Self { set, convolution, pool, band }
    }

    /// Convolves the rows after those that `place` has, up to `needs`.
    fn convolve(&self, has: Range<usize>, needs: usize, padded: &[f32], place: &mut [f32]) {
        let (columns, depth) = (self.pool.window.input[1], self.pool.depth);
        let part = Part {
            rows: has.end..needs,
            panels: 0..self.convolution.weights().panels().len(),
            results: Grid { row: columns * depth, pixel: depth },
            residual: Residual::None,
            upcoming: None,
        };
        self.convolution.part(part, padded, &mut place[has.len() * columns * depth..]);
    }
}

impl Stage for PooledConvolution {
    fn name(&self) -> &'static str {
        "PooledConvolution"
    }

    fn input(&self) -> usize {
        self.convolution.input()
    }

    fn output(&self) -> Vec<usize> {
        self.pool.output()
    }

    fn products(&self) -> usize {
        self.convolution.products()
    }

    fn run(&self, input: &[f32], output: &mut [f32], scratch: &mut Scratch) {
        let Pool { kind, window, size: [rows, columns], depth, .. } = self.pool;
        let line = window.input[1] * depth;
        let Scratch { padded, wide, .. } = scratch;
        wide.grow(((self.band - 1) * window.strides[0] + window.sides[0]) * line);
        let place = wide.as_mut_slice();
        let padded = self.convolution.pad(input, padded);
        // The convolved rows that are in place.
        let mut has = 0..0;
        for first in (0..rows).step_by(self.band) {
            let band = self.band.min(rows - first);
            let (begin, end) = (window.covers(0, first).start, window.covers(0, first + band - 1).end);
            let (kept, done) = (begin.max(has.start).min(has.end), has.end.max(begin));
            place.copy_within((kept - has.start) * line..has.len() * line, 0);
            has = begin..done;
            if end > done {
                self.convolve(has.clone(), end, padded, place);
            }
            has.end = done.max(end);
            let before = window.before[0].saturating_sub(first * window.strides[0]);
            let of_band = Window { input: [has.len(), window.input[1]], before: [before, window.before[1]], ..window };
            let job = Pooling { kind, window: of_band, size: [band, columns], depth, input: place };
            pool(self.set, &job, &mut output[first * columns * depth..]);
        }
    }
}
