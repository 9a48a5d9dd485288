//! People who upload photos all the time, each photo until it is answered, and what they are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use uuid::Uuid;
use xtask::photos::Photo;

/// Uploads under way at a time.
const PEOPLE: usize = 4;
/// Longer than any roll-out takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// What was uploaded and answered.
#[derive(Default)]
struct Seen {
    answers: Vec<(usize, Value)>,
    /// How often an upload had to be sent again, by status; 0: no answer came.
    again: BTreeMap<u16, usize>,
}

/// Uploads `photos` to `url` in turn while `meanwhile` goes on. Each upload must be answered with the label that its photo has in
/// `labels`, under an id of its own. Returns what `meanwhile` came to.
pub async fn during<T>(what: &str, url: &str, photos: &[Photo], labels: &[Value], meanwhile: impl Future<Output = T>) -> T {
    let (begun, seen, ends, next) = (Instant::now(), Mutex::<Seen>::default(), AtomicBool::new(false), AtomicUsize::new(0));
    // No connection is kept: the Service chooses anew for each upload.
    let http = Client::builder().pool_max_idle_per_host(0).connect_timeout(Duration::from_secs(5)).timeout(PATIENCE).build().unwrap();
    let run = Uuid::new_v4();
    let person = async || {
        while !ends.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let place = number % photos.len();
            let answer = upload(&http, url, &photos[place], &format!("{run}-{number}"), &seen).await;
            seen.lock().unwrap().answers.push((place, answer));
        }
    };
    let end = async {
        let outcome = meanwhile.await;
        ends.store(true, Ordering::Relaxed);
        outcome
    };
    let (outcome, _) = tokio::join!(end, join_all((0..PEOPLE).map(|_| person())));
    let Seen { answers, again } = seen.into_inner().unwrap();
    assert!(answers.len() >= PEOPLE, "{what}: nobody uploaded anything");
    let ids: BTreeSet<&str> = answers.iter().map(|(_, answer)| answer["id"].as_str().unwrap()).collect();
    assert_eq!((answers.len(), ids.len()), (next.into_inner(), answers.len()), "each upload has its own id");
    for (place, answer) in &answers {
        assert_eq!(answer["result"], labels[*place], "{}: {answer}", photos[*place].name);
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{what}: {seconds:.0} s, {} uploads, each answered with its own label; sent again, by status (0: none): {again:?}", ids.len());
    outcome
}

/// As a client that wants its photo classified once: the same key until there is an answer.
async fn upload(http: &Client, url: &str, photo: &Photo, key: &str, seen: &Mutex<Seen>) -> Value {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "{key} found nobody to take it: {:?}", seen.lock().unwrap().again);
        let form = Form::new().part("myfile", Part::bytes(photo.bytes.clone()).file_name(photo.name.clone()));
        let request = http.post(format!("{url}/upload")).header("accept", "application/json").header("idempotency-key", key);
        let status = match request.multipart(form).send().await {
            Ok(answer) if answer.status() == 200 => match answer.json().await {
                Ok(answer) => return answer,
                Err(_) => 0,
            },
            Ok(answer) => answer.status().as_u16(),
            Err(_) => 0,
        };
        assert!([0, 409, 429, 502, 503, 504].contains(&status), "{key} was answered {status}");
        *seen.lock().unwrap().again.entry(status).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
