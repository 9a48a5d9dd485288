//! Owns the HTTP server: EC2's protocol at `/`, the control API below `/_cloudsim/`. Holds no logic of either.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use warp::http::StatusCode;
use warp::reply::{Response, stream, with_header, with_status};
use warp::{Filter, Reply};

use super::{Shared, admin};
use crate::endpoint;

/// EC2 takes more, but nothing that cloudsim supports needs it.
const MAX_REQUEST_BYTES: u64 = 1 << 20;

/// Serves until told to stop. What EC2 answers is held back for `latency`; it is done when it is asked.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, latency: Duration, stopped: oneshot::Receiver<()>) {
    let ec2_shared = shared.clone();
    let ec2 = warp::path::end().and(warp::post()).and(warp::body::content_length_limit(MAX_REQUEST_BYTES)).and(warp::body::bytes()).then(
        move |body: Bytes| {
            let response = ec2(&ec2_shared, &body);
            async move {
                if !latency.is_zero() {
                    tokio::time::sleep(latency).await;
                }
                response
            }
        },
    );
    let routes = ec2.or(admin::routes(shared)).unify();
    let stopped = async {
        let _ = stopped.await;
    };
    warp::serve(routes).incoming(listener).graceful(stopped).run().await;
}

fn ec2(shared: &Shared, body: &[u8]) -> Response {
    let body = String::from_utf8_lossy(body);
    let reply = shared.act(|endpoint, now| {
        let handled = endpoint.handle(&body, now);
        (handled.reply, handled.effects)
    });
    match reply {
        endpoint::Reply::Answer { status, body } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            with_status(with_header(body, "content-type", "text/xml;charset=UTF-8"), status).into_response()
        }
        // A body that fails before its first byte makes the server cut the connection.
        endpoint::Reply::Drop => stream(futures::stream::iter([Err::<Bytes, _>(io::Error::other("dropped"))])).into_response(),
    }
}
