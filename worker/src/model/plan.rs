//! The network, ready to run: tract's optimised plan for the one shape that the manifest gives. Knows nothing of images.
//! A fixed shape is what makes tract quick: with a symbolic batch it runs five times slower.

use std::sync::Arc;

use tract_onnx::prelude::{
    DatumType, Framework as _, InferenceFact, InferenceModelExt as _, IntoRunnable as _, Tensor, TractError, TypedRunnableModel, tvec,
};

/// Why a network cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not an ONNX file, or with operators that tract does not know.
    #[error("the ONNX cannot be loaded for an input of {shape:?}: {reason}")]
    Load {
        /// Shape of the input in the manifest.
        shape: [usize; 4],
        /// What tract said.
        reason: String,
    },
    /// Not one input and one output.
    #[error("the ONNX has {inputs} inputs and {outputs} outputs; one of each is needed")]
    Ends {
        /// Number of inputs.
        inputs: usize,
        /// Number of outputs.
        outputs: usize,
    },
    /// The inference failed.
    #[error("the network failed: {0}")]
    Run(String),
}

/// One network, shared by all threads.
#[derive(Debug, Clone)]
pub struct Plan {
    model: Arc<TypedRunnableModel>,
    shape: [usize; 4],
}

impl Plan {
    /// Loads and optimises an ONNX file for a float32 input of `shape`.
    ///
    /// # Errors
    /// When tract cannot load it so, or it has several inputs or outputs.
    pub fn new(onnx: &[u8], shape: [usize; 4]) -> Result<Self, PlanError> {
        let failed = |error: TractError| PlanError::Load { shape, reason: format!("{error:#}") };
        let model = tract_onnx::onnx().model_for_read(&mut &*onnx).map_err(failed)?;
        let (inputs, outputs) = (model.inputs.len(), model.outputs.len());
        if (inputs, outputs) != (1, 1) {
            return Err(PlanError::Ends { inputs, outputs });
        }
        let fact = InferenceFact::dt_shape(DatumType::F32, shape);
        let model = model.with_input_fact(0, fact).and_then(|model| model.into_optimized()).and_then(|model| model.into_runnable());
        Ok(Self { model: model.map_err(failed)?, shape })
    }

    /// The network's output for one input, flat.
    ///
    /// # Errors
    /// When `input` has another length than the shape says, or the network fails.
    pub fn run(&self, input: &[f32]) -> Result<Vec<f32>, PlanError> {
        let failed = |error: TractError| PlanError::Run(format!("{error:#}"));
        let input = Tensor::from_shape(&self.shape, input).map_err(failed)?;
        let outputs = self.model.run(tvec!(input.into())).map_err(failed)?;
        let output = outputs.first().ok_or_else(|| PlanError::Run("it gave no output".to_owned()))?;
        let output = output.cast_to::<f32>().map_err(failed)?;
        Ok(output.to_plain_array_view::<f32>().map_err(failed)?.iter().copied().collect())
    }
}
