//! How an image travels inside a message: base64, as JSON has no bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};

/// Bytes of `len` bytes once encoded; none when that is more than can be counted.
pub(crate) fn encoded_len(len: usize) -> Option<usize> {
    base64::encoded_len(len, true)
}

pub(crate) fn serialize<S: Serializer>(image: &Option<Bytes>, serializer: S) -> Result<S::Ok, S::Error> {
    match image {
        Some(image) => serializer.collect_str(&base64::display::Base64Display::new(image, &STANDARD)),
        None => serializer.serialize_none(),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Bytes>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let image = STANDARD.decode(text).map_err(|error| D::Error::custom(format!("the image is not base64: {error}")))?;
    Ok(Some(image.into()))
}
