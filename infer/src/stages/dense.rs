//! A dense layer: a vector times a matrix, and a bias.

use super::Stage;
use crate::instruction_set::InstructionSet;
use crate::kernels::{Gemm, Grid, Residual, gemm};
use crate::memory::Scratch;
use crate::pack::{Activation, Packed};

/// A dense layer.
#[derive(Debug)]
pub(crate) struct Dense {
    set: InstructionSet,
    weights: Packed,
}

impl Dense {
    /// Packs `weight(row, column)` of `rows` inputs and `columns` outputs.
    pub(crate) fn new(set: InstructionSet, (rows, columns): (usize, usize), weight: impl Fn(usize, usize) -> f32) -> Self {
        Self { set, weights: Packed::new(set, (rows, columns), weight, &[], Activation::None) }
    }
}

impl Stage for Dense {
    fn name(&self) -> &'static str {
        "Dense"
    }

    fn input(&self) -> usize {
        self.weights.rows
    }

    fn output(&self) -> Vec<usize> {
        vec![self.weights.columns]
    }

    fn products(&self) -> usize {
        self.weights.rows * self.weights.columns
    }

    fn run(&self, input: &[f32], output: &mut [f32], _: &mut Scratch) {
        let job = Gemm {
            weights: &self.weights,
            panels: 0..self.weights.panels().len(),
            size: [1, 1],
            input,
            patches: Grid { row: 0, pixel: 0 },
            runs: &[0],
            run: self.weights.rows,
            results: Grid { row: 0, pixel: 0 },
            residual: Residual::None,
            upcoming: None,
        };
        gemm(self.set, &job, output);
    }
}
