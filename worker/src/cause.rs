//! Errors of the AWS SDK say "service error" and hide the reason in their sources: the whole chain in one line.

use std::error::Error;

/// The error and its sources, without what is said twice in a row.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect();
    parts.dedup();
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::chain;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn sources_follow_once_each() {
        let deep = Layer("service error", Some(Box::new(Layer("no such key", Some(Box::new(Layer("no such key", None)))))));
        assert_eq!(chain(&deep), "service error: no such key");
    }
}
