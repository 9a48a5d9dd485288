//! Matrix multiplication of patches of an image with packed weights: every convolution but the depthwise, and dense layers.
//! A tile is some pixels times some vectors of columns, whose sums stay in registers. Knows nothing of padding or shapes.

use std::ops::Range;

use super::Simd;
use crate::pack::{Activation, Packed, Panel};

/// Pixels in rows and columns, and how they lie in memory. Distances are in numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    /// From a row to the next.
    pub(crate) row: usize,
    /// From a pixel to the next in its row.
    pub(crate) pixel: usize,
}

impl Grid {
    /// Where the pixel lies. Saturates, so that no product that overflows looks small.
    pub(super) fn at(self, row: usize, column: usize) -> usize {
        row.saturating_mul(self.row).saturating_add(column.saturating_mul(self.pixel))
    }
}

/// What is added to the sums.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Residual<'a> {
    /// Nothing.
    None,
    /// These numbers, which lie as the results do.
    Of(&'a [f32]),
    /// What lies in the output, where the results go.
    Output,
}

/// For each pixel: activation(patch · weights + bias + residual). The patch is one or several runs of numbers.
#[derive(Debug)]
pub(crate) struct Gemm<'a> {
    /// What to multiply with; has as many rows as a patch has numbers.
    pub(crate) weights: &'a Packed,
    /// Which of its panels; the first writes the first columns of the output.
    pub(crate) panels: Range<usize>,
    /// Rows and columns of pixels.
    pub(crate) size: [usize; 2],
    /// What holds the patches.
    pub(crate) input: &'a [f32],
    /// Where the patch of each pixel begins.
    pub(crate) patches: Grid,
    /// Where each run begins, from the begin of the patch.
    pub(crate) runs: &'a [usize],
    /// Numbers in a run.
    pub(crate) run: usize,
    /// Where the result of each pixel begins in the output.
    pub(crate) results: Grid,
    /// Added before the activation.
    pub(crate) residual: Residual<'a>,
    /// Weights that are multiplied with next, to be asked for in time.
    pub(crate) upcoming: Option<&'a [f32]>,
}

impl Gemm<'_> {
    /// Whether everything that is read or written lies within its slice.
    ///
    /// # Panics
    /// When something does not.
    pub(super) fn check(&self, output: usize) {
        let Self { weights, panels, size: [rows, columns], input, patches, runs, run, results, residual, upcoming: _ } = self;
        assert_eq!(runs.len() * run, weights.rows, "patches do not fit the weights");
        let panels = &weights.panels()[panels.clone()];
        if *rows == 0 || *columns == 0 {
            return;
        }
        let reach = runs.iter().max().map_or(0, |last| last.saturating_add(*run));
        assert!(patches.at(rows - 1, columns - 1).saturating_add(reach) <= input.len(), "patches reach beyond the input");
        let width: usize = panels.iter().map(|panel| weights.valid(*panel)).sum();
        let end = results.at(rows - 1, columns - 1).saturating_add(width);
        assert!(end <= output, "results reach beyond the output");
        assert!(!matches!(residual, Residual::Of(numbers) if end > numbers.len()), "results reach beyond the residual");
    }
}

/// Runs a checked job. Weights that fit the second-level cache are walked through again and again, for a few tiles of
/// pixels at a time, whose patches and results stay in the first; others once, panel by panel, for all pixels.
///
/// # Safety
/// The CPU has the instructions, `job` was checked, and `output` is valid for the length that it was checked with.
#[inline(always)]
pub(super) unsafe fn run<S: Simd>(job: &Gemm<'_>, output: *mut f32) {
    let pixels = job.size[0] * job.size[1];
    let is_small = job.weights.rows * job.weights.columns <= SMALL;
    let block = if is_small { BLOCK } else { pixels.max(1) };
    for begin in (0..pixels).step_by(block) {
        // SAFETY: the caller's promise.
        unsafe { panels::<S>(job, begin..pixels.min(begin + block), output) };
    }
}

/// Some pixels times all panels.
///
/// # Safety
/// As [`run`]; the pixels are the job's.
#[inline(always)]
unsafe fn panels<S: Simd>(job: &Gemm<'_>, block: Range<usize>, output: *mut f32) {
    let panels = &job.weights.panels()[job.panels.clone()];
    let Some(first) = panels.first() else { return };
    for (index, panel) in panels.iter().enumerate() {
        let upcoming = panels.get(index + 1).map(|next| job.weights.weights(*next)).or(job.upcoming).unwrap_or_default();
        let from = panel.first - first.first;
        // SAFETY: the caller's promise; `from` is less than the width that was checked.
        unsafe {
            match panel.vectors {
                1 => pixels::<S, 1>(job, *panel, upcoming, block.clone(), output.add(from), from),
                2 => pixels::<S, 2>(job, *panel, upcoming, block.clone(), output.add(from), from),
                3 => pixels::<S, 3>(job, *panel, upcoming, block.clone(), output.add(from), from),
                _ => pixels::<S, 4>(job, *panel, upcoming, block.clone(), output.add(from), from),
            }
        }
    }
}

/// Some pixels times one panel, in tiles of nearly equal height.
///
/// # Safety
/// As [`panels`]; `output` is where the panel's results of the first pixel go, and `from` which column that is.
#[inline(always)]
unsafe fn pixels<S: Simd, const V: usize>(
    job: &Gemm<'_>,
    panel: Panel,
    upcoming: &[f32],
    block: Range<usize>,
    output: *mut f32,
    from: usize,
) {
    let columns = job.size[1];
    let weights = job.weights.weights(panel);
    let tiles = block.len().div_ceil(S::ROWS[V - 1]);
    let (mut left, mut row, mut column) = (block.len(), block.start / columns, block.start % columns);
    for index in 0..tiles {
        let height = left.div_ceil(tiles - index);
        let mut tile = Tile {
            job,
            weights: weights.as_ptr(),
            bias: job.weights.bias(panel).as_ptr(),
            valid: job.weights.valid(panel),
            ahead: upcoming.get(index * job.weights.rows * FLOATS_A_LINE..).unwrap_or(weights).as_ptr(),
            from: [job.input.as_ptr(); MOST],
            to: [output; MOST],
            residual: [std::ptr::null(); MOST],
        };
        for place in 0..height {
            // SAFETY: `check` saw that patch and result of each pixel lie within their slices.
            unsafe { tile.place(place, row, column, output, from) };
            column += 1;
            if column == columns {
                (row, column) = (row + 1, 0);
            }
        }
        // SAFETY: as many pixels were placed.
        unsafe { tile.run_high::<S, V>(height) };
        left -= height;
    }
}

/// Weights that are small, in numbers: a quarter of a second-level cache of 1 MiB.
const SMALL: usize = 64 * 1024;
/// Pixels that are worked on at once with small weights: whole tiles of either height, and 64 KiB of results at most.
const BLOCK: usize = 96;
/// Rows of the highest tile of all instruction sets.
const MOST: usize = 8;
const FLOATS_A_LINE: usize = 16;

/// Some pixels times one panel.
struct Tile<'a> {
    job: &'a Gemm<'a>,
    weights: *const f32,
    bias: *const f32,
    /// Columns that are written.
    valid: usize,
    /// A line of this is asked for with each row of the weights. Never read.
    ahead: *const f32,
    /// Of each pixel: its patch.
    from: [*const f32; MOST],
    /// Of each pixel: its result.
    to: [*mut f32; MOST],
    /// Of each pixel: what is added; null where nothing is.
    residual: [*const f32; MOST],
}

impl Tile<'_> {
    /// Makes a pixel the tile's next.
    ///
    /// # Safety
    /// The pixel is one of the job's, which was checked.
    #[inline(always)]
    unsafe fn place(&mut self, place: usize, row: usize, column: usize, output: *mut f32, from: usize) {
        let (patch, result) = (self.job.patches.at(row, column), self.job.results.at(row, column));
        // SAFETY: the caller's promise.
        unsafe {
            self.from[place] = self.job.input.as_ptr().add(patch);
            self.to[place] = output.add(result);
            self.residual[place] = match self.job.residual {
                Residual::None => std::ptr::null(),
                Residual::Of(numbers) => numbers.as_ptr().add(result + from),
                Residual::Output => self.to[place],
            };
        }
    }

    /// # Safety
    /// The first `height` pixels are placed, and not more than the instruction set allows.
    #[inline(always)]
    unsafe fn run_high<S: Simd, const V: usize>(&self, height: usize) {
        // SAFETY: the caller's promise. The higher tiles of an instruction set with few registers are never compiled.
        unsafe {
            match height {
                1 => self.run::<S, 1, V>(),
                2 => self.run::<S, 2, V>(),
                3 => self.run::<S, 3, V>(),
                4 if S::ROWS[V - 1] >= 4 => self.run::<S, 4, V>(),
                5 if S::ROWS[V - 1] >= 5 => self.run::<S, 5, V>(),
                6 if S::ROWS[V - 1] >= 6 => self.run::<S, 6, V>(),
                7 if S::ROWS[V - 1] >= 7 => self.run::<S, 7, V>(),
                _ if S::ROWS[V - 1] >= 8 => self.run::<S, 8, V>(),
                _ => {}
            }
        }
    }

    /// # Safety
    /// The first `R` pixels are placed; the panel is `V` vectors wide.
    #[inline(always)]
    unsafe fn run<S: Simd, const R: usize, const V: usize>(&self) {
        // SAFETY: a panel has a row of V vectors for each number of a patch, a bias for each column, and the pixels lie
        // within their slices.
        unsafe {
            if matches!(self.job.residual, Residual::Output) {
                for row in 0..R {
                    for vector in 0..V {
                        S::prefetch(self.to[row].wrapping_add(vector * S::LANES));
                    }
                }
            }
            let mut sums = [[S::splat(0.0); V]; R];
            for vector in 0..V {
                let bias = S::load(self.bias.add(vector * S::LANES));
                for row in &mut sums {
                    row[vector] = bias;
                }
            }
            let (mut weights, mut ahead) = (self.weights, self.ahead);
            for run in self.job.runs {
                let from: [*const f32; R] = std::array::from_fn(|row| self.from[row].add(*run));
                for number in 0..self.job.run {
                    let columns: [S::V; V] = std::array::from_fn(|vector| S::load(weights.add(vector * S::LANES)));
                    for line in 0..(V * S::LANES).div_ceil(FLOATS_A_LINE) {
                        S::prefetch(weights.wrapping_add(NEAR * V * S::LANES + line * FLOATS_A_LINE));
                    }
                    S::prefetch_far(ahead);
                    for row in 0..R {
                        let factor = S::splat(*from[row].add(number));
                        for vector in 0..V {
                            sums[row][vector] = S::multiply_add(factor, columns[vector], sums[row][vector]);
                        }
                    }
                    weights = weights.add(V * S::LANES);
                    ahead = ahead.wrapping_add(FLOATS_A_LINE);
                }
            }
            if self.valid == V * S::LANES {
                self.finish::<S, R, V, true>(sums);
            } else {
                self.finish::<S, R, V, false>(sums);
            }
        }
    }

    /// Residual, activation, result. Nothing but constants decides within the loops, so that the sums stay in registers.
    ///
    /// # Safety
    /// As [`Tile::run`]; `WHOLE` says whether all columns are valid. Otherwise those of the last vector are not.
    #[inline(always)]
    unsafe fn finish<S: Simd, const R: usize, const V: usize, const WHOLE: bool>(&self, mut sums: [[S::V; V]; R]) {
        let rest = self.valid.saturating_sub((V - 1) * S::LANES);
        // SAFETY: only valid columns are read and written.
        unsafe {
            if !matches!(self.job.residual, Residual::None) {
                for row in 0..R {
                    for vector in 0..V {
                        let from = self.residual[row].wrapping_add(vector * S::LANES);
                        let residual = if WHOLE || vector + 1 < V { S::load(from) } else { S::load_some(from, rest) };
                        sums[row][vector] = S::add(sums[row][vector], residual);
                    }
                }
            }
            if let Activation::Clip(low, high) = self.job.weights.activation {
                let (low, high) = (S::splat(low), S::splat(high));
                for row in 0..R {
                    for vector in 0..V {
                        sums[row][vector] = S::min(high, S::max(low, sums[row][vector]));
                    }
                }
            }
            for row in 0..R {
                for vector in 0..V {
                    let to = self.to[row].wrapping_add(vector * S::LANES);
                    if WHOLE || vector + 1 < V {
                        S::store(to, sums[row][vector]);
                    } else {
                        S::store_some(to, sums[row][vector], rest);
                    }
                }
            }
        }
    }
}

/// How many rows of the weights ahead are asked for.
const NEAR: usize = 16;
