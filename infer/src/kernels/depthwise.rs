//! Depthwise convolution: each channel by itself, of some channels that lie side by side. The input has its padding
//! around it already. Knows nothing of whole images.

use super::{Grid, Simd};
use crate::instruction_set::InstructionSet;
use crate::memory::Aligned;
use crate::pack::{Activation, Panel};

/// Weights, bias and activation of a depthwise convolution with square kernels.
#[derive(Debug)]
pub(crate) struct Taps {
    /// Side of the kernel: 3 or 5.
    pub(crate) side: usize,
    /// Distance of the pixels that are taken: 1 or 2, both ways.
    pub(crate) stride: usize,
    /// At the end.
    pub(crate) activation: Activation,
    /// All taps of as many channels as a vector has lanes, one tap after the other; then those of the next channels.
    weights: Aligned,
    bias: Aligned,
    /// Channels, filled up to whole vectors.
    channels: usize,
}

impl Taps {
    /// Kernels that there is code for.
    pub(crate) fn supports(side: usize, stride: usize) -> bool {
        matches!((side, stride), (3 | 5, 1 | 2))
    }

    /// Lays out `weights`, which are by channel, row and column of the kernel, for each channel of `bias`.
    pub(crate) fn new(set: InstructionSet, side: usize, stride: usize, weights: &[f32], bias: &[f32], activation: Activation) -> Self {
        let (taps, channels) = (side * side, bias.len().next_multiple_of(set.lanes()));
        assert!(Self::supports(side, stride) && weights.len() == taps * bias.len(), "no depthwise convolution for these weights");
        let (mut laid, mut biases) = (Aligned::zeros(taps * channels), Aligned::zeros(channels));
        biases.as_mut_slice()[..bias.len()].copy_from_slice(bias);
        let lanes = set.lanes();
        for (index, weight) in weights.iter().enumerate() {
            let (channel, tap) = (index / taps, index % taps);
            laid.as_mut_slice()[(channel / lanes * taps + tap) * lanes + channel % lanes] = *weight;
        }
        Self { side, stride, activation, weights: laid, bias: biases, channels }
    }

    /// Channels, filled up to whole vectors.
    pub(crate) fn channels(&self) -> usize {
        self.channels
    }
}

/// For each pixel and each channel of a panel: activation(bias + the kernel's taps on the input).
#[derive(Debug)]
pub(crate) struct Depthwise<'a> {
    /// The kernels of all channels.
    pub(crate) taps: &'a Taps,
    /// The channels to convolve.
    pub(crate) panel: Panel,
    /// Rows and columns of the output.
    pub(crate) size: [usize; 2],
    /// These channels of the padded input, pixel by pixel.
    pub(crate) input: &'a [f32],
    /// From a row of the input to the next, in numbers.
    pub(crate) input_row: usize,
    /// Where the result of each pixel begins in the output.
    pub(crate) results: Grid,
}

impl Depthwise<'_> {
    /// Whether everything that is read or written lies within its slice.
    ///
    /// # Panics
    /// When something does not.
    pub(super) fn check(&self, output: usize, lanes: usize) {
        let Self { taps, panel, size: [rows, columns], input, input_row, results } = self;
        assert!(panel.first + panel.width() <= taps.channels && panel.width().is_multiple_of(lanes), "no such channels");
        if *rows == 0 || *columns == 0 {
            return;
        }
        let (last_row, last_column) = ((rows - 1) * taps.stride + taps.side - 1, (columns - 1) * taps.stride + taps.side - 1);
        let source = Grid { row: *input_row, pixel: panel.width() };
        assert!(source.at(last_row, last_column).saturating_add(panel.width()) <= input.len(), "taps reach beyond the input");
        assert!(results.at(rows - 1, columns - 1).saturating_add(panel.width()) <= output, "results reach beyond the output");
    }
}

/// Runs a checked job.
///
/// # Safety
/// The CPU has the instructions, `job` was checked, and `output` is valid for the length that it was checked with.
#[inline(always)]
pub(super) unsafe fn run<S: Simd>(job: &Depthwise<'_>, output: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        match (job.taps.side, job.taps.stride) {
            (3, 1) => panel::<S, 3, 1>(job, output),
            (3, 2) => panel::<S, 3, 2>(job, output),
            (5, 1) => panel::<S, 5, 1>(job, output),
            _ => panel::<S, 5, 2>(job, output),
        }
    }
}

/// # Safety
/// As [`run`], for kernels of side `K` and stride `T`.
#[inline(always)]
unsafe fn panel<S: Simd, const K: usize, const T: usize>(job: &Depthwise<'_>, output: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        match job.panel.vectors {
            1 => rows::<S, K, T, 1>(job, output),
            2 => rows::<S, K, T, 2>(job, output),
            3 => rows::<S, K, T, 3>(job, output),
            _ => rows::<S, K, T, 4>(job, output),
        }
    }
}

/// # Safety
/// As [`panel`], for panels of `V` vectors.
#[inline(always)]
unsafe fn rows<S: Simd, const K: usize, const T: usize, const V: usize>(job: &Depthwise<'_>, output: *mut f32) {
    let [rows, columns] = job.size;
    for row in 0..rows {
        for vector in 0..V {
            // SAFETY: `check` saw that the taps and the result of each pixel and vector lie within their slices, and that
            // the taps' weights and biases are there.
            unsafe {
                let lane = vector * S::LANES;
                let channel = job.panel.first + lane;
                let points = Points::<S> {
                    input: job.input.as_ptr().add(row * T * job.input_row + lane),
                    input_row: job.input_row,
                    weights: job.taps.weights.as_slice().as_ptr().add(channel * K * K),
                    bias: S::load(job.taps.bias.as_slice().as_ptr().add(channel)),
                    activation: job.taps.activation,
                    output: output.add(job.results.at(row, 0) + lane),
                    output_pixel: job.results.pixel,
                };
                let mut column = 0;
                while column + 7 <= columns {
                    points.run::<K, T, V, 7>(column);
                    column += 7;
                }
                while column + 3 <= columns {
                    points.run::<K, T, V, 3>(column);
                    column += 3;
                }
                while column < columns {
                    points.run::<K, T, V, 1>(column);
                    column += 1;
                }
            }
        }
    }
}

/// One vector of channels in one row of the output.
struct Points<S: Simd> {
    /// The first tap of the row's first pixel.
    input: *const f32,
    /// From a row of the input to the next.
    input_row: usize,
    /// The first tap's weights.
    weights: *const f32,
    bias: S::V,
    activation: Activation,
    /// The row's first pixel.
    output: *mut f32,
    /// From a pixel of the output to the next.
    output_pixel: usize,
}

impl<S: Simd> Points<S> {
    /// `P` pixels at once, so that each weight is loaded once for all of them. All that is constant in the addresses is
    /// known to the compiler: sides `K`, stride `T` and the panel's `V` vectors.
    ///
    /// # Safety
    /// The row has `P` pixels from `column` on.
    #[inline(always)]
    unsafe fn run<const K: usize, const T: usize, const V: usize, const P: usize>(&self, column: usize) {
        let pixel = V * S::LANES;
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [self.bias; P];
            for tap in 0..K {
                let line = self.input.add(tap * self.input_row + column * T * pixel);
                for side in 0..K {
                    let weight = S::load(self.weights.add((tap * K + side) * S::LANES));
                    for point in 0..P {
                        let number = S::load(line.add((point * T + side) * pixel));
                        sums[point] = S::multiply_add(number, weight, sums[point]);
                    }
                }
            }
            if let Activation::Clip(low, high) = self.activation {
                let (low, high) = (S::splat(low), S::splat(high));
                for point in 0..P {
                    sums[point] = S::min(high, S::max(low, sums[point]));
                }
            }
            for point in 0..P {
                S::store(self.output.add((column + point) * self.output_pixel), sums[point]);
            }
        }
    }
}
