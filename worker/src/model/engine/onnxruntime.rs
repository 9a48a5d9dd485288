//! ONNX Runtime, loaded when it is asked for, so that the program needs it neither to be built nor to start.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;

use super::{Engine, EngineError, Kind, ensure_ends};

/// Sessions of one network, as many as have run at the same time: a session runs one image at a time.
#[derive(Debug)]
pub(super) struct OnnxRuntime {
    environment: Environment,
    onnx: Vec<u8>,
    shape: [usize; 4],
    idle: Mutex<Vec<Session>>,
}

impl OnnxRuntime {
    pub(super) fn load(onnx: &[u8], shape: [usize; 4], library: Option<&Path>) -> Result<Self, EngineError> {
        let environment = environment(library)?;
        let engine = Self { environment, onnx: onnx.to_vec(), shape, idle: Mutex::default() };
        let session = engine.session()?;
        ensure_ends(session.inputs().len(), session.outputs().len())?;
        engine.give_back(session);
        Ok(engine)
    }

    /// A session on the calling thread alone: the worker already runs an image on each core.
    fn session(&self) -> Result<Session, EngineError> {
        let make = || {
            let builder = Session::builder(&self.environment)?.with_intra_threads(1)?.with_inter_threads(1)?;
            builder.with_optimization_level(GraphOptimizationLevel::All)?.commit_from_memory(&self.onnx)
        };
        make().map_err(|error: ort::Error| EngineError::Load { engine: Kind::Onnxruntime, shape: self.shape, reason: error.to_string() })
    }

    fn take(&self) -> Option<Session> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, session: Session) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }

    fn infer(&self, session: &mut Session, input: &[f32]) -> ort::Result<Vec<f32>> {
        let input = TensorRef::from_array_view((self.shape, input))?;
        let outputs = session.run(ort::inputs![input])?;
        let (_, output) = outputs[0].try_extract_tensor::<f32>()?;
        Ok(output.to_vec())
    }
}

impl Engine for OnnxRuntime {
    fn run(&self, input: &[f32]) -> Result<Vec<f32>, EngineError> {
        let mut session = self.take().map_or_else(|| self.session(), Ok)?;
        let output = self.infer(&mut session, input).map_err(|error| EngineError::Run(error.to_string()));
        self.give_back(session);
        output
    }
}

/// The library that this process has loaded, and what was asked for.
#[derive(Debug)]
struct Loaded {
    library: Option<PathBuf>,
    environment: Environment,
}

/// A process can have one only.
static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

fn environment(library: Option<&Path>) -> Result<Environment, EngineError> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    match &*loaded {
        Some(Loaded { library: of, environment }) if of.as_deref() == library => Ok(environment.clone()),
        Some(Loaded { library: of, .. }) => {
            Err(EngineError::Run(format!("this process has ONNX Runtime of {of:?} already, not of {library:?}")))
        }
        None => {
            let environment = start(library)?;
            *loaded = Some(Loaded { library: library.map(Path::to_owned), environment: environment.clone() });
            Ok(environment)
        }
    }
}

/// Loads the first library that is found.
fn start(library: Option<&Path>) -> Result<Environment, EngineError> {
    let mut tried = Vec::new();
    for name in candidates(library) {
        match ort::init_from(&name) {
            Ok(builder) => {
                let made = builder.with_name("classifierfleet").with_telemetry(false).build();
                return made.map_err(|error| EngineError::Run(format!("ONNX Runtime does not start: {error}")));
            }
            Err(error) => tried.push(format!("{}: {error}", name.display())),
        }
    }
    Err(EngineError::NoLibrary { tried: tried.join("; "), least: format!("1.{}", ort::MINOR_VERSION) })
}

/// The file that was named; else the names under which systems have it, for their own search (LD_LIBRARY_PATH, ldconfig).
fn candidates(library: Option<&Path>) -> Vec<PathBuf> {
    if let Some(library) = library {
        return vec![library.to_owned()];
    }
    let plain = OsString::from(format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX));
    // Distributions ship the plain name with the headers only.
    let mut versioned = plain.clone();
    versioned.push(".1");
    vec![plain.into(), versioned.into()]
}
