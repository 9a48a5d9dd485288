//! What is served as it was built: the page and the description of the API. Knows nothing of what they do.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use warp::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use warp::http::{HeaderMap, Response, StatusCode};

/// The page may speak to its own gateway alone, and nothing may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page's program: one file for browsers, one for each subject here.
const SCRIPT: &str = concat!(
    include_str!("../page/script/api.js"),
    include_str!("../page/script/items.js"),
    include_str!("../page/script/thumbnails.js"),
    include_str!("../page/script/uploads.js"),
    include_str!("../page/script/live.js"),
    include_str!("../page/script/rows.js"),
    include_str!("../page/script/strip.js"),
    include_str!("../page/script/files.js"),
    include_str!("../page/script/main.js"),
);

/// A file that is part of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asset {
    Page,
    Script,
    Style,
    OpenApi,
}

impl Asset {
    /// The file at a path.
    pub(crate) fn at(path: &str) -> Option<Self> {
        match path {
            "/" => Some(Self::Page),
            "/app.js" => Some(Self::Script),
            "/style.css" => Some(Self::Style),
            "/openapi.json" => Some(Self::OpenApi),
            _ => None,
        }
    }

    /// Whether it is but a file: the page's own path takes uploads as well.
    pub(crate) fn is_file(self) -> bool {
        self != Self::Page
    }

    fn text(self) -> &'static str {
        match self {
            Self::Page => include_str!("../page/index.html"),
            Self::Script => SCRIPT,
            Self::Style => include_str!("../page/style.css"),
            Self::OpenApi => include_str!("openapi.json"),
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Page => "text/html; charset=utf-8",
            Self::Script => "text/javascript; charset=utf-8",
            Self::Style => "text/css; charset=utf-8",
            Self::OpenApi => "application/json",
        }
    }

    /// The same for all replicas of one version.
    fn tag(self) -> String {
        let mut hasher = DefaultHasher::new();
        self.text().hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    }

    /// The file, or that the client has it already.
    pub(crate) fn response(self, headers: &HeaderMap) -> Response<String> {
        let tag = self.tag();
        let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let is_known = known.map(|known| known.trim().trim_start_matches("W/")).any(|known| known == tag || known == "*");
        let mut response = Response::new(if is_known { String::new() } else { self.text().to_owned() });
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let mut set =
            |name: HeaderName, value: &str| response.headers_mut().extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        set(CONTENT_TYPE, self.media_type());
        set(ETAG, &tag);
        // Asked for anew each time and hardly ever sent again: a page and a program of two versions do not fit together.
        set(CACHE_CONTROL, "no-cache");
        set(X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(REFERRER_POLICY, "no-referrer");
        set(CONTENT_SECURITY_POLICY, POLICY);
        response
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn who_has_a_file_is_not_sent_it_again() {
        let first = Asset::Page.response(&HeaderMap::new());
        assert_eq!(
            (first.status().as_u16(), &first.headers()[CONTENT_TYPE]),
            (200, &"text/html; charset=utf-8".parse::<HeaderValue>().unwrap())
        );
        for (condition, status) in [(first.headers()[ETAG].to_str().unwrap(), 304), ("W/\"0\", *", 304), ("\"0\"", 200)] {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, condition.parse().unwrap())]);
            let again = Asset::Page.response(&headers);
            assert_eq!((again.status().as_u16(), again.body().is_empty()), (status, status == 304), "{condition}");
            assert_eq!(again.headers()[ETAG], first.headers()[ETAG]);
        }
    }

    #[test]
    fn the_page_asks_for_nothing_from_elsewhere() {
        for asset in [Asset::Page, Asset::Script, Asset::Style] {
            let text = asset.text().replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("\"//"), "{asset:?}");
        }
    }
}
