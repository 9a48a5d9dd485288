//! What a fused operator computes, for one image. Channels come last: a feature map is rows of pixels of channels.
//! Owns the order of the work and where it lies meanwhile; must not know of tract. All safe code.

mod convolution;
mod dense;
mod inverted_residual;
mod pool;
mod pooled_convolution;
mod winograd;

pub(crate) use convolution::{Channels, Convolution, Kernels};
pub(crate) use dense::Dense;
pub(crate) use inverted_residual::{InvertedResidual, Parts};
pub(crate) use pool::Pool;
pub(crate) use pooled_convolution::PooledConvolution;
pub(crate) use winograd::Winograd;

use crate::memory::Scratch;

/// One step from a feature map to another.
pub(crate) trait Stage: std::fmt::Debug + Send + Sync {
    /// What a profile calls it.
    fn name(&self) -> &'static str;

    /// Numbers in its input.
    fn input(&self) -> usize;

    /// Shape of its output.
    fn output(&self) -> Vec<usize>;

    /// Whether it adds to what its output holds.
    fn is_added(&self) -> bool {
        false
    }

    /// Products that are summed up, as its definition has them: a profile compares stages by their rate.
    fn products(&self) -> usize {
        0
    }

    /// Computes the output. Lengths are as [`Stage::input`] and [`Stage::output`] say; what the output holds is overwritten,
    /// unless it is added to.
    ///
    /// # Panics
    /// When lengths are others.
    fn run(&self, input: &[f32], output: &mut [f32], scratch: &mut Scratch);
}
