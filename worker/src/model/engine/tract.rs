//! tract: a plan for the one shape that the manifest gives, with our own operators in place of what they can do faster.
//! A fixed shape is what makes plain tract quick: with a symbolic batch it runs five times slower.

use std::sync::Arc;

use tract_onnx::prelude::{
    DatumType, Framework as _, InferenceFact, InferenceModelExt as _, IntoRunnable as _, Tensor, TractError, TractResult, TypedModel,
    TypedRunnableModel, tvec,
};

use super::{Engine, EngineError, Kind, ensure_ends};

/// One network; its weights are shared by all threads.
#[derive(Debug)]
pub(super) struct Tract {
    model: Arc<TypedRunnableModel>,
    shape: [usize; 4],
}

impl Tract {
    pub(super) fn load(onnx: &[u8], shape: [usize; 4], fusing: bool) -> Result<Self, EngineError> {
        let failed = |error: TractError| EngineError::Load { engine: Kind::Tract, shape, reason: format!("{error:#}") };
        let model = tract_onnx::onnx().model_for_read(&mut &*onnx).map_err(failed)?;
        ensure_ends(model.inputs.len(), model.outputs.len())?;
        let fact = InferenceFact::dt_shape(DatumType::F32, shape);
        let model = model.with_input_fact(0, fact).and_then(|model| model.into_typed()).map_err(failed)?;
        let model = if fusing { fuse(model) } else { model.into_optimized() };
        let model = model.and_then(|model| model.into_runnable()).map_err(failed)?;
        Ok(Self { model, shape })
    }
}

/// Our operators first; tract optimises what they leave.
fn fuse(model: TypedModel) -> TractResult<TypedModel> {
    let infer::Fused { model, operators } = infer::fuse(model)?;
    tracing::info!(operators, "fused the network's operators for this CPU");
    model.into_optimized()
}

impl Engine for Tract {
    fn run(&self, input: &[f32]) -> Result<Vec<f32>, EngineError> {
        let failed = |error: TractError| EngineError::Run(format!("{error:#}"));
        let input = Tensor::from_shape(&self.shape, input).map_err(failed)?;
        let outputs = self.model.run(tvec!(input.into())).map_err(failed)?;
        let output = outputs.first().ok_or_else(|| EngineError::Run("it gave no output".to_owned()))?;
        let output = output.cast_to::<f32>().map_err(failed)?;
        Ok(output.to_plain_array_view::<f32>().map_err(failed)?.iter().copied().collect())
    }
}
