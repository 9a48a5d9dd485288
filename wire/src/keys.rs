//! Where a job's image and result lie in their buckets.

use uuid::Uuid;

/// Longest file name that is kept, in bytes: a job names it twice and must stay below 1 KiB.
const MAX_NAME_BYTES: usize = 160;

/// The object keys of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectKeys {
    /// `<id>/<name>` in the input bucket.
    pub input: String,
    /// `<id>/<name>.json` in the output bucket.
    pub result: String,
}

impl ObjectKeys {
    /// Keys of the job `id` whose image is called `name` (already cleaned by [`file_name`]).
    #[must_use]
    pub fn new(id: Uuid, name: &str) -> Self {
        Self { input: format!("{}{name}", Self::prefix(id)), result: format!("{}{name}.json", Self::prefix(id)) }
    }

    /// What all keys of a job begin with: finds them when only the id is known.
    #[must_use]
    pub fn prefix(id: Uuid) -> String {
        format!("{id}/")
    }
}

/// A file name without its extension: where the label lies for those who read the output bucket by names.
#[must_use]
pub fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

/// The uploader's file name made safe for a key and a log line: the last path component, without control
/// characters and without what JSON would have to escape; `image` when nothing is left. Of more than 160 bytes the end is
/// cut off, between two characters and before the extension (of at most 8 bytes).
#[must_use]
pub fn file_name(raw: &str) -> String {
    let last = raw.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !c.is_control() && *c != '"').collect();
    let clean = clean.trim();
    if clean.is_empty() || clean.chars().all(|c| c == '.') {
        return "image".to_owned();
    }
    shorten(clean)
}

fn shorten(name: &str) -> String {
    if name.len() <= MAX_NAME_BYTES {
        return name.to_owned();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= 8 => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let end = stem.floor_char_boundary(MAX_NAME_BYTES - extension.len());
    format!("{}{extension}", &stem[..end])
}
