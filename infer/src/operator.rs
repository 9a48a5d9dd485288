//! The tract operator around a stage: how tract learns its shape and runs it. Owns the checks of lengths and types between
//! the two; must not know what a stage computes.

use std::cell::RefCell;
use std::sync::Arc;

use tract_onnx::prelude::{Datum as _, DatumExt as _, IntoTensor as _, TDim, TValue, TVec, Tensor, TractResult, TypedFact, tvec};
use tract_onnx::tract_core::internal::{
    EvalContext, EvalOp, Op, StaticName, ToDim as _, TypedOp, Validation, as_op, ensure, op_as_typed_op, op_out_of_plan,
};
use tract_onnx::tract_core::ops::Cost;

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

    /// Tensors that it takes: its input and, where it adds to one, that one.
    fn inputs(&self) -> usize {
        1 + usize::from(self.stage.is_added())
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

    fn eval(&self, _: &EvalContext<'_>, mut inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let batch = inputs.first().and_then(|input| input.shape().first()).copied().unwrap_or_default();
        let shape: Vec<usize> = [batch].into_iter().chain(self.stage.output()).collect();
        ensure!(inputs.len() == self.inputs(), "{} takes {} inputs, not {}", self.name(), self.inputs(), inputs.len());
        let mut output = match inputs.pop() {
            // Written over, unless something else needs it still: it is in the cache already.
            Some(added) if self.stage.is_added() => added.into_tensor(),
            input => {
                inputs.extend(input);
                // SAFETY: any bits are a number, and a stage writes every number before anything reads it.
                unsafe { Tensor::uninitialized_aligned::<f32>(&shape, CACHE_LINE)? }
            }
        };
        ensure!(*output.shape() == *shape, "{} adds to {shape:?}, not to {:?}", self.name(), output.shape());
        let (from, to) = (self.stage.input(), shape[1..].iter().product::<usize>());
        let input = inputs[0].try_as_plain_ram()?;
        let input = input.as_slice::<f32>()?;
        ensure!(input.len() == batch * from, "{} takes {batch} × {from} numbers, not {}", self.name(), input.len());
        let mut view = output.try_as_plain_ram_mut()?;
        for (index, output) in view.as_slice_mut::<f32>()?.chunks_exact_mut(to.max(1)).enumerate() {
            SCRATCH.with_borrow_mut(|scratch| self.stage.run(&input[index * from..][..from], output, scratch));
        }
        Ok(tvec!(output.into()))
    }
}

impl TypedOp for Fused {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        ensure!(inputs.len() == self.inputs(), "{} takes {} inputs", self.name(), self.inputs());
        let batch = inputs[0].shape[0].clone();
        let shape: TVec<TDim> = [batch].into_iter().chain(self.stage.output().into_iter().map(|length| length.to_dim())).collect();
        Ok(tvec!(f32::fact(&*shape)))
    }

    fn cost(&self, inputs: &[&TypedFact]) -> TractResult<TVec<(Cost, TDim)>> {
        let batch = inputs.first().map_or_else(TDim::default, |input| input.shape[0].clone());
        Ok(tvec!((Cost::FMA(f32::datum_type()), batch * self.stage.products())))
    }

    as_op!();
}
