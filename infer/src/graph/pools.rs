//! Finds pools: of windows, and of whole feature maps.

use tract_onnx::prelude::TypedModel;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::{MaxPool, SumPool};
use tract_onnx::tract_core::ops::math::Div;
use tract_onnx::tract_core::ops::nn::{Reduce, Reducer};

use super::read::{constant, follower, shape, window};
use super::{Block, Layout};
use crate::instruction_set::InstructionSet;
use crate::kernels::PoolKind;
use crate::stages::{Pool, Stage as _};
use crate::window::Window;

/// The largest of windows.
pub(super) fn max(model: &TypedModel, set: InstructionSet, id: usize) -> Option<Pool> {
    let node = model.node(id);
    let pool = node.op_as::<MaxPool>().filter(|pool| pool.with_index_outputs.is_none())?;
    let input = shape(model, *node.inputs.first()?)?;
    let stage = Pool::new(set, PoolKind::Max, window(&pool.pool_spec, &input)?, *input.first()?)?;
    // Windows may be counted otherwise, where the last ones reach beyond the padding.
    let [channels, rows, columns] = *shape(model, id.into())? else { return None };
    (stage.output() == [rows, columns, channels]).then_some(stage)
}

/// The largest or the mean of windows, or the mean of all pixels.
pub(super) fn pool(model: &TypedModel, set: InstructionSet, id: usize) -> Option<Block> {
    let node = model.node(id);
    let input = *node.inputs.first()?;
    if let Some(stage) = max(model, set, id) {
        return Some(Block::new(stage, vec![(input, Layout::Last)], vec![id], Layout::Last));
    }
    let shape = shape(model, input)?;
    let (window, nodes) = if let Some(pool) = node.op_as::<SumPool>().filter(|pool| pool.normalize) {
        (window(&pool.pool_spec, &shape)?, vec![id])
    } else {
        let (window, divided) = global_mean(model, id, &shape)?;
        (window, vec![id, divided])
    };
    let stage = Pool::new(set, PoolKind::Mean, window, *shape.first()?)?;
    Some(Block::new(stage, vec![(input, Layout::Last)], nodes, Layout::Last))
}

/// The sum of all pixels, divided by their number: the window, and the node that divides.
fn global_mean(model: &TypedModel, id: usize, shape: &[usize]) -> Option<(Window, usize)> {
    let sum = model.node(id).op_as::<Reduce>()?;
    let &[_, height, width] = shape else { return None };
    let divides = follower(model, id)?;
    let node = model.node(divides);
    let is_division = node.op_as::<TypedBinOp>().is_some_and(|op| op.0.is::<Div>() && op.1.is_none());
    if sum.reducer != Reducer::Sum || *sum.axes != [2, 3] || !is_division || node.inputs[0].node != id {
        return None;
    }
    #[allow(clippy::cast_precision_loss)] // compared as tract computes it
    let pixels = (height * width) as f32;
    let window = Window { input: [height, width], sides: [height, width], strides: [1, 1], before: [0, 0], after: [0, 0] };
    (constant(model, node.inputs[1])? == [pixels]).then_some((window, divides))
}
