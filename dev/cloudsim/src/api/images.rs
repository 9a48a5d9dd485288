//! Owns the image actions' parameters and answers.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Done, read, render};
use crate::refusal::Refusal;
use crate::state::Cloud;

pub(super) fn describe(cloud: &mut Cloud, request: &BTreeMap<String, String>, _now: Timestamp) -> Result<Done, Refusal> {
    let ids = read(request, |params| params.texts("ImageId"))?;
    let images = cloud.describe_images(&ids)?;
    Ok(Done::with(|xml| xml.set("imagesSet", images, render::image)))
}
