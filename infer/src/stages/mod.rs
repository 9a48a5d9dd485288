//! What a fused operator computes, for one image. Channels come last: a feature map is rows of pixels of channels.
//! Owns the order of the work and where it lies meanwhile; must not know of tract. All safe code.

mod convolution;
mod dense;
mod inverted_residual;
mod pool;
mod winograd;

pub(crate) use convolution::{Channels, Convolution, Kernels};
pub(crate) use dense::Dense;
pub(crate) use inverted_residual::{InvertedResidual, Parts};
pub(crate) use pool::Pool;
pub(crate) use winograd::Winograd;

use crate::memory::Scratch;

/// One step from feature maps to a feature map.
pub(crate) trait Stage: std::fmt::Debug + Send + Sync {
    /// What a profile calls it.
    fn name(&self) -> &'static str;

    /// Numbers in each of its inputs.
    fn inputs(&self) -> Vec<usize>;

    /// Shape of its output.
    fn output(&self) -> Vec<usize>;

    /// Computes the output. Lengths are as [`Stage::inputs`] and [`Stage::output`] say; the output holds anything.
    ///
    /// # Panics
    /// When lengths are others.
    fn run(&self, inputs: &[&[f32]], output: &mut [f32], scratch: &mut Scratch);
}
