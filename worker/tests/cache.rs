//! The cache of model files: what is downloaded once, and that nothing half written or damaged is ever taken for a model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use support::{colours, folder};
use tokio::net::TcpListener;
use warp::Filter as _;
use warp::path::Tail;
use worker::model::fetch::{Fetcher, ModelUri};
use worker::model::{Folder, ModelError};

/// S3 with the colours model in it, which counts what it is asked for.
struct Bucket {
    s3: aws_sdk_s3::Client,
    downloads: Arc<AtomicUsize>,
}

impl Bucket {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let downloads = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&downloads);
        let objects = warp::path!("models" / "colours" / ..).and(warp::path::tail()).map(move |name: Tail| {
            count.fetch_add(usize::from(name.as_str() != "model.json"), Ordering::SeqCst);
            std::fs::read(colours().join(name.as_str())).unwrap()
        });
        tokio::spawn(warp::serve(objects).incoming(listener).run());
        let config = aws_sdk_s3::Config::builder().behavior_version(BehaviorVersion::latest()).region(Region::new("us-east-1"));
        let config = config.endpoint_url(endpoint).credentials_provider(Credentials::new("test", "test", None, None, "test"));
        Self { s3: aws_sdk_s3::Client::from_conf(config.force_path_style(true).build()), downloads }
    }

    fn fetcher(&self, cache: &Path) -> Fetcher {
        let uri = ModelUri::S3 { bucket: "models".to_owned(), prefix: "colours/".to_owned() };
        Fetcher::new(self.s3.clone(), uri, cache)
    }

    /// Fetches the folder; returns how many files were downloaded for it.
    async fn fetch(&self, cache: &Path) -> Result<usize, ModelError> {
        let before = self.downloads.load(Ordering::SeqCst);
        assert_eq!(Folder::fetch(&self.fetcher(cache)).await?.onnx, folder().onnx);
        Ok(self.downloads.load(Ordering::SeqCst) - before)
    }
}

/// The onnx file, the labels, the golden image and its output.
const FILES: usize = 4;

fn kept(cache: &Path) -> PathBuf {
    cache.join("sha256").join(&folder().manifest.onnx.sha256)
}

#[tokio::test]
async fn files_are_downloaded_once_and_again_when_they_are_damaged() {
    let (bucket, cache) = (Bucket::new().await, tempfile::tempdir().unwrap());
    assert_eq!(bucket.fetch(cache.path()).await.unwrap(), FILES);
    assert_eq!(bucket.fetch(cache.path()).await.unwrap(), 0);
    // As after a power failure: the name is there, its content is not, or is that of another file.
    for damage in ["", "half a fi"] {
        std::fs::write(kept(cache.path()), damage).unwrap();
        assert_eq!(bucket.fetch(cache.path()).await.unwrap(), 1, "{damage:?}");
        assert_eq!(std::fs::read(kept(cache.path())).unwrap(), folder().onnx);
    }
    assert_eq!(bucket.fetch(cache.path()).await.unwrap(), 0);
}

#[tokio::test]
async fn many_may_fill_the_same_cache() {
    let (bucket, cache) = (Bucket::new().await, tempfile::tempdir().unwrap());
    let fetchers: Vec<_> = (0..8).map(|_| bucket.fetcher(cache.path())).collect();
    let folders = fetchers.into_iter().map(|fetcher| tokio::spawn(async move { Folder::fetch(&fetcher).await.unwrap().onnx }));
    for onnx in folders.collect::<Vec<_>>() {
        assert_eq!(onnx.await.unwrap(), folder().onnx);
    }
    let names = std::fs::read_dir(cache.path().join("sha256")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<_> = names.collect();
    assert!(names.len() == FILES && names.iter().all(|name| name.len() == 64), "half written files are left: {names:?}");
}

#[tokio::test]
async fn what_a_killed_worker_left_is_removed_once_nobody_can_be_writing_it() {
    let (bucket, cache) = (Bucket::new().await, tempfile::tempdir().unwrap());
    std::fs::create_dir_all(cache.path().join("sha256")).unwrap();
    let [old, new] = ["old", "new"].map(|name| cache.path().join("sha256").join(format!("{name}.part")));
    std::fs::write(&new, "half").unwrap();
    File::create(&old).unwrap().set_modified(SystemTime::now() - Duration::from_secs(7200)).unwrap();
    bucket.fetch(cache.path()).await.unwrap();
    assert_eq!((old.exists(), new.exists()), (false, true));
}

/// No folder, or no way to write there: such a worker only starts slower, and what it could not finish is removed.
#[tokio::test]
async fn a_worker_serves_without_a_cache() {
    let (bucket, folder) = (Bucket::new().await, tempfile::tempdir().unwrap());
    let file = folder.path().join("cache");
    std::fs::write(&file, "not a folder").unwrap();
    assert_eq!(bucket.fetch(&file).await.unwrap(), FILES);
    std::fs::create_dir_all(kept(folder.path())).unwrap();
    assert_eq!(bucket.fetch(folder.path()).await.unwrap(), FILES);
    let left = std::fs::read_dir(folder.path().join("sha256")).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(left.filter(|path| path.extension().is_some()).count(), 0, "half written files are left");
}

#[tokio::test]
async fn what_is_not_what_the_manifest_says_is_refused_and_not_kept() {
    let (bucket, cache) = (Bucket::new().await, tempfile::tempdir().unwrap());
    let mut file = folder().manifest.onnx;
    file.sha256 = "0".repeat(64);
    let error = bucket.fetcher(cache.path()).file(&file).await.unwrap_err();
    assert!(error.to_string().contains("colours.onnx has the sha256"), "{error}");
    assert!(!cache.path().join("sha256").exists());
}
