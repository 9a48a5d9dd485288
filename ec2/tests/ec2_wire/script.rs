//! An endpoint that answers from a script, and keeps what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use warp::Filter as _;
use warp::http::StatusCode;

/// A running endpoint; it ends with its test's runtime.
pub(crate) struct Script {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<BTreeMap<String, String>>>>,
}

impl Script {
    /// Answers with `answers`, status and body, in this order, and with 500 after them.
    pub(crate) async fn start(answers: Vec<(u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, record) = (Arc::new(Mutex::new(VecDeque::from(answers))), asked.clone());
        let routes = warp::post().and(warp::body::form()).map(move |request: BTreeMap<String, String>| {
            record.lock().unwrap().push(request);
            let (status, body) = answers.lock().unwrap().pop_front().unwrap_or((500, String::new()));
            warp::reply::with_status(body, StatusCode::from_u16(status).unwrap())
        });
        tokio::spawn(warp::serve(routes).incoming(listener).run());
        Self { url, asked }
    }

    /// The parameters of all requests so far.
    pub(crate) fn asked(&self) -> Vec<BTreeMap<String, String>> {
        self.asked.lock().unwrap().clone()
    }
}

/// An answer of `action`.
pub(crate) fn answer(action: &str, inside: &str) -> (u16, String) {
    let namespace = "http://ec2.amazonaws.com/doc/2016-11-15/";
    (200, format!("<{action}Response xmlns=\"{namespace}\"><requestId>r-1</requestId>{inside}</{action}Response>"))
}

/// A refusal.
pub(crate) fn refusal(status: u16, code: &str) -> (u16, String) {
    let error = format!("<Error><Code>{code}</Code><Message>because</Message></Error>");
    (status, format!("<Response><Errors>{error}</Errors><RequestID>r-1</RequestID></Response>"))
}
