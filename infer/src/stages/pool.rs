//! A pool: the largest, or the mean, of each window, of each channel by itself.

use super::Stage;
use crate::instruction_set::InstructionSet;
use crate::kernels::{PoolKind, Pooling, pool};
use crate::memory::Scratch;
use crate::window::Window;

/// A pool.
#[derive(Debug)]
pub(crate) struct Pool {
    set: InstructionSet,
    pub(super) kind: PoolKind,
    pub(super) window: Window,
    /// Rows and columns of the output.
    pub(super) size: [usize; 2],
    /// Channels.
    pub(super) depth: usize,
}

impl Pool {
    /// `None` when the window does not fit its input, could lie in the padding alone, or is a mean with padding.
    pub(crate) fn new(set: InstructionSet, kind: PoolKind, window: Window, depth: usize) -> Option<Self> {
        let size = window.output()?;
        let outside = |pad: [usize; 2]| pad[0] >= window.sides[0] || pad[1] >= window.sides[1];
        if outside(window.before) || outside(window.after) || (kind == PoolKind::Mean && !window.is_bare()) {
            return None;
        }
        Some(Self { set, kind, window, size, depth })
    }
}

impl Stage for Pool {
    fn name(&self) -> &'static str {
        match self.kind {
            PoolKind::Max => "MaxPool",
            PoolKind::Mean => "MeanPool",
        }
    }

    fn input(&self) -> usize {
        self.window.pixels() * self.depth
    }

    fn output(&self) -> Vec<usize> {
        let [rows, columns] = self.size;
        vec![rows, columns, self.depth]
    }

    fn run(&self, input: &[f32], output: &mut [f32], _: &mut Scratch) {
        let Self { set, kind, window, size, depth } = *self;
        pool(set, &Pooling { kind, window, size, depth, input }, output);
    }
}
