//! One side of `cargo xtask bench infer`: runs a model's network, and prepares photos, as often as it is told to.
//! First says what it can measure, `["prepare","plain","AVX-512",…]`; then answers each line of its input with one of JSON:
//! `time NAME RUNS` with milliseconds of each run, `answer NAME` with the network's output for each photo.

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use infer::InstructionSet;
use tract_onnx::prelude::{
    DatumType, Framework as _, InferenceFact, InferenceModelExt as _, IntoRunnable as _, TValue, Tensor, TypedModel, TypedRunnableModel,
    tvec,
};
use worker::image::decode::decode_for;
use worker::image::prepare::prepare;
use worker::model::manifest::{Input, Manifest};

const MAX_PIXELS: u64 = 100_000_000;
const PREPARE: &str = "prepare";

#[derive(Parser)]
struct Arguments {
    /// The model folder.
    #[arg(long)]
    model: PathBuf,
    /// A folder of photos.
    #[arg(long)]
    photos: PathBuf,
}

/// A network, by what runs it.
type Networks = BTreeMap<String, Arc<TypedRunnableModel>>;

struct Side {
    input: Input,
    photos: Vec<Vec<u8>>,
    tensors: Vec<TValue>,
    networks: Networks,
}

fn main() -> Result<()> {
    let side = Side::load(&Arguments::parse())?;
    println!("{}", serde_json::to_string(&side.names())?);
    for line in std::io::stdin().lock().lines() {
        println!("{}", side.obey(&line?)?);
    }
    Ok(())
}

impl Side {
    fn load(Arguments { model, photos }: &Arguments) -> Result<Self> {
        let manifest = Manifest::parse(&read(&model.join("model.json"))?)?;
        let input = manifest.input;
        let networks = networks(&read(&model.join(&manifest.onnx.file))?, input.shape())?;
        let mut paths: Vec<PathBuf> = std::fs::read_dir(photos)?.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "jpg"));
        paths.sort();
        let photos = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
        let tensors = photos.iter().map(|photo| tensor(photo, &input)).collect::<Result<Vec<_>>>()?;
        Ok(Self { input, photos, tensors, networks })
    }

    fn names(&self) -> Vec<&str> {
        std::iter::once(PREPARE).chain(self.networks.keys().map(String::as_str)).collect()
    }

    fn obey(&self, line: &str) -> Result<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words {
            ["time", PREPARE, runs] => time(runs.parse()?, |run| tensor(&self.photos[run % self.photos.len()], &self.input).map(drop)),
            ["time", name, runs] => {
                let network = self.network(name)?;
                time(runs.parse()?, |run| network.run(tvec!(self.tensors[run % self.tensors.len()].clone())).map(drop))
            }
            ["answer", name] => {
                let network = self.network(name)?;
                let outputs = self.tensors.iter().map(|tensor| numbers(network, tensor.clone())).collect::<Result<Vec<_>>>()?;
                Ok(serde_json::to_string(&outputs)?)
            }
            _ => bail!("{line:?} is neither `time NAME RUNS` nor `answer NAME`"),
        }
    }

    fn network(&self, name: &str) -> Result<&Arc<TypedRunnableModel>> {
        self.networks.get(name).with_context(|| format!("there is no {name}, only {:?}", self.names()))
    }
}

/// The network as tract alone runs it, and fused for each instruction set of this CPU.
fn networks(onnx: &[u8], shape: [usize; 4]) -> Result<Networks> {
    let model = tract_onnx::onnx().model_for_read(&mut &*onnx)?;
    let plain = model.with_input_fact(0, InferenceFact::dt_shape(DatumType::F32, shape))?.into_typed()?;
    let runnable = |model: TypedModel| -> Result<Arc<TypedRunnableModel>> { model.into_optimized()?.into_runnable() };
    let mut networks = Networks::from([("plain".to_owned(), runnable(plain.clone())?)]);
    for set in InstructionSet::ALL.into_iter().filter(|set| set.is_supported()) {
        networks.insert(set.to_string(), runnable(infer::fuse_for(plain.clone(), set)?.model)?);
    }
    Ok(networks)
}

fn tensor(photo: &[u8], input: &Input) -> Result<TValue> {
    let numbers = prepare(&decode_for(photo, MAX_PIXELS, input.shorter_side())?, input)?;
    Ok(Tensor::from_shape(&input.shape(), &numbers)?.into())
}

fn numbers(network: &Arc<TypedRunnableModel>, tensor: TValue) -> Result<Vec<f32>> {
    let outputs = network.run(tvec!(tensor))?;
    Ok(outputs[0].to_plain_array_view::<f32>()?.iter().copied().collect())
}

/// Milliseconds of each run, as JSON.
fn time(runs: usize, work: impl Fn(usize) -> Result<()>) -> Result<String> {
    let one = |run: usize| -> Result<f64> {
        let begin = Instant::now();
        work(run)?;
        Ok(begin.elapsed().as_secs_f64() * 1e3)
    };
    Ok(serde_json::to_string(&(0..runs).map(one).collect::<Result<Vec<_>>>()?)?)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}
