//! Who is let in: everybody, or who knows the token in a file. Knows nothing of what is asked for.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest as _, Sha256};
use warp::http::header::AUTHORIZATION;
use warp::http::{HeaderMap, Method};

use crate::files::Watched;
use crate::refusal::Refusal;

/// What a browser must load before anybody can type a token, and what says how to use one.
const PUBLIC: [&str; 4] = ["/", "/app.js", "/style.css", "/openapi.json"];

/// Comparing digests takes the same time wherever two tokens begin to differ: nobody can choose what theirs is.
type Token = [u8; 32];

/// The token that is asked for, if any.
#[derive(Debug, Clone)]
pub(crate) struct Access(Option<Arc<TokenFile>>);

#[derive(Debug)]
struct TokenFile {
    path: PathBuf,
    /// None while the file is missing or empty, and nobody is let in.
    token: RwLock<Option<Token>>,
}

impl Access {
    /// For who knows the token in `file`; without one for everybody.
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self(file.map(|path| {
            let token = read(&path);
            if token.is_none() {
                tracing::warn!(file = %path.display(), "the file with the token is missing or empty: nobody is let in");
            }
            Arc::new(TokenFile { token: RwLock::new(token), path })
        }))
    }

    /// Follows the file for ever.
    pub(crate) async fn follow(self) {
        let Some(file) = self.0 else { return std::future::pending().await };
        let mut watched = Watched::new(*file.token.read().unwrap_or_else(PoisonError::into_inner));
        loop {
            let token = watched.changed(|| read(&file.path)).await;
            *file.token.write().unwrap_or_else(PoisonError::into_inner) = token;
            match token {
                Some(_) => tracing::info!(file = %file.path.display(), "the token has changed"),
                None => tracing::warn!(file = %file.path.display(), "the file with the token is missing or empty: nobody is let in"),
            }
        }
    }

    /// Whether a request is let in.
    pub(crate) fn check(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let Some(file) = self.0.as_ref().filter(|_| *method != Method::OPTIONS && !(reads && PUBLIC.contains(&path))) else {
            return Ok(());
        };
        let asked_for = *file.token.read().unwrap_or_else(PoisonError::into_inner);
        let asked_for = asked_for.ok_or(Refusal::TokenUnknown)?;
        let given = headers.get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes())).ok_or(Refusal::NoToken)?;
        if digest(given) == asked_for { Ok(()) } else { Err(Refusal::WrongToken) }
    }
}

fn read(path: &Path) -> Option<Token> {
    let text = std::fs::read(path).ok()?;
    let token = text.trim_ascii();
    (!token.is_empty()).then(|| digest(token))
}

fn digest(token: &[u8]) -> Token {
    Sha256::digest(token).into()
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii()).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Status of the refusal, 200 for none.
    fn status(access: &Access, method: &Method, path: &str, authorization: Option<&str>) -> u16 {
        let headers = authorization.map(|value| (AUTHORIZATION, value.parse().unwrap()));
        match access.check(method, path, &headers.into_iter().collect()) {
            Ok(()) => 200,
            Err(refusal) => refusal.class().0.as_u16(),
        }
    }

    #[test]
    fn who_knows_the_token_is_let_in() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "s3cret\n").unwrap();
        let access = Access::new(Some(file));
        let table = [
            (Some("Bearer s3cret"), 200),
            (Some("bearer  s3cret"), 200),
            (Some("Bearer s3cret2"), 401),
            (Some("Bearer s3cre"), 401),
            (Some("Bearer "), 401),
            (Some("Bearer"), 401),
            (Some("Basic s3cret"), 401),
            (Some("s3cret"), 401),
            (None, 401),
        ];
        for (authorization, expected) in table {
            assert_eq!(status(&access, &Method::POST, "/upload", authorization), expected, "{authorization:?}");
            assert_eq!(status(&Access::new(None), &Method::POST, "/upload", authorization), 200);
        }
    }

    #[test]
    fn some_things_everybody_may_see() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::new(Some(folder.path().join("missing")));
        let table = [
            (Method::GET, "/", 200),
            (Method::HEAD, "/app.js", 200),
            (Method::GET, "/style.css", 200),
            (Method::GET, "/openapi.json", 200),
            (Method::OPTIONS, "/v1/images", 200),
            (Method::POST, "/", 503),
            (Method::DELETE, "/app.js", 503),
            (Method::GET, "/v1/images", 503),
            (Method::GET, "/app.js/", 503),
            (Method::GET, "//", 503),
        ];
        for (method, path, expected) in table {
            assert_eq!(status(&access, &method, path, Some("Bearer x")), expected, "{method} {path}");
        }
    }
}
