//! File names in Content-Disposition: the extended one of a part (`filename*=utf-8''…`, RFC 5987), which older clients send for names
//! beyond ASCII, and the plain one of a request that is an image itself.

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

/// The name in `filename`, a token or a quoted string (RFC 6266).
pub(crate) fn plain_name(headers: &HeaderMap) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(CONTENT_DISPOSITION)?.as_bytes()).into_owned();
    let (_, rest) = value.split_once(';')?;
    let mut rest = rest.trim_start();
    loop {
        let (key, after) = rest.split_once('=')?;
        let (found, behind) = value_of(after.trim_start());
        if key.trim().eq_ignore_ascii_case("filename") {
            return Some(found);
        }
        rest = behind.split_once(';')?.1.trim_start();
    }
}

/// The value at the beginning of `text`, unquoted, and what follows it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let (mut value, mut characters) = (String::new(), quoted.char_indices());
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
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

    #[test]
    fn plain_names_are_tokens_or_quoted() {
        let table = [
            ("attachment; filename=cat.jpg", Some("cat.jpg")),
            ("attachment; filename=\"a; b=c.jpg\"", Some("a; b=c.jpg")),
            (r#"attachment; filename="a\"b\\c.jpg""#, Some(r#"a"b\c.jpg"#)),
            ("attachment; size=\"7;filename=x\"; FileName = \"cat.jpg\"; z=1", Some("cat.jpg")),
            ("inline; filename=\"cut", Some("cut")),
            ("attachment", None),
            ("attachment; filename*=utf-8''x", None),
            ("attachment; size=7", None),
        ];
        for (value, name) in table {
            let headers = HeaderMap::from_iter([(CONTENT_DISPOSITION, value.parse().unwrap())]);
            assert_eq!(plain_name(&headers).as_deref(), name, "{value}");
        }
    }
}
