//! Finds dense layers: products of a vector for each image with a constant matrix.

use tract_onnx::prelude::TypedModel;
use tract_onnx::tract_core::internal::InOut;
use tract_onnx::tract_core::ops::einsum::EinSum;

use super::read::{constant, shape};
use super::{Block, Layout};
use crate::instruction_set::InstructionSet;
use crate::stages::Dense;

/// Vector · matrix, of which either dimension may be the inner one.
pub(super) fn dense(model: &TypedModel, set: InstructionSet, id: usize) -> Option<Block> {
    let node = model.node(id);
    let product = node.op_as::<EinSum>().filter(|product| product.q_params.is_none())?;
    let &[input, weights] = &*node.inputs else { return None };
    let &[rows] = &*shape(model, input)? else { return None };
    let &[columns] = &*shape(model, id.into())? else { return None };
    let track = |from: (InOut, usize), to: InOut| product.axes.track_axis(from, to).ok().flatten();
    // The batch goes through, the vector is summed over.
    let is_batch = track((InOut::In(0), 0), InOut::Out(0)) == Some(0) && track((InOut::In(0), 0), InOut::In(1)).is_none();
    let is_summed = track((InOut::In(0), 1), InOut::Out(0)).is_none();
    let inner = track((InOut::In(0), 1), InOut::In(1))?;
    let outer = track((InOut::Out(0), 1), InOut::In(1))?;
    let numbers = constant(model, weights).filter(|numbers| numbers.len() == rows * columns)?;
    if !is_batch || !is_summed || model.outlet_fact(weights).ok()?.rank() != 2 {
        return None;
    }
    let weight = match (inner, outer) {
        (0, 1) => |rows_columns: (usize, usize), row: usize, column: usize| row * rows_columns.1 + column,
        (1, 0) => |rows_columns: (usize, usize), row: usize, column: usize| column * rows_columns.0 + row,
        _ => return None,
    };
    let stage = Dense::new(set, (rows, columns), |row, column| numbers[weight((rows, columns), row, column)]);
    Some(Block::new(stage, vec![(input, Layout::First)], vec![id], Layout::First))
}
