//! Gets the files of a model folder, from S3 or from disk, each checked by its hash. What came from S3 is kept on disk
//! under its hash: a warm worker starts without downloading. Knows nothing of what is in the files.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::manifest::FileRef;
use crate::cause::chain;

/// The most that a file may have: what one ONNX file, a Protocol Buffers message, may have. More would only fill the memory.
const MAX_FILE_BYTES: i64 = 2 << 30;
/// A file that is still half written after this long was left by a worker that was killed, or whose machine was.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);
/// What files are called while they are written.
const PART: &str = "part";

/// Where a model folder lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelUri {
    /// `s3://bucket/prefix`.
    S3 {
        /// The bucket.
        bucket: String,
        /// What the keys of the folder's files begin with: empty, or ends with a slash.
        prefix: String,
    },
    /// `file:///folder`.
    File(PathBuf),
}

/// Not a place where a model can lie.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no model folder; write s3://bucket/prefix or file:///folder")]
pub struct UriError(String);

impl FromStr for ModelUri {
    type Err = UriError;

    fn from_str(uri: &str) -> Result<Self, UriError> {
        let wrong = || UriError(uri.to_owned());
        if let Some(path) = uri.strip_prefix("file://") {
            return if path.starts_with('/') { Ok(Self::File(path.into())) } else { Err(wrong()) };
        }
        let (bucket, prefix) = uri.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, ""))).ok_or_else(wrong)?;
        if bucket.is_empty() {
            return Err(wrong());
        }
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix })
    }
}

impl std::fmt::Display for ModelUri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{}", prefix.trim_end_matches('/')),
            Self::File(folder) => write!(f, "file://{}", folder.display()),
        }
    }
}

/// Why a file of the folder could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// S3 did not give it.
    #[error("s3://{bucket}/{key} cannot be read: {reason}")]
    S3 {
        /// The bucket.
        bucket: String,
        /// The object key.
        key: String,
        /// What S3 said.
        reason: String,
    },
    /// It is not on disk.
    #[error("{path} cannot be read")]
    File {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is another file than the manifest says.
    #[error("{file} has the sha256 {actual}, model.json says {expected}: upload the folder anew, as its build script made it")]
    Hash {
        /// Name of the file.
        file: String,
        /// SHA-256 in the manifest.
        expected: String,
        /// SHA-256 of what was read.
        actual: String,
    },
}

/// Reads the files of one model folder.
#[derive(Debug, Clone)]
pub struct Fetcher {
    s3: aws_sdk_s3::Client,
    uri: ModelUri,
    cache: PathBuf,
}

impl Fetcher {
    /// Reads the folder at `uri`; what comes from S3 is kept under `cache`.
    #[must_use]
    pub fn new(s3: aws_sdk_s3::Client, uri: ModelUri, cache: &Path) -> Self {
        Self { s3, uri, cache: cache.join("sha256") }
    }

    /// The manifest as it is now: nothing says what its hash must be, so it is never kept.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn manifest(&self) -> Result<Bytes, FetchError> {
        self.read("model.json").await
    }

    /// A file that the manifest names.
    ///
    /// # Errors
    /// When it cannot be read, or is not what the manifest says.
    pub async fn file(&self, file: &FileRef) -> Result<Bytes, FetchError> {
        if let Some(kept) = self.kept(file).await {
            return Ok(kept);
        }
        let content = self.read(&file.file).await?;
        let actual = sha256(&content);
        if actual != file.sha256 {
            return Err(FetchError::Hash { file: file.file.clone(), expected: file.sha256.clone(), actual });
        }
        self.keep(file, &content).await;
        Ok(content)
    }

    async fn read(&self, name: &str) -> Result<Bytes, FetchError> {
        match &self.uri {
            ModelUri::File(folder) => {
                let path = folder.join(name);
                tokio::fs::read(&path).await.map(Bytes::from).map_err(|source| FetchError::File { path, source })
            }
            ModelUri::S3 { bucket, prefix } => self.download(bucket, format!("{prefix}{name}")).await,
        }
    }

    async fn download(&self, bucket: &str, key: String) -> Result<Bytes, FetchError> {
        let failed = |reason: String| FetchError::S3 { bucket: bucket.to_owned(), key: key.clone(), reason };
        let object = self.s3.get_object().bucket(bucket).key(&key).send().await;
        let object = object.map_err(|error| failed(chain(&error)))?;
        if let Some(bytes) = object.content_length().filter(|&bytes| bytes > MAX_FILE_BYTES) {
            return Err(failed(format!("it has {bytes} bytes, {MAX_FILE_BYTES} are the most that are taken")));
        }
        let content = object.body.collect().await.map_err(|error| failed(chain(&error)))?;
        Ok(content.into_bytes())
    }

    /// From the cache, unless it is damaged there.
    async fn kept(&self, file: &FileRef) -> Option<Bytes> {
        let content = tokio::fs::read(self.cache.join(&file.sha256)).await.ok()?;
        (sha256(&content) == file.sha256).then(|| content.into())
    }

    /// A worker without a cache only starts slower.
    async fn keep(&self, file: &FileRef, content: &[u8]) {
        if matches!(self.uri, ModelUri::File(_)) {
            return;
        }
        if let Err(error) = self.write(file, content).await {
            tracing::warn!(cache = %self.cache.display(), file = file.file, %error, "the model file could not be kept");
        }
    }

    /// Written beside its place and then renamed: a reader, here or in another process, never sees half a file. After a crash of
    /// the machine a file may still be damaged; its hash tells, and it is written anew.
    async fn write(&self, file: &FileRef, content: &[u8]) -> std::io::Result<()> {
        tokio::fs::create_dir_all(&self.cache).await?;
        self.sweep().await?;
        let part = self.cache.join(format!("{}.{}.{PART}", file.sha256, Uuid::now_v7()));
        let written = async {
            tokio::fs::write(&part, content).await?;
            tokio::fs::rename(&part, self.cache.join(&file.sha256)).await
        };
        let outcome = written.await;
        if outcome.is_err() {
            // A full disk is not left any fuller.
            let _ = tokio::fs::remove_file(&part).await;
        }
        outcome
    }

    /// Removes what others began and never finished.
    async fn sweep(&self) -> std::io::Result<()> {
        let mut entries = tokio::fs::read_dir(&self.cache).await?;
        while let Some(entry) = entries.next_entry().await? {
            let is_part = Path::new(&entry.file_name()).extension().is_some_and(|extension| extension == PART);
            // Another process may have renamed it meanwhile.
            let age = entry.metadata().await.ok().and_then(|metadata| metadata.modified().ok()?.elapsed().ok());
            if is_part && age.is_some_and(|age| age > ABANDONED_AFTER) {
                let _ = tokio::fs::remove_file(entry.path()).await;
            }
        }
        Ok(())
    }
}

fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}
