//! SQS and S3 of the stack: MiniStack or another stand-in, with the default model in its bucket.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_s3::primitives::ByteStream;

use super::environment::CREDENTIALS;
use super::launch::{Launcher, Part};
use super::options::Storage;
use super::second::start_roto;
use crate::process::Command;

const BUCKET: &str = "imagenet-models";
const PREFIX: &str = "efficientnet-lite0";

/// Where AWS's stand-ins answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// SQS.
    pub sqs: String,
    /// S3.
    pub s3: String,
    /// EC2, and below `/_cloudsim` what only the stand-in has.
    pub ec2: String,
}

impl Endpoints {
    /// The environment in which every AWS SDK and the AWS CLI find them.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let quotas = format!("{}/_cloudsim/service-quotas", self.ec2);
        let endpoints = [("EC2", &self.ec2), ("SQS", &self.sqs), ("S3", &self.s3), ("SERVICE_QUOTAS", &quotas)];
        let endpoints = endpoints.into_iter().map(|(name, value)| (format!("AWS_ENDPOINT_URL_{name}"), value.clone()));
        endpoints.chain(CREDENTIALS.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
    }

    /// A client for SQS, whatever the environment says.
    pub async fn sqs_client(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&config(&self.sqs).await)
    }

    /// A client for S3, whatever the environment says.
    pub async fn s3_client(&self) -> aws_sdk_s3::Client {
        s3_client(&self.s3).await
    }
}

/// Starts the stand-in for SQS and S3 and puts the model where the example fleet looks for it. Returns the endpoint.
pub(super) async fn start(launcher: &Launcher, storage: Storage, persist: bool) -> Result<String> {
    let endpoint = match storage {
        Storage::MiniStack => start_ministack(launcher, persist).await?,
        Storage::Roto => start_roto(launcher).await?,
    };
    upload_model(&endpoint, BUCKET, PREFIX, &launcher.tools.model).await?;
    launcher.progress.say("aws", format!("SQS and S3 ({storage:?}) ready at {endpoint}, the model in s3://{BUCKET}/{PREFIX}"));
    Ok(endpoint)
}

/// Puts the model where `uri` says, if `models` has a recipe for it, which bears the name that the URI ends with.
pub(super) async fn provide_model(launcher: &Launcher, endpoint: &str, uri: &str) -> Result<()> {
    let Some((bucket, prefix)) = uri.strip_prefix("s3://").and_then(|path| path.split_once('/')) else { return Ok(()) };
    let prefix = prefix.trim_end_matches('/');
    if (bucket, prefix) == (BUCKET, PREFIX) {
        return Ok(());
    }
    let name = prefix.rsplit('/').next().unwrap_or(prefix);
    let Some(folder) = launcher.tools.model(&launcher.paths, name, launcher.progress).await? else {
        launcher.progress.say("aws", format!("{uri} is for you to fill: source the env, then aws s3 cp --recursive FOLDER {uri}"));
        return Ok(());
    };
    upload_model(endpoint, bucket, prefix, &folder).await?;
    launcher.progress.say("aws", format!("the model of the fleet is in {uri}"));
    Ok(())
}

/// Starts MiniStack, with what it held when it ended in order if it was to `persist` it. Returns its endpoint.
pub(crate) async fn start_ministack(launcher: &Launcher, persist: bool) -> Result<String> {
    let state = if persist { persistence(launcher)? } else { Vec::new() };
    let command = || {
        // Its MQTT would listen on a fixed port.
        let env = [("BIND_HOST", launcher.address.to_string()), ("IOT_MTLS_ENABLED", "0".to_owned())];
        let env = env.into_iter().chain([("GATEWAY_PORT", launcher.ports.of("ministack")?.to_string())]);
        Ok(Command::new("ministack", launcher.tools.python_program("ministack"))
            .env(CREDENTIALS)
            .env(env)
            .env(state.clone())
            .url(launcher.url("ministack")?))
    };
    let ready = async || match launcher.url("ministack") {
        Ok(url) => crate::wait::answers(&launcher.http, &format!("{url}/_ministack/health")).await,
        Err(_) => false,
    };
    launcher.start(Part { name: "ministack", ports: &["ministack"], limit: Duration::from_secs(60) }, command, ready).await?;
    launcher.url("ministack")
}

fn persistence(launcher: &Launcher) -> Result<Vec<(&'static str, String)>> {
    let folder = |name| anyhow::Ok(launcher.state(name)?.display().to_string());
    let on = || "1".to_owned();
    Ok(vec![("PERSIST_STATE", on()), ("STATE_DIR", folder("ministack")?), ("S3_PERSIST", on()), ("S3_DATA_DIR", folder("ministack-s3")?)])
}

async fn upload_model(endpoint: &str, bucket: &str, prefix: &str, folder: &Path) -> Result<()> {
    let uploaded = upload(endpoint, bucket, prefix, folder).await;
    uploaded.with_context(|| format!("the model in {} could not be uploaded to the local S3", folder.display()))
}

async fn upload(endpoint: &str, bucket: &str, prefix: &str, folder: &Path) -> Result<()> {
    let s3 = s3_client(endpoint).await;
    // In us-east-1 a bucket that is one's own can be made twice.
    s3.create_bucket().bucket(bucket).send().await?;
    for entry in std::fs::read_dir(folder)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let name = name.to_string_lossy().into_owned();
        if path.is_file() && !name.starts_with('.') {
            let body = ByteStream::from_path(&path).await?;
            s3.put_object().bucket(bucket).key(format!("{prefix}/{name}")).body(body).send().await?;
        }
    }
    Ok(())
}

async fn s3_client(endpoint: &str) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::new(&config(endpoint).await)
}

async fn config(endpoint: &str) -> SdkConfig {
    let [(_, key), (_, secret), (_, region)] = CREDENTIALS;
    let credentials = Credentials::new(key, secret, None, None, "the local stack");
    let defaults = aws_config::defaults(BehaviorVersion::latest()).region(Region::new(region));
    defaults.endpoint_url(endpoint).credentials_provider(credentials).load().await
}
