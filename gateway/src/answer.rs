//! What an image's fate looks like to its uploader: a line of text or one JSON schema for all states. Pure.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;
use wire::{JobResult, Outcome, stem};

use crate::settings::ResponseFormat;
use crate::upload::{Fate, Image};
use crate::waiting::accepted_at;

/// Where a result is asked for.
pub(crate) fn url(id: Uuid) -> String {
    format!("/v1/images/{id}")
}

/// One image as JSON: `status` is Pending, Classified, Failed or, without an id, Refused.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum View<'a> {
    Finished {
        /// The label, under the name that existing clients know.
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<&'a str>,
        url: String,
        #[serde(flatten)]
        job: &'a JobResult,
    },
    Pending {
        id: Uuid,
        name: &'a str,
        status: &'static str,
        url: String,
        /// RFC 3339; of an id that holds no time, absent.
        #[serde(rename = "submittedAt", skip_serializing_if = "Option::is_none")]
        submitted_at: Option<Timestamp>,
    },
    /// `detail` says why; `code` is that of the problem.
    Refused {
        name: &'a str,
        status: &'static str,
        code: &'static str,
        detail: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Uuid>,
        #[serde(skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
}

/// A finished job as JSON.
pub(crate) fn finished(job: &JobResult) -> Value {
    json(&View::Finished { result: label(job), url: url(job.id), job })
}

/// A job without a result yet as JSON.
pub(crate) fn pending(id: Uuid, name: &str) -> Value {
    json(&View::Pending { id, name, status: "Pending", url: url(id), submitted_at: accepted_at(&id) })
}

/// An image as JSON, whatever became of it.
pub(crate) fn image(image: &Image) -> Value {
    let refusal = match &image.fate {
        Fate::Classified(job) => return finished(job),
        Fate::Pending(id) => return pending(*id, &image.name),
        Fate::Refused(refusal) => refusal,
    };
    let id = refusal.id();
    let status = match (id, refusal.class().1) {
        (None, _) => "Refused",
        (Some(_), "late") => "Pending",
        (Some(_), _) => "Failed",
    };
    let (code, detail, url) = (refusal.class().1, refusal.to_string(), id.map(url));
    json(&View::Refused { name: &image.name, status, code, detail, id, url })
}

/// One image as a line of text; `format` is not Json.
pub(crate) fn line(job: &JobResult, format: ResponseFormat) -> String {
    let label = label(job).unwrap_or_default();
    match format {
        ResponseFormat::StemLabel => format!("{}:{label}", stem(&job.name)),
        ResponseFormat::Pair => format!("({},{label})", job.name),
        ResponseFormat::Label | ResponseFormat::Json => label.to_owned(),
    }
}

fn label(job: &JobResult) -> Option<&str> {
    match &job.outcome {
        Outcome::Classified { label, .. } => Some(label),
        Outcome::Failed { .. } => None,
    }
}

fn json(view: &View<'_>) -> Value {
    // Only maps with keys that are no strings can fail, and a view has none.
    serde_json::to_value(view).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use wire::ErrorCode;

    use super::*;
    use crate::refusal::Refusal;

    fn job(name: &str, outcome: &Value) -> JobResult {
        let mut job = serde_json::json!({
            "id": Uuid::nil(), "name": name, "model": {"name": "m", "version": "1"}, "revision": "r", "worker": "i-0",
            "submittedAt": "2026-01-02T03:04:05Z", "finishedAt": "2026-01-02T03:04:06Z",
            "timings": {"queueMs": 1.0, "fetchMs": 1.0, "decodeMs": 1.0, "inferMs": 1.0},
        });
        job.as_object_mut().unwrap().extend(outcome.as_object().unwrap().clone());
        serde_json::from_value(job).unwrap()
    }

    fn paul(name: &str) -> JobResult {
        job(name, &serde_json::json!({"status": "Classified", "label": "Paul", "predictions": []}))
    }

    #[test]
    fn a_line_has_the_format_that_was_chosen() {
        let table = [
            (ResponseFormat::Label, "test_00.jpg", "Paul"),
            (ResponseFormat::StemLabel, "test_00.jpg", "test_00:Paul"),
            (ResponseFormat::StemLabel, "a.b.tar.gz", "a.b.tar:Paul"),
            (ResponseFormat::StemLabel, ".hidden", ".hidden:Paul"),
            (ResponseFormat::StemLabel, "plain", "plain:Paul"),
            (ResponseFormat::Pair, "test_00.jpg", "(test_00.jpg,Paul)"),
        ];
        for (format, name, expected) in table {
            assert_eq!(line(&paul(name), format), expected);
        }
    }

    #[test]
    fn json_has_one_schema_for_all_states() {
        let id = Uuid::nil();
        let classified = finished(&paul("a.jpg"));
        assert_eq!(
            (&classified["result"], &classified["status"], &classified["name"]),
            (&"Paul".into(), &"Classified".into(), &"a.jpg".into())
        );
        let failed = finished(&job("a.jpg", &serde_json::json!({"status": "Failed", "code": "Corrupt", "message": "cut off"})));
        assert_eq!((&failed["result"], &failed["status"], &failed["code"]), (&Value::Null, &"Failed".into(), &"Corrupt".into()));
        assert_eq!(pending(id, "a.jpg"), serde_json::json!({"id": id, "name": "a.jpg", "status": "Pending", "url": url(id)}));
        let id: Uuid = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        assert_eq!(pending(id, "a.jpg")["submittedAt"], "2023-06-30T03:34:18.518Z");
    }

    #[test]
    fn each_refusal_says_whether_the_image_still_has_an_id() {
        let (id, name) = (Uuid::nil(), "a.jpg".to_owned());
        let table = [
            (Refusal::Empty { name: name.clone() }, "Refused", Value::Null),
            (Refusal::Late { id, name: name.clone(), seconds: 1 }, "Pending", url(id).into()),
            (Refusal::Failed { id, code: ErrorCode::Corrupt, message: "cut off".to_owned() }, "Failed", url(id).into()),
        ];
        for (refusal, status, url) in table {
            let view = image(&Image { name: name.clone(), fate: Fate::Refused(refusal) });
            assert_eq!((&view["status"], &view["url"]), (&status.into(), &url));
        }
    }
}
