//! A convolution that sums over all channels, with bias, perhaps a second feature map added, and activation.

use std::ops::Range;

use super::Stage;
use crate::instruction_set::InstructionSet;
use crate::kernels::{Gemm, Grid, Residual, gemm};
use crate::memory::{Aligned, Scratch};
use crate::pack::{Activation, Packed};
use crate::window::Window;

/// How the channels of the input lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channels {
    /// One plane after the other, as images come.
    First,
    /// Side by side in each pixel.
    Last,
}

/// Weights of a convolution as tract has them.
#[derive(Debug)]
pub(crate) struct Kernels<'a> {
    /// By output channel, input channel, row, column.
    pub(crate) weights: &'a [f32],
    /// For each output channel.
    pub(crate) bias: &'a [f32],
    /// Input channels.
    pub(crate) depth: usize,
    /// At the end.
    pub(crate) activation: Activation,
}

/// A convolution.
#[derive(Debug)]
pub(crate) struct Convolution {
    set: InstructionSet,
    window: Window,
    size: [usize; 2],
    depth: usize,
    channels: Channels,
    is_added: bool,
    weights: Packed,
    /// Where each run of a patch begins in the padded input; see [`Gemm`].
    runs: Vec<usize>,
    run: usize,
}

/// Some rows and columns of a convolution's output, and where they go.
#[derive(Debug)]
pub(super) struct Part<'a> {
    /// Rows of the output.
    pub(super) rows: Range<usize>,
    /// Panels of its channels.
    pub(super) panels: Range<usize>,
    /// Where the result of each pixel goes, from the first on.
    pub(super) results: Grid,
    /// Added before the activation.
    pub(super) residual: Residual<'a>,
    /// Weights that are needed next.
    pub(super) upcoming: Option<&'a [f32]>,
}

impl Convolution {
    /// A convolution to `columns` channels; those beyond the given kernels are 0 before the activation. `None` when the
    /// window does not fit into its input.
    pub(crate) fn new(
        set: InstructionSet,
        window: Window,
        kernels: &Kernels<'_>,
        columns: usize,
        channels: Channels,
        is_added: bool,
    ) -> Option<Self> {
        let Kernels { weights, bias, depth, activation } = *kernels;
        let ([high, wide], [height, width]) = (window.sides, window.padded());
        // In memory, a patch is runs of: columns of a plane, or columns with all their channels.
        let (runs, run): (Vec<usize>, usize) = match channels {
            Channels::First => ((0..depth * high).map(|run| (run / high * height + run % high) * width).collect(), wide),
            Channels::Last => ((0..high).map(|row| row * width * depth).collect(), wide * depth),
        };
        let rows = depth * high * wide;
        let weight = |row: usize, column: usize| match channels {
            _ if column >= bias.len() => 0.0,
            Channels::First => weights[column * rows + row],
            Channels::Last => weights[column * rows + row % depth * high * wide + row / depth],
        };
        let weights = Packed::new(set, (rows, columns), weight, bias, activation);
        Some(Self { set, window, size: window.output()?, depth, channels, is_added, weights, runs, run })
    }

    /// Its weights.
    pub(super) fn weights(&self) -> &Packed {
        &self.weights
    }

    /// The input with zeros around it, for [`Convolution::part`].
    pub(super) fn pad<'a>(&self, input: &'a [f32], memory: &'a mut Aligned) -> &'a [f32] {
        if self.window.is_bare() {
            return input;
        }
        let padded = self.window.padded().iter().product::<usize>() * self.depth;
        memory.grow(padded);
        let to = &mut memory.as_mut_slice()[..padded];
        match self.channels {
            Channels::Last => self.window.pad(self.depth, input, to),
            Channels::First => {
                for (to, from) in to.chunks_exact_mut(padded / self.depth).zip(input.chunks_exact(self.window.pixels())) {
                    self.window.pad(1, from, to);
                }
            }
        }
        to
    }

    /// Computes a part of the output.
    pub(super) fn part(&self, part: Part<'_>, padded: &[f32], output: &mut [f32]) {
        let Part { rows, panels, results, residual, upcoming } = part;
        let [down, right] = self.window.strides;
        let pixel = if self.channels == Channels::First { 1 } else { self.depth };
        let patches = Grid { row: down * self.window.padded()[1] * pixel, pixel: right * pixel };
        let job = Gemm {
            weights: &self.weights,
            panels,
            size: [rows.len(), self.size[1]],
            input: &padded[rows.start * patches.row..],
            patches,
            runs: &self.runs,
            run: self.run,
            results,
            residual,
            upcoming,
        };
        gemm(self.set, &job, output);
    }
}

impl Stage for Convolution {
    fn name(&self) -> &'static str {
        "Convolution"
    }

    fn input(&self) -> usize {
        self.window.pixels() * self.depth
    }

    fn is_added(&self) -> bool {
        self.is_added
    }

    fn output(&self) -> Vec<usize> {
        let [rows, columns] = self.size;
        vec![rows, columns, self.weights.columns]
    }

    fn products(&self) -> usize {
        self.size[0] * self.size[1] * self.weights.rows * self.weights.columns
    }

    fn run(&self, input: &[f32], output: &mut [f32], scratch: &mut Scratch) {
        let depth = self.weights.columns;
        let part = Part {
            rows: 0..self.size[0],
            panels: 0..self.weights.panels().len(),
            results: Grid { row: self.size[1] * depth, pixel: depth },
            residual: if self.is_added { Residual::Output } else { Residual::None },
            upcoming: None,
        };
        self.part(part, self.pad(input, &mut scratch.padded), output);
    }
}
