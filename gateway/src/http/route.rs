//! Which request means what. Pure.

use warp::http::Method;

use super::assets::Asset;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// Classify and answer with the labels.
    Upload,
    /// Accept and answer with ids.
    Submit,
    /// What happens, as it happens.
    Events,
    /// Queue and workers.
    Fleet,
    /// A file of the program.
    Asset(Asset),
    /// What became of this id.
    Image(&'a str),
    /// What became of many.
    List,
    /// The image of this id itself.
    Content(&'a str),
    /// The image of this id and its result shall go.
    Delete(&'a str),
    NoSuchPath,
    /// The methods that are possible here.
    MethodNotAllowed(&'static str),
}

impl Route<'_> {
    /// What paths of this meaning have in common; none of those that are one path each, or no route at all.
    pub(crate) fn template(&self) -> Option<&'static str> {
        match self {
            Self::Upload => Some("/upload"),
            Self::Submit | Self::List => Some("/v1/images"),
            Self::Events => Some("/v1/events"),
            Self::Fleet => Some("/v1/fleet"),
            Self::Image(_) | Self::Delete(_) => Some("/v1/images/{id}"),
            Self::Content(_) => Some("/v1/images/{id}/content"),
            Self::Asset(_) | Self::NoSuchPath | Self::MethodNotAllowed(_) => None,
        }
    }
}

/// Existing clients post to whatever path they were made for, so that every path outside the API takes uploads, but the page's files.
pub(crate) fn route<'a>(method: &Method, path: &'a str) -> Route<'a> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match (path.strip_prefix("/v1/"), method) {
        (Some("images"), &Method::POST) => Route::Submit,
        (Some("images"), _) if reads => Route::List,
        (Some("images"), _) => Route::MethodNotAllowed("GET, HEAD, POST"),
        (Some("events"), _) if reads => Route::Events,
        (Some("fleet"), _) if reads => Route::Fleet,
        (Some("events" | "fleet"), _) => Route::MethodNotAllowed("GET, HEAD"),
        (Some(rest), _) => rest.strip_prefix("images/").map_or(Route::NoSuchPath, |image| of_image(method, image)),
        (None, &Method::POST) if !Asset::at(path).is_some_and(Asset::is_file) => Route::Upload,
        (None, _) => match Asset::at(path) {
            Some(asset) if reads => Route::Asset(asset),
            Some(asset) if asset.is_file() => Route::MethodNotAllowed("GET, HEAD"),
            Some(_) => Route::MethodNotAllowed("GET, HEAD, POST"),
            None if reads && path != "/upload" => Route::NoSuchPath,
            None => Route::MethodNotAllowed("POST"),
        },
    }
}

/// Of what is behind `/v1/images/`.
fn of_image<'a>(method: &Method, image: &'a str) -> Route<'a> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match image.split_once('/') {
        None if image.is_empty() => Route::NoSuchPath,
        None if reads => Route::Image(image),
        None if *method == Method::DELETE => Route::Delete(image),
        None => Route::MethodNotAllowed("GET, HEAD, DELETE"),
        Some((id, "content")) if !id.is_empty() && reads => Route::Content(id),
        Some((id, "content")) if !id.is_empty() => Route::MethodNotAllowed("GET, HEAD"),
        Some(_) => Route::NoSuchPath,
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
            (Method::POST, "/v1/images/7", Route::MethodNotAllowed("GET, HEAD, DELETE")),
            (Method::GET, "/v1/images/7", Route::Image("7")),
            (Method::HEAD, "/v1/images/7", Route::Image("7")),
            (Method::GET, "/v1/images/", Route::NoSuchPath),
            (Method::GET, "/v1/images/7/8", Route::NoSuchPath),
            (Method::GET, "/v1/images", Route::List),
            (Method::HEAD, "/v1/images", Route::List),
            (Method::DELETE, "/v1/images", Route::MethodNotAllowed("GET, HEAD, POST")),
            (Method::DELETE, "/v1/images/7", Route::Delete("7")),
            (Method::DELETE, "/v1/images/", Route::NoSuchPath),
            (Method::GET, "/v1/images/7/content", Route::Content("7")),
            (Method::HEAD, "/v1/images/7/content", Route::Content("7")),
            (Method::DELETE, "/v1/images/7/content", Route::MethodNotAllowed("GET, HEAD")),
            (Method::GET, "/v1/images//content", Route::NoSuchPath),
            (Method::GET, "/v1/images/7/content/8", Route::NoSuchPath),
            (Method::GET, "/upload", Route::MethodNotAllowed("POST")),
            (Method::GET, "/", Route::Asset(Asset::Page)),
            (Method::HEAD, "/app.js", Route::Asset(Asset::Script)),
            (Method::GET, "/style.css", Route::Asset(Asset::Style)),
            (Method::GET, "/openapi.json", Route::Asset(Asset::OpenApi)),
            (Method::POST, "/app.js", Route::MethodNotAllowed("GET, HEAD")),
            (Method::PUT, "/", Route::MethodNotAllowed("GET, HEAD, POST")),
            (Method::GET, "/v1/events", Route::Events),
            (Method::GET, "/v1/fleet", Route::Fleet),
            (Method::POST, "/v1/fleet", Route::MethodNotAllowed("GET, HEAD")),
            (Method::GET, "/nothing", Route::NoSuchPath),
            (Method::PUT, "/nothing", Route::MethodNotAllowed("POST")),
        ];
        for (method, path, expected) in table {
            assert_eq!(route(&method, path), expected, "{method} {path}");
        }
    }
}
