//! A request whose body is one image, without a form around it. Knows nothing of images beyond their size.

use warp::http::HeaderMap;
use warp::http::header::CONTENT_TYPE;

use super::body::{Body, BodyError};
use super::collect::collect;
use super::disposition::{file_name, plain_name};
use super::query;
use crate::core::Core;
use crate::refusal::Refusal;
use crate::upload::File;

/// What an image is called whose client does not say.
const UNNAMED: &str = "upload";

/// Whether the body is declared to be an image, or bytes of no known kind.
pub(crate) fn is_raw(headers: &HeaderMap) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("image/") || essence == "application/octet-stream"
}

/// The body as a file, called as Content-Disposition or `?name=` says; `hashed` when its SHA-256 will be asked for.
///
/// # Errors
/// When it is too large or does not come in time, or when no more images may wait.
pub(crate) async fn file(headers: &HeaderMap, query: &str, body: &mut Body, core: &Core, hashed: bool) -> Result<File, Refusal> {
    let name = name(headers, query);
    let limit = core.settings.max_upload_bytes;
    if body.length().is_some_and(|bytes| bytes > limit) {
        return Err(Refusal::TooLarge { name, limit });
    }
    let slot = core.slot()?;
    let content = collect(body, core.room.writer(hashed), &name, limit, refusal).await?;
    Ok(File { name, content, slot })
}

fn name(headers: &HeaderMap, query: &str) -> String {
    let said = file_name(headers).or_else(|| plain_name(headers)).or_else(|| query::parameter(query, "name"));
    wire::file_name(&said.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| UNNAMED.to_owned()))
}

fn refusal(error: BodyError) -> Refusal {
    match error {
        BodyError::TooSlow => Refusal::Stalled,
        broken => Refusal::Malformed { reason: broken.to_string() },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use warp::http::header::CONTENT_DISPOSITION;

    use super::*;

    #[test]
    fn images_and_unknown_bytes_are_raw() {
        let table = [
            ("image/jpeg", true),
            ("Image/PNG; q=1", true),
            ("application/octet-stream", true),
            ("multipart/form-data; boundary=B", false),
            ("application/x-www-form-urlencoded", false),
            ("text/plain", false),
        ];
        for (declared, expected) in table {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, declared.parse().unwrap())]);
            assert_eq!(is_raw(&headers), expected, "{declared}");
        }
        assert!(!is_raw(&HeaderMap::new()));
    }

    #[test]
    fn a_raw_image_is_called_as_its_client_says() {
        let table = [
            (Some("attachment; filename=cat.jpg"), "name=dog.jpg", "cat.jpg"),
            (Some("attachment; filename=x.jpg; filename*=utf-8''%E7%8C%AB.jpg"), "", "猫.jpg"),
            (Some("attachment"), "name=..%2F..%2Fdog.jpg", "dog.jpg"),
            (None, "wait=1&name=a%20b.png", "a b.png"),
            (None, "name=", "upload"),
            (None, "", "upload"),
        ];
        for (disposition, query, expected) in table {
            let value = disposition.map(|value| (CONTENT_DISPOSITION, value.parse().unwrap()));
            assert_eq!(name(&HeaderMap::from_iter(value), query), expected, "{disposition:?} {query:?}");
        }
    }
}
