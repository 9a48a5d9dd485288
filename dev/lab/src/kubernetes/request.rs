//! Reads the Kubernetes API's paths and queries. Knows nothing of what they lead to.

use std::collections::BTreeMap;

use super::store::Key;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// HTTP's method.
    pub method: String,
    /// The resource and, as far as they are named, namespace and object.
    pub key: Key,
    /// What stands behind the name, such as `status`.
    pub subresource: Option<String>,
    /// The query.
    pub query: BTreeMap<String, String>,
}

impl Request {
    /// Reads a path such as `/apis/apps/v1/namespaces/shop/statefulsets/photos/status`; none if it is none of the API's.
    #[must_use]
    pub fn read(method: &str, path: &str, query: Option<&str>) -> Option<Self> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => (format!("api/{version}"), rest),
            ["apis", group, version, rest @ ..] => (format!("apis/{group}/{version}"), rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (plural, "", None),
            [plural, name] => (plural, *name, None),
            [plural, name, sub] => (plural, *name, Some((*sub).to_owned())),
            _ => return None,
        };
        let key = Key { resource: format!("{group}/{plural}"), namespace: namespace.to_owned(), name: name.to_owned() };
        let query = serde_urlencoded::from_str(query.unwrap_or_default()).unwrap_or_default();
        Some(Self { method: method.to_owned(), key, subresource, query })
    }

    /// Whether it is a watch.
    #[must_use]
    pub fn is_watch(&self) -> bool {
        self.query.get("watch").is_some_and(|value| value == "true" || value == "1")
    }

    /// Whether it may change something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.method != "GET"
    }

    /// The verb and the object, for a log.
    #[must_use]
    pub fn summary(&self) -> String {
        let verb = if self.is_watch() { "WATCH" } else { &self.method };
        let (plural, sub) = (self.key.resource.rsplit('/').next().unwrap_or_default(), self.subresource.as_deref().unwrap_or_default());
        format!("{verb} {plural}/{} {sub}", self.key.name).trim_end().to_owned()
    }

    /// Whether the labels of `object` are those that are asked for: `a=b,c=d`.
    #[must_use]
    pub fn selects(&self, object: &serde_json::Value) -> bool {
        let wanted = self.query.get("labelSelector").map(String::as_str).unwrap_or_default();
        let pairs = wanted.split(',').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().all(|(name, value)| object["metadata"]["labels"][name] == value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        let read = |path: &str| {
            let Request { key, subresource, .. } = Request::read("GET", path, None).unwrap();
            (key.resource, key.namespace, key.name, subresource)
        };
        let own = |texts: [&str; 3], sub: Option<&str>| (texts[0].into(), texts[1].into(), texts[2].into(), sub.map(str::to_owned));
        assert_eq!(read("/api/v1/namespaces/kube-system"), own(["api/v1/namespaces", "", "kube-system"], None));
        assert_eq!(read("/apis/apps/v1/statefulsets"), own(["apis/apps/v1/statefulsets", "", ""], None));
        assert_eq!(read("/apis/a/v1/namespaces/n/things/t/status"), own(["apis/a/v1/things", "n", "t"], Some("status")));
        assert!(Request::read("GET", "/version", None).is_none());
    }
}
