//! What a request is called: the action for EC2 and SQS, method and kind of object for S3 and Kubernetes, so that the same
//! step of a program has the same name whatever its fleet is called. Pure.

use std::fmt;

use hyper::body::Bytes;
use hyper::http::request::Parts;

/// A server that we stand in front of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// EC2.
    Ec2,
    /// SQS.
    Sqs,
    /// S3.
    S3,
    /// kube-apiserver.
    Kubernetes,
}

impl Service {
    /// As IAM's actions begin; `kube` for Kubernetes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Sqs => "sqs",
            Self::S3 => "s3",
            Self::Kubernetes => "kube",
        }
    }
}

/// What a request asks for, such as `ec2:RunInstances`, `s3:PUT bucket` or `kube:PUT classifierfleets/status`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Call(String);

impl Call {
    pub(super) fn of(service: Service, parts: &Parts, body: &Bytes) -> Self {
        let what = match service {
            Service::Ec2 => form_field(body, "Action"),
            Service::Sqs => target(parts),
            Service::S3 => s3(parts),
            Service::Kubernetes => kubernetes(parts),
        };
        Self(format!("{}:{what}", service.name()))
    }

    /// The call of this name, as [`Call::name`] gives it.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// As shown to people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the answer is a stream that ends when the client has enough.
pub(super) fn is_watch(service: Service, parts: &Parts) -> bool {
    let is_watch = |pair: &str| matches!(pair, "watch=true" | "watch=1" | "watch");
    service == Service::Kubernetes && parts.uri.query().is_some_and(|query| query.split('&').any(is_watch))
}

/// A field of a form-urlencoded body whose value needs no decoding.
fn form_field(body: &Bytes, name: &str) -> String {
    let text = String::from_utf8_lossy(body);
    let value = text.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or("unknown").to_owned()
}

/// `AmazonSQS.SendMessage` in the header of AWS's JSON protocols.
fn target(parts: &Parts) -> String {
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    target.rsplit_once('.').map_or("unknown", |(_, action)| action).to_owned()
}

/// Method, bucket or object, and the subresource that the query names.
fn s3(parts: &Parts) -> String {
    let segments = parts.uri.path().split('/').filter(|segment| !segment.is_empty()).count();
    let object = ["service", "bucket", "object"][segments.min(2)];
    let keys = parts.uri.query().unwrap_or_default().split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    let subresource = keys.into_iter().find(|key| !key.is_empty() && *key != "x-id" && *key != "list-type");
    format!("{} {object}{}", parts.method, subresource.map(|name| format!("?{name}")).unwrap_or_default())
}

/// Method, resource and subresource, without namespaces and names.
fn kubernetes(parts: &Parts) -> String {
    let mut segments: Vec<&str> = parts.uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
    let prefix = if segments.first() == Some(&"apis") { 3 } else { 2 };
    segments.drain(..prefix.min(segments.len()));
    if segments.first() == Some(&"namespaces") && segments.len() > 2 {
        segments.drain(..2);
    }
    let resource = segments.first().copied().unwrap_or("discovery");
    let subresource = segments.get(2).map(|name| format!("/{name}")).unwrap_or_default();
    format!("{} {resource}{subresource}", parts.method)
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn parts(method: &str, uri: &str) -> Parts {
        Request::builder().method(method).uri(uri).header("x-amz-target", "AmazonSQS.SendMessage").body(()).unwrap().into_parts().0
    }

    #[test]
    fn calls_are_named_by_what_they_ask_for() {
        let form = Bytes::from_static(b"Version=2016-11-15&Action=RunInstances&MaxCount=3");
        let table = [
            (Service::Ec2, "POST", "/", "ec2:RunInstances"),
            (Service::Sqs, "POST", "/", "sqs:SendMessage"),
            (Service::S3, "PUT", "/photos", "s3:PUT bucket"),
            (Service::S3, "PUT", "/photos?lifecycle", "s3:PUT bucket?lifecycle"),
            (Service::S3, "GET", "/photos/a/b.jpg?x-id=GetObject", "s3:GET object"),
            (
                Service::Kubernetes,
                "PUT",
                "/apis/classifierfleet.dev/v1alpha1/namespaces/a/classifierfleets/b/status",
                "kube:PUT classifierfleets/status",
            ),
            (Service::Kubernetes, "PATCH", "/api/v1/namespaces/a/services/b?fieldManager=c", "kube:PATCH services"),
            (Service::Kubernetes, "GET", "/apis/apps/v1/statefulsets?limit=1", "kube:GET statefulsets"),
            (Service::Kubernetes, "GET", "/api/v1/namespaces/a", "kube:GET namespaces"),
            (Service::Kubernetes, "GET", "/version", "kube:GET discovery"),
        ];
        for (service, method, uri, name) in table {
            assert_eq!(Call::of(service, &parts(method, uri), &form).name(), name);
        }
    }

    #[test]
    fn only_watches_of_kubernetes_are_watches() {
        let watch = parts("GET", "/apis/apps/v1/statefulsets?allowWatchBookmarks=true&watch=true&timeoutSeconds=290");
        assert!(is_watch(Service::Kubernetes, &watch) && !is_watch(Service::S3, &watch));
        assert!(!is_watch(Service::Kubernetes, &parts("GET", "/apis/apps/v1/statefulsets?limit=500&name=watch")));
    }
}
