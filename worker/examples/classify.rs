//! Classifies image files with a model folder, as a worker would: to try a folder before it is uploaded.
//! `cargo run --example classify -- --model FOLDER IMAGE…` prints a line of JSON for each image.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use worker::jobs::classify;
use worker::model::engine::EngineArgs;
use worker::model::fetch::{Fetcher, ModelUri};
use worker::model::{Folder, Model};

#[derive(Parser)]
struct Arguments {
    /// The model folder.
    #[arg(long)]
    model: PathBuf,
    #[command(flatten)]
    engine: EngineArgs,
    /// Image files.
    images: Vec<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { model, engine, images } = Arguments::parse();
    let s3 = aws_sdk_s3::Client::new(&service::aws::config("classifierfleet-classify", &service::aws::Place::default()).await);
    let fetcher = Fetcher::new(s3, ModelUri::File(std::path::absolute(model)?), &std::env::temp_dir());
    let model = Model::new(&Folder::fetch(&fetcher).await?, &engine)?;
    eprintln!("{model} answers its golden image as recorded, with {}", engine.engine);
    for path in images {
        let image = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let classified = classify(&model, &image, 100_000_000)?;
        println!(
            "{}",
            serde_json::json!({ "image": path, "outcome": classified.outcome, "decodeMs": classified.decode_seconds * 1e3, "inferMs": classified.infer_seconds * 1e3 })
        );
    }
    Ok(())
}
