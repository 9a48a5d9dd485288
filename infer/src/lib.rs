//! Makes tract fast: blocks of a network become fused operators with kernels for this CPU. What does not match stays tract's,
//! so that every model runs. Knows nothing of images, files or what a network is for.

mod graph;
mod instruction_set;
mod kernels;
mod memory;
mod operator;
mod pack;
mod stages;
mod window;

pub use instruction_set::InstructionSet;
use tract_onnx::prelude::{TractResult, TypedModel};
use tract_onnx::tract_core::internal::ensure;

/// A network, and how much of it was fused.
#[derive(Debug)]
pub struct Fused {
    /// The same network; give it to `into_optimized()`.
    pub model: TypedModel,
    /// Number of operators that took the place of blocks; 0 when the CPU or the network offers none.
    pub operators: usize,
}

/// Rewrites a typed network, fresh from `into_typed()`, for this CPU. Weights are copied once and shared by all clones of
/// the network. Where the CPU has none of the instructions that kernels exist for, the network stays as it is.
///
/// # Errors
/// When tract refuses the rewritten network.
pub fn fuse(model: TypedModel) -> TractResult<Fused> {
    match InstructionSet::detect() {
        Some(set) => fuse_for(model, set),
        None => Ok(Fused { model, operators: 0 }),
    }
}

/// As [`fuse`], with the instructions that are given.
///
/// # Errors
/// When the CPU lacks them, or tract refuses the rewritten network.
pub fn fuse_for(model: TypedModel, set: InstructionSet) -> TractResult<Fused> {
    ensure!(set.is_supported(), "this CPU has no {set}: choose another instruction set, or leave the choice to the program");
    let (rewritten, operators) = graph::rewrite(&model, set)?;
    Ok(if operators == 0 { Fused { model, operators } } else { Fused { model: rewritten, operators } })
}
