//! Events on their way to a listener: as server-sent events, or over a WebSocket. Knows nothing of what they are about.

use std::convert::Infallible;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _, stream};
use tokio::time::{Instant, MissedTickBehavior, timeout};
use warp::Reply as _;
use warp::http::HeaderMap;
use warp::http::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use warp::reply::Response;
use warp::sse;
use warp::ws::{Message, WebSocket, Ws};

use super::query;
use crate::core::Core;
use crate::events::{Event, Listener};
use crate::refusal::Refusal;

/// Something is sent at least so often, so that nothing between us and the listener takes the connection for dead.
const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// A WebSocket that takes nothing for so long, or answers no ping, is dropped.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of the largest message that a listener may send: it has nothing to say.
const MAX_MESSAGE_BYTES: usize = 4096;
/// How long a client shall wait before it connects again, unless it knows better.
const RETRY: Duration = Duration::from_secs(2);
/// Close codes of RFC 6455.
const GOING_AWAY: u16 = 1001;

/// `GET /v1/events`.
///
/// # Errors
/// When as many listen as may, or a page of another origin opens a WebSocket.
pub(super) fn response(core: &Core, headers: &HeaderMap, query: &str, socket: Option<Ws>) -> Result<Response, Refusal> {
    let Some(socket) = socket else {
        return Ok(server_sent(core.events.listen(last(headers, query).as_deref())?));
    };
    allowed_origin(headers, &core.settings.transport.cors_origins)?;
    let listener = core.events.listen(last(headers, query).as_deref())?;
    let tasks = core.tasks.clone();
    let upgrade = socket.max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(move |socket| tasks.track_future(serve(socket, listener))).into_response())
}

/// The event heard last: in the header that browsers send by themselves, or in the query for those who cannot set headers.
fn last(headers: &HeaderMap, query: &str) -> Option<String> {
    if let Some(value) = headers.get("last-event-id") {
        return Some(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    query::parameter(query, "lastEventId")
}

/// Browsers let any page open a WebSocket to anywhere, and say only which page it was: the gateway's own, or one of `others`.
fn allowed_origin(headers: &HeaderMap, others: &[HeaderValue]) -> Result<(), Refusal> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    if others.iter().any(|other| other == "*" || other == origin) {
        return Ok(());
    }
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if authority.is_some() && authority == host {
        return Ok(());
    }
    Err(Refusal::ForeignOrigin { origin: String::from_utf8_lossy(origin.as_bytes()).into_owned() })
}

fn server_sent(listener: Listener) -> Response {
    // At once, so that a client knows the pause before there is a reason for it.
    let hello = stream::iter([Ok::<_, Infallible>(sse::Event::default().comment(" events follow").retry(RETRY))]);
    let events = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        let told = sse::Event::default().id(listener.id(&event)).event(event.kind.name()).data(event.data.as_str());
        Some((Ok(told), listener))
    });
    let alive = sse::keep_alive().interval(ALIVE_EVERY).text(" still here");
    let mut response = sse::reply(alive.stream(hello.chain(events))).into_response();
    // Proxies of nginx's kind would hold events back until there are many.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// Tells one WebSocket of events until it, or this replica, goes away.
async fn serve(mut socket: WebSocket, mut listener: Listener) {
    let mut ping = tokio::time::interval_at(Instant::now() + ALIVE_EVERY, ALIVE_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        let message = tokio::select! {
            event = listener.next() => match event {
                Some(event) => Message::text(envelope(&listener, &event)),
                None => break drop(timeout(PATIENCE, leave(socket)).await),
            },
            received = socket.next() => match received {
                Some(Ok(message)) if !message.is_close() => {
                    heard = Instant::now();
                    continue;
                }
                _ => break,
            },
            _ = ping.tick() => {
                if heard.elapsed() > ALIVE_EVERY + PATIENCE {
                    break;
                }
                Message::ping(Vec::new())
            }
        };
        if !matches!(timeout(PATIENCE, socket.send(message)).await, Ok(Ok(()))) {
            break;
        }
    }
}

async fn leave(mut socket: WebSocket) -> Result<(), warp::Error> {
    socket.send(Message::close_with(GOING_AWAY, "this replica is being replaced; connect again")).await?;
    socket.close().await
}

/// Put together as text: the data is JSON already, and neither id nor name has anything to escape.
fn envelope(listener: &Listener, event: &Event) -> String {
    format!(r#"{{"id":"{}","event":"{}","data":{}}}"#, listener.id(event), event.kind.name(), event.data)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_event_heard_last_is_in_the_header_or_in_the_query() {
        let header = HeaderMap::from_iter([(HeaderName::from_static("last-event-id"), "r-1".parse().unwrap())]);
        assert_eq!(last(&header, "lastEventId=r-2").as_deref(), Some("r-1"), "a client that connects again sends the header");
        assert_eq!(last(&HeaderMap::new(), "a=b&lastEventId=r-2").as_deref(), Some("r-2"));
        assert_eq!(last(&HeaderMap::new(), "a=b"), None);
    }

    #[test]
    fn pages_of_other_origins_are_refused_and_programs_are_not() {
        let table = [
            (None, true),
            (Some("http://gateway:8080"), true),
            (Some("https://gateway:8080"), true),
            (Some("http://gateway"), false),
            (Some("https://evil.example"), false),
            (Some("https://friend.example"), true),
            (Some("null"), false),
        ];
        for (origin, allowed) in table {
            let mut headers = HeaderMap::from_iter([(HOST, "gateway:8080".parse().unwrap())]);
            headers.extend(origin.map(|origin| (ORIGIN, origin.parse().unwrap())));
            assert_eq!(allowed_origin(&headers, &["https://friend.example".parse().unwrap()]).is_ok(), allowed, "{origin:?}");
        }
    }
}
