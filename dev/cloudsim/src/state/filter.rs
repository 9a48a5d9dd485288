//! Owns EC2's filters: names, values, wildcards. Knows nothing of what a name means for a resource.

use super::tags::Tags;
use crate::refusal::Refusal;

/// `Filter.n`: matches when any of the values does; all filters of a request must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Such as `instance-state-name` or `tag:Name`.
    pub name: String,
    /// Patterns with `*` and `?`.
    pub values: Vec<String>,
}

impl Filter {
    /// Whether any of these texts matches any of the values.
    pub(super) fn allows<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        texts.into_iter().any(|text| self.values.iter().any(|pattern| matches(pattern, text)))
    }

    /// The values, if there is no wildcard in any of them.
    pub(super) fn literals(&self) -> Option<&[String]> {
        let literal = |value: &String| !value.contains(['*', '?', '\\']);
        self.values.iter().all(literal).then_some(&self.values)
    }

    /// The answer for `tag:KEY`, `tag-key` and `tag-value`; `None` when the filter is not about tags.
    pub(super) fn allows_tags(&self, tags: &Tags) -> Option<bool> {
        if let Some(key) = self.name.strip_prefix("tag:") {
            return Some(self.allows(tags.get(key).map(String::as_str)));
        }
        match self.name.as_str() {
            "tag-key" => Some(self.allows(tags.keys().map(String::as_str))),
            "tag-value" => Some(self.allows(tags.values().map(String::as_str))),
            _ => None,
        }
    }

    /// What EC2 answers to a filter that it does not have.
    pub(super) fn unknown(&self) -> Refusal {
        Refusal::InvalidParameterValue(format!("The filter '{}' is invalid", self.name))
    }
}

/// `*` stands for any text, `?` for one character, a backslash takes the next character literally.
fn matches(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.any(|at| matches(rest.as_str(), &text[at..]))
        }
        Some(wanted) => {
            let literal = if wanted == '\\' { rest.next() } else { None };
            let mut remaining = text.chars();
            let Some(found) = remaining.next() else {
                return false;
            };
            let fits = literal.map_or(wanted == '?' || wanted == found, |literal| literal == found);
            fits && matches(rest.as_str(), remaining.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards() {
        let cases = [
            ("running", "running", true),
            ("run*", "running", true),
            ("*", "", true),
            ("*ing", "running", true),
            ("r?nning", "running", true),
            ("run", "running", false),
            ("Running", "running", false),
            ("*a*b*", "xaxxbx", true),
            ("*a*b*", "xbxxax", false),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            (r"a\?", "a?", true),
            ("?", "é", true),
            ("", "", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }
}
