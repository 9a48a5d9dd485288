//! An API server that gives canned answers, over HTTP.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::{Value, json};

/// What is answered to a path that holds this text, the first that fits.
pub type Answers = Vec<(&'static str, u16, String)>;

/// Serves `answers` until the test ends; everything else is not found. Returns its URL.
pub fn serve(answers: Answers) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers = Arc::new(answers);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (connection, answers) = (connection.unwrap(), Arc::clone(&answers));
            // A client may open one and ask by another.
            std::thread::spawn(move || answer(&connection, &answers));
        }
    });
    url
}

fn answer(mut connection: &TcpStream, answers: &Answers) {
    let mut lines = BufReader::new(connection).lines();
    let Some(Ok(first)) = lines.next() else { return };
    // What it asks by GET has no body.
    lines.map_while(Result::ok).find(String::is_empty);
    let found = answers.iter().find(|(path, ..)| first.contains(path));
    let (status, body) = found.map_or_else(|| (404, refusal(404, "nothing here")), |(_, status, body)| (*status, body.clone()));
    let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    connection.write_all((head + &body).as_bytes()).unwrap();
}

pub fn refusal(code: u16, message: &str) -> String {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": "-", "message": message}).to_string()
}

pub fn list(kind: &str, items: &[Value]) -> String {
    json!({"kind": kind, "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}).to_string()
}
