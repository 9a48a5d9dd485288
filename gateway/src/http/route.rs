//! Which request means what. Pure.

use warp::http::Method;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// Classify and answer with the labels.
    Upload,
    /// Accept and answer with ids.
    Submit,
    /// What became of this id.
    Image(&'a str),
    NoSuchPath,
    /// The methods that are possible here.
    MethodNotAllowed(&'static str),
}

/// Existing clients post to whatever path they were made for, so that every path outside the API takes uploads.
pub(crate) fn route<'a>(method: &Method, path: &'a str) -> Route<'a> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match (path.strip_prefix("/v1/"), method) {
        (Some("images"), &Method::POST) => Route::Submit,
        (Some("images"), _) => Route::MethodNotAllowed("POST"),
        (Some(rest), _) => match rest.strip_prefix("images/") {
            Some(id) if id.is_empty() || id.contains('/') => Route::NoSuchPath,
            Some(id) if reads => Route::Image(id),
            Some(_) => Route::MethodNotAllowed("GET"),
            None => Route::NoSuchPath,
        },
        (None, &Method::POST) => Route::Upload,
        (None, _) if reads && !matches!(path, "/" | "/upload") => Route::NoSuchPath,
        (None, _) => Route::MethodNotAllowed("POST"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_one_meaning() {
        let table = [
            (Method::POST, "/upload", Route::Upload),
            (Method::POST, "/", Route::Upload),
            (Method::POST, "/any/thing.php", Route::Upload),
            (Method::POST, "/v1/images", Route::Submit),
            (Method::POST, "/v1/other", Route::NoSuchPath),
            (Method::POST, "/v1/images/7", Route::MethodNotAllowed("GET")),
            (Method::GET, "/v1/images/7", Route::Image("7")),
            (Method::HEAD, "/v1/images/7", Route::Image("7")),
            (Method::GET, "/v1/images/", Route::NoSuchPath),
            (Method::GET, "/v1/images/7/8", Route::NoSuchPath),
            (Method::GET, "/v1/images", Route::MethodNotAllowed("POST")),
            (Method::DELETE, "/v1/images/7", Route::MethodNotAllowed("GET")),
            (Method::GET, "/upload", Route::MethodNotAllowed("POST")),
            (Method::GET, "/", Route::MethodNotAllowed("POST")),
            (Method::GET, "/nothing", Route::NoSuchPath),
            (Method::PUT, "/nothing", Route::MethodNotAllowed("POST")),
        ];
        for (method, path, expected) in table {
            assert_eq!(route(&method, path), expected, "{method} {path}");
        }
    }
}
