//! Responses out of what became of a request's images. Pure.

use serde_json::{Value, json};
use warp::http::header::{ACCEPT, CONTENT_LOCATION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use warp::http::{HeaderMap, Response, StatusCode};
use wire::JobResult;

use super::problem;
use crate::answer;
use crate::refusal::Refusal;
use crate::settings::ResponseFormat;
use crate::upload::{Fate, Image};

/// The images of a request, and why it ended early when it did.
pub(crate) struct Received<I> {
    pub(crate) images: Vec<I>,
    pub(crate) broken: Option<Refusal>,
}

/// Json for those who accept it by name, else what is set.
pub(crate) fn format(headers: &HeaderMap, default: ResponseFormat) -> ResponseFormat {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let mut names = accepted.filter_map(|range| range.split(';').next());
    let json = names.any(|name| name.trim().eq_ignore_ascii_case("application/json"));
    if json { ResponseFormat::Json } else { default }
}

/// 200 when every image has its label, else the gravest problem, with all images when there were several.
pub(crate) fn labels(received: &Received<Image>, format: ResponseFormat) -> Response<String> {
    if let Some(problem) = problem(received) {
        return problem;
    }
    let jobs: Vec<&JobResult> = received.images.iter().filter_map(classified).collect();
    let mut response = match (format, &jobs[..]) {
        (ResponseFormat::Json, [job]) => json(&answer::finished(job)),
        (ResponseFormat::Json, jobs) => json(&jobs.iter().map(|job| answer::finished(job)).collect()),
        (format, jobs) => text(jobs.iter().map(|job| answer::line(job, format)).collect::<Vec<_>>().join("\n")),
    };
    if let [job] = &jobs[..] {
        set(&mut response, CONTENT_LOCATION, &answer::url(job.id));
    }
    response
}

/// Whether all labels of an answer were known before their images came: `HIT` or `MISS`.
pub(crate) fn set_cached(response: &mut Response<String>, received: &Received<Image>) {
    let jobs: Vec<&JobResult> = received.images.iter().filter_map(classified).collect();
    let hit = !jobs.is_empty() && jobs.len() == received.images.len() && jobs.iter().all(|job| job.cached);
    set(response, HeaderName::from_static("x-cache"), if hit { "HIT" } else { "MISS" });
}

/// 202 with the ids when every image was accepted, else the gravest problem.
pub(crate) fn ids(received: &Received<Image>) -> Response<String> {
    if let Some(problem) = problem(received) {
        return problem;
    }
    let images: Vec<Value> = received.images.iter().map(answer::image).collect();
    let mut response = json(&json!({ "images": images }));
    *response.status_mut() = StatusCode::ACCEPTED;
    let id = match &received.images[..] {
        [Image { fate: Fate::Pending(id), .. }] => Some(*id),
        [Image { fate: Fate::Classified(job), .. }] => Some(job.id),
        _ => None,
    };
    if let Some(id) = id {
        set(&mut response, LOCATION, &answer::url(id));
    }
    response
}

/// 200 with one value.
pub(crate) fn json(value: &Value) -> Response<String> {
    let mut response = Response::new(value.to_string());
    set(&mut response, CONTENT_TYPE, "application/json");
    response
}

fn text(body: String) -> Response<String> {
    let mut response = Response::new(body);
    set(&mut response, CONTENT_TYPE, "text/plain; charset=utf-8");
    response
}

fn set(response: &mut Response<String>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn classified(image: &Image) -> Option<&JobResult> {
    match &image.fate {
        Fate::Classified(job) => Some(job),
        _ => None,
    }
}

/// What ended the request, else the refusal with the highest status: what is wrong here goes before what is wrong
/// with an image, so that who tries again does so for the right reason.
fn problem(received: &Received<Image>) -> Option<Response<String>> {
    let Received { images, broken } = received;
    let refusals = images.iter().filter_map(|image| match &image.fate {
        Fate::Refused(refusal) => Some(refusal),
        _ => None,
    });
    let gravest = broken.as_ref().or_else(|| refusals.max_by_key(|refusal| refusal.class().0.as_u16()))?;
    let alone = images.len() == 1 && broken.is_none();
    let listed = if alone { Vec::new() } else { images.iter().map(answer::image).collect() };
    Some(problem::response(gravest, listed))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn json_is_for_those_who_ask_for_it() {
        let table = [
            ("*/*", ResponseFormat::Label),
            ("application/json", ResponseFormat::Json),
            ("text/html, Application/JSON;q=0.9, */*;q=0.1", ResponseFormat::Json),
            ("text/plain", ResponseFormat::Label),
            ("application/json-patch+json", ResponseFormat::Label),
        ];
        for (accept, expected) in table {
            let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
            assert_eq!(format(&headers, ResponseFormat::Label), expected, "{accept}");
        }
        assert_eq!(format(&HeaderMap::new(), ResponseFormat::Pair), ResponseFormat::Pair);
    }

    #[test]
    fn the_gravest_problem_is_the_answer_and_all_images_are_listed() {
        let refused = |refusal| Image { name: "a.jpg".to_owned(), fate: Fate::Refused(refusal) };
        let images = vec![
            Image { name: "b.jpg".to_owned(), fate: Fate::Pending(uuid::Uuid::nil()) },
            refused(Refusal::Busy { limit: 1, retry_seconds: 5 }),
            refused(Refusal::Empty { name: "a.jpg".to_owned() }),
        ];
        let response = ids(&Received { images, broken: None });
        assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"5".parse::<HeaderValue>().unwrap()));
        let problem: Value = serde_json::from_str(response.body()).unwrap();
        let states: Vec<_> = problem["images"].as_array().unwrap().iter().map(|image| image["status"].as_str().unwrap()).collect();
        assert_eq!(states, ["Pending", "Refused", "Refused"]);
    }
}
