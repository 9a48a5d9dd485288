//! Owns the instance type actions' parameters and answers.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Done, read, render};
use crate::refusal::Refusal;
use crate::state::{Cloud, describe_types};

pub(super) fn describe(_cloud: &mut Cloud, request: &BTreeMap<String, String>, _now: Timestamp) -> Result<Done, Refusal> {
    let types = describe_types(&read(request, |params| params.texts("InstanceType"))?)?;
    Ok(Done::with(|xml| xml.set("instanceTypeSet", types, render::type_info)))
}
