//! The tract operator around a stage: how tract learns its shape and runs it. Owns the checks of lengths and types between
//! the two; must not know what a stage computes.

use std::cell::RefCell;
use std::sync::Arc;

use tract_onnx::prelude::{DatumExt as _, TDim, TValue, TVec, Tensor, TractResult, TypedFact, tvec};
use tract_onnx::tract_core::internal::{
    EvalContext, EvalOp, Op, StaticName, ToDim as _, TypedOp, Validation, as_op, ensure, op_as_typed_op, op_out_of_plan,
};

use crate::memory::{CACHE_LINE, Scratch};
use crate::stages::Stage;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// A stage in a tract network: takes and gives batches of `f32`, the batch first. The batch may be symbolic.
#[derive(Debug, Clone)]
pub(crate) struct Fused {
    stage: Arc<dyn Stage>,
}

impl Fused {
    pub(crate) fn new(stage: impl Stage + 'static) -> Self {
        Self { stage: Arc::new(stage) }
    }

    /// Shape of its output, without the batch.
    pub(crate) fn shape(&self) -> Vec<usize> {
        self.stage.output()
    }
}

impl PartialEq for Fused {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.stage, &other.stage)
    }
}

impl Eq for Fused {}

impl Op for Fused {
    fn name(&self) -> StaticName {
        format!("Fused{}", self.stage.name()).into()
    }

    fn validation(&self) -> Validation {
        Validation::Rounding
    }

    op_as_typed_op!();
}

impl EvalOp for Fused {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let batch = inputs.first().and_then(|input| input.shape().first()).copied().unwrap_or_default();
        let shape: Vec<usize> = [batch].into_iter().chain(self.stage.output()).collect();
        let lengths = self.stage.inputs();
        ensure!(inputs.len() == lengths.len(), "{} takes {} inputs, not {}", self.name(), lengths.len(), inputs.len());
        let plain = inputs.iter().map(|input| input.try_as_plain_ram()).collect::<TractResult<Vec<_>>>()?;
        let slices = plain.iter().map(|input| input.as_slice::<f32>()).collect::<TractResult<Vec<_>>>()?;
        for (slice, length) in slices.iter().zip(&lengths) {
            ensure!(slice.len() == batch * length, "{} takes {batch} × {length} numbers, not {}", self.name(), slice.len());
        }
        // SAFETY: any bits are a number, and a stage writes every number before anything reads it.
        let mut output = unsafe { Tensor::uninitialized_aligned::<f32>(&shape, CACHE_LINE)? };
        let length: usize = shape[1..].iter().product();
        let mut view = output.try_as_plain_ram_mut()?;
        for (index, output) in view.as_slice_mut::<f32>()?.chunks_exact_mut(length.max(1)).enumerate() {
            let inputs: TVec<&[f32]> = slices.iter().zip(&lengths).map(|(slice, length)| &slice[index * length..][..*length]).collect();
            SCRATCH.with_borrow_mut(|scratch| self.stage.run(&inputs, output, scratch));
        }
        Ok(tvec!(output.into()))
    }
}

impl TypedOp for Fused {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        ensure!(inputs.len() == self.stage.inputs().len(), "{} takes {} inputs", self.name(), self.stage.inputs().len());
        let batch = inputs[0].shape[0].clone();
        let shape: TVec<TDim> = [batch].into_iter().chain(self.stage.output().into_iter().map(|length| length.to_dim())).collect();
        Ok(tvec!(f32::fact(&*shape)))
    }

    as_op!();
}
