//! What runs a network: one small trait, and the engines behind it. Knows nothing of images, labels or folders.

#[cfg(all(feature = "onnxruntime", not(target_env = "musl")))]
mod onnxruntime;
mod tract;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Runs one network for one shape of input, batch of one. Shared by all threads; each call computes on its own thread alone.
pub trait Engine: std::fmt::Debug + Send + Sync {
    /// The network's output for one input, both flat.
    ///
    /// # Errors
    /// When `input` has another length than the shape says, or the network fails.
    fn run(&self, input: &[f32]) -> Result<Vec<f32>, EngineError>;
}

/// Which engine there is, and how it is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct EngineArgs {
    /// What runs the model: tract, which is built in, or onnxruntime, which is loaded when the worker starts.
    #[arg(long, env = "CLASSIFIERFLEET_ENGINE", value_enum, default_value_t)]
    pub engine: Kind,
    /// ONNX Runtime's library, for the engine onnxruntime; default: libonnxruntime.so where the system has its libraries.
    #[arg(long, env = "ORT_DYLIB_PATH")]
    pub onnxruntime_library: Option<PathBuf>,
    /// Runs tract without our fused operators, several times slower: tells whether a wrong answer is theirs.
    #[arg(long, env = "CLASSIFIERFLEET_NO_FUSING", hide = true)]
    pub no_fusing: bool,
}

/// The engines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Pure Rust, with our own operators where the CPU and the network allow.
    #[default]
    Tract,
    /// ONNX Runtime, on the CPU.
    Onnxruntime,
}

/// Why a network cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Not an ONNX file, or with operators that the engine does not know.
    #[error("{engine} cannot load the ONNX for an input of {shape:?}: {reason}")]
    Load {
        /// The engine.
        engine: Kind,
        /// Shape of the input in the manifest.
        shape: [usize; 4],
        /// What the engine said.
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
    /// ONNX Runtime is not there.
    #[error(
        "ONNX Runtime could not be loaded (tried {tried}). Install version {least} or newer: lib/libonnxruntime.so of a release archive, or \
         onnxruntime/capi/libonnxruntime.so.* of the Python package `onnxruntime`. Put it where the system has its libraries, or name \
         the file with --onnxruntime-library or ORT_DYLIB_PATH; or use the engine tract, which needs no library"
    )]
    NoLibrary {
        /// Every place that was looked at, and what the system said.
        tried: String,
        /// The oldest version that will do.
        least: String,
    },
    /// This program was built without it.
    #[error(
        "this worker was built without the engine {0}: use the engine tract, or build the worker with --features onnxruntime and for a target \
         with glibc (a static program, as those for musl are, loads no library)"
    )]
    NotBuilt(Kind),
}

/// Loads an ONNX file for a float32 input of `shape`, with the engine that was chosen.
///
/// # Errors
/// When the engine is not there, cannot load the file so, or the network has several inputs or outputs.
pub fn load(args: &EngineArgs, onnx: &[u8], shape: [usize; 4]) -> Result<Box<dyn Engine>, EngineError> {
    match args.engine {
        Kind::Tract => Ok(Box::new(tract::Tract::load(onnx, shape, !args.no_fusing)?)),
        #[cfg(all(feature = "onnxruntime", not(target_env = "musl")))]
        Kind::Onnxruntime => Ok(Box::new(onnxruntime::OnnxRuntime::load(onnx, shape, args.onnxruntime_library.as_deref())?)),
        #[cfg(not(all(feature = "onnxruntime", not(target_env = "musl"))))]
        Kind::Onnxruntime => Err(EngineError::NotBuilt(Kind::Onnxruntime)),
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tract => "tract",
            Self::Onnxruntime => "onnxruntime",
        })
    }
}

/// One image in, one output.
fn ensure_ends(inputs: usize, outputs: usize) -> Result<(), EngineError> {
    if (inputs, outputs) == (1, 1) { Ok(()) } else { Err(EngineError::Ends { inputs, outputs }) }
}
