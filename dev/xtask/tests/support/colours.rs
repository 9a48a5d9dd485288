//! A network so small that twenty workers fit two cores, and images that it tells apart.
#![allow(dead_code, clippy::unwrap_used)]

use std::fs;

use aws_sdk_s3::primitives::ByteStream;
use serde_json::json;
use xtask::paths::Paths;
use xtask::stack::Stack;

use super::{fleet, patch, until};

const COLOURS: [(&str, [u8; 3]); 3] = [("red", [20, 30, 200]), ("green", [30, 180, 20]), ("blue", [220, 20, 10])];

/// Puts the model where the fleet looks for it, and waits until so many workers are ready.
pub async fn start_workers(stack: &Stack, workers: usize) {
    upload_model(stack).await;
    patch(stack, json!({"workers": {"min": workers}})).await;
    let ready = workers.to_string();
    until("all workers are ready", async || fleet(stack, "{.status.workers.ready}").await == ready).await;
}

/// Puts the model where `s3://imagenet-models/colours` is.
async fn upload_model(stack: &Stack) {
    let (s3, _) = super::aws::clients(stack).await;
    let folder = Paths::discover().unwrap().root.join("worker/tests/colours");
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let key = format!("colours/{}", path.file_name().unwrap().to_str().unwrap());
        let body = ByteStream::from(fs::read(path).unwrap());
        s3.put_object().bucket("imagenet-models").key(key).body(body).send().await.unwrap();
    }
}

/// A bitmap of one shade of a colour, unlike all others, and the label of the colour.
pub fn image(number: usize) -> (&'static str, Vec<u8>) {
    const SIDE: u32 = 16;
    let (label, [b, g, r]) = COLOURS[number % COLOURS.len()];
    let mut bmp = b"BM".to_vec();
    let pixels = SIDE * SIDE * 3;
    for field in [54 + pixels, 0, 54, 40, SIDE, SIDE, 0x0018_0001, 0, pixels, 0, 0, 0, 0] {
        bmp.extend(field.to_le_bytes());
    }
    let shade = |value: u8, by: usize| value.wrapping_add(u8::try_from(number / by % 13).unwrap());
    let pixel = [shade(b, 3), shade(g, 39), shade(r, 507)];
    bmp.extend(pixel.repeat((SIDE * SIDE) as usize));
    (label, bmp)
}
