//! S3's protocol for what the operator asks: buckets with their tags and lifecycle, empty of objects.

use std::collections::BTreeMap;

use super::connector::Answer;

#[derive(Debug, Default)]
struct Bucket {
    /// As it was written.
    lifecycle: Option<String>,
    /// The list of tags, in XML.
    tags: Option<String>,
}

/// All buckets by name.
#[derive(Debug, Default)]
pub(super) struct Buckets(BTreeMap<String, Bucket>);

impl Buckets {
    /// One request; `place` is host and path with the query.
    pub(super) fn call(&mut self, method: &str, place: &str, body: &str) -> Answer {
        let (place, query) = place.split_once('?').unwrap_or((place, ""));
        let (host, path) = place.split_once('/').unwrap_or((place, ""));
        let named = host.split_once(".s3.").map_or_else(|| path.split('/').next().unwrap_or_default(), |(bucket, _)| bucket);
        let name = named.to_owned();
        let about =
            query.split('&').map(|pair| pair.split('=').next().unwrap_or_default()).find(|word| *word != "x-id").unwrap_or_default();
        if (method, about) == ("PUT", "") {
            self.0.entry(name).or_default().tags = between(body, "Tags");
            return (200, String::new());
        }
        let Some(bucket) = self.0.get_mut(&name) else { return missing(404, "NoSuchBucket") };
        match (method, about) {
            ("HEAD", _) => (200, String::new()),
            ("GET", "lifecycle") => {
                bucket.lifecycle.clone().map_or_else(|| missing(404, "NoSuchLifecycleConfiguration"), |rules| (200, rules))
            }
            ("PUT", "lifecycle") => {
                bucket.lifecycle = Some(body.to_owned());
                (200, String::new())
            }
            ("DELETE", "lifecycle") => {
                bucket.lifecycle = None;
                (204, String::new())
            }
            ("GET", "tagging") => bucket.tags.as_ref().map_or_else(|| missing(404, "NoSuchTagSet"), |tags| (200, tagging(tags))),
            ("PUT", "tagging") => {
                bucket.tags = between(body, "TagSet");
                (200, String::new())
            }
            ("GET", "versions") => (200, "<ListVersionsResult></ListVersionsResult>".to_owned()),
            ("DELETE", "") => {
                self.0.remove(&name);
                (204, String::new())
            }
            _ => missing(501, "NotImplemented"),
        }
    }
}

fn tagging(tags: &str) -> String {
    format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")
}

/// What stands inside the first element of this name.
fn between(xml: &str, element: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{element}>"))?;
    rest.split_once(&format!("</{element}>")).map(|(inside, _)| inside.to_owned())
}

fn missing(status: u16, code: &str) -> Answer {
    (status, format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>"))
}
