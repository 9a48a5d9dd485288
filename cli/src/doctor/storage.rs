//! The model's folder and the buckets, as S3 has them.

use aws_sdk_s3::Client;
use crds::Storage;
use serde_json::Value;

use super::finding::{Finding, Presence};

const MODEL: &str = "model";
const BUCKETS: &str = "buckets";

/// Whether the folder `uri` holds a manifest and every file that it names. What is in them, each worker checks when it starts.
pub(super) async fn model(s3: &Client, uri: &str) -> Vec<Finding> {
    let Some((bucket, prefix)) = uri.strip_prefix("s3://").and_then(|rest| rest.split_once('/')) else {
        return vec![Finding::unknown(MODEL, format!("{uri} lies in the AMI"), "A worker says on its console when it is not there")];
    };
    let place = format!("s3://{bucket}/{}", prefix.trim_end_matches('/'));
    let upload = format!("Upload the folder: aws s3 cp --recursive FOLDER {place} (models/README.md says how one is made)");
    let key = |file: &str| format!("{}/{file}", prefix.trim_end_matches('/'));
    let manifest = match Presence::of(s3.get_object().bucket(bucket).key(key("model.json")).send().await) {
        Presence::Here(object) => object.body.collect().await.map(|body| body.to_vec()).unwrap_or_default(),
        Presence::Missing => return vec![Finding::wrong(MODEL, format!("{place}/model.json is missing"), upload)],
        Presence::Unsaid(why) => return vec![Finding::unsaid(MODEL, &format!("{place}/model.json"), &why)],
    };
    let Ok(manifest) = serde_json::from_slice::<Value>(&manifest) else {
        return vec![Finding::wrong(MODEL, format!("{place}/model.json is no JSON"), upload)];
    };
    let mut findings = Vec::new();
    for file in files(&manifest) {
        match Presence::of(s3.head_object().bucket(bucket).key(key(&file)).send().await) {
            Presence::Here(_) => {}
            Presence::Missing => {
                findings.push(Finding::wrong(MODEL, format!("{place}/{file} is missing, which model.json names"), upload.clone()))
            }
            Presence::Unsaid(why) => findings.push(Finding::unsaid(MODEL, &format!("{place}/{file}"), &why)),
        }
    }
    if findings.is_empty() { vec![Finding::right(MODEL, format!("{place} is whole"))] } else { findings }
}

/// The files that a manifest names.
fn files(manifest: &Value) -> Vec<String> {
    let places = ["/onnx/file", "/output/labels/file", "/output/gallery/file", "/golden/image/file", "/golden/output/file"];
    places.iter().filter_map(|place| Some(manifest.pointer(place)?.as_str()?.to_owned())).collect()
}

/// Whether both buckets are there.
pub(super) async fn buckets(s3: &Client, storage: &Storage) -> Vec<Finding> {
    let mut findings = Vec::new();
    for bucket in [&storage.input_bucket, &storage.output_bucket] {
        findings.push(match Presence::of(s3.head_bucket().bucket(bucket).send().await) {
            Presence::Here(_) => Finding::right(BUCKETS, format!("s3://{bucket} is there")),
            Presence::Missing => Finding::wrong(
                BUCKETS,
                format!("s3://{bucket} is missing"),
                "The operator makes it once it may: its role needs s3:CreateBucket",
            ),
            Presence::Unsaid(why) => Finding::unsaid(BUCKETS, &format!("s3://{bucket}"), &why),
        });
    }
    findings
}
