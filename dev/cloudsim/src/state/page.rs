//! Owns paging: cutting an ordered list into pages, and the tokens between them. Knows nothing of what is listed.

use std::fmt::Display;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::refusal::Refusal;

/// Which page is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paging {
    /// `MaxResults`; without it all come at once.
    pub max_results: Option<usize>,
    /// `NextToken` of the page before.
    pub next_token: Option<String>,
}

/// A page and, if more follows, the token that asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on this page.
    pub items: Vec<T>,
    /// `NextToken`
    pub next_token: Option<String>,
}

impl Paging {
    /// Cuts this page out of `items`, which are in the order of `key`. The token names the last key given out, so that
    /// what comes or goes between two calls makes nothing appear twice or be skipped.
    ///
    /// # Errors
    /// `InvalidNextToken`; `InvalidParameterValue` when MaxResults is outside `allowed`.
    pub(super) fn cut<T, K: Ord + Display + FromStr>(
        &self,
        items: impl Iterator<Item = T>,
        key: impl Fn(&T) -> K,
        allowed: std::ops::RangeInclusive<usize>,
    ) -> Result<Page<T>, Refusal> {
        let limit = self.limit(&allowed)?;
        let after: Option<K> = self.after()?;
        let mut rest = items.filter(|item| after.as_ref().is_none_or(|after| key(item) > *after)).peekable();
        let items: Vec<T> = rest.by_ref().take(limit).collect();
        let more = rest.peek().is_some();
        let next_token = items.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(format!("after {}", key(last))));
        Ok(Page { items, next_token })
    }

    /// The key that the page before ended with.
    ///
    /// # Errors
    /// `InvalidNextToken`
    pub(super) fn after<K: FromStr>(&self) -> Result<Option<K>, Refusal> {
        self.next_token.as_deref().map(decode).transpose()
    }

    fn limit(&self, allowed: &std::ops::RangeInclusive<usize>) -> Result<usize, Refusal> {
        match self.max_results {
            None => Ok(usize::MAX),
            Some(limit) if allowed.contains(&limit) => Ok(limit),
            Some(limit) => Err(Refusal::InvalidParameterValue(format!(
                "Value ( {limit} ) for parameter maxResults is invalid. Expecting a value between {} and {}.",
                allowed.start(),
                allowed.end()
            ))),
        }
    }
}

fn decode<K: FromStr>(token: &str) -> Result<K, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let key = text.as_deref().and_then(|text| text.strip_prefix("after "));
    key.and_then(|key| key.parse().ok()).ok_or_else(|| Refusal::InvalidNextToken(token.to_owned()))
}
