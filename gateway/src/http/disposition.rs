//! The extended file name of a part (`filename*=utf-8''…`, RFC 5987), which older clients send for names beyond ASCII.

use percent_encoding::percent_decode_str;
use warp::http::HeaderMap;
use warp::http::header::CONTENT_DISPOSITION;

/// The name in `filename*`, when a part has one and it is UTF-8.
pub(crate) fn file_name(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_DISPOSITION)?.to_str().ok()?;
    let extended = value.split(';').find_map(|attribute| strip_key(attribute.trim(), "filename*="))?;
    let (charset, rest) = extended.trim_matches('"').split_once('\'')?;
    let (_language, name) = rest.split_once('\'')?;
    let utf8 = charset.eq_ignore_ascii_case("utf-8");
    if utf8 { percent_decode_str(name).decode_utf8().ok().map(Into::into) } else { None }
}

fn strip_key<'a>(attribute: &'a str, key: &str) -> Option<&'a str> {
    let (head, tail) = attribute.split_at_checked(key.len())?;
    head.eq_ignore_ascii_case(key).then_some(tail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn extended_names_are_decoded() {
        let table = [
            ("form-data; name=\"f\"; filename*=utf-8''%E7%8C%AB.jpg", Some("猫.jpg")),
            ("form-data; name=\"f\"; filename=\"x.jpg\"; filename*=UTF-8'en'a%20b.png", Some("a b.png")),
            ("form-data; name=\"f\"; filename=\"x.jpg\"", None),
            ("form-data; name=\"f\"; filename*=latin1''%E9.jpg", None),
            ("form-data; name=\"f\"; filename*=broken", None),
        ];
        for (value, name) in table {
            let headers = HeaderMap::from_iter([(CONTENT_DISPOSITION, value.parse().unwrap())]);
            assert_eq!(file_name(&headers).as_deref(), name, "{value}");
        }
    }
}
