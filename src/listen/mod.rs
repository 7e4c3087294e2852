//! From a listening socket to served connections, each bounded in time and all in number.
//!
//! What it does: [`serve`] accepts connections and gives each to hyper over a stream that keeps time (`stream`); `table`
//! knows all of them and decides who has to go when there are too many. What a request's body may take is limited by
//! [`crate::http::slow_body`], which can still answer.
//!
//! Invariants: a connection in which no request is carried out costs no more than its limit of time; one with a request is
//! never closed for its age, however long the answer streams, but for a reader that takes nothing of it. A new connection
//! is never kept waiting for others to leave.
//!
//! To add a limit: a member of [`ListenSettings`] with its line in the README, and a test
//! with a socket of its own in `tests/it/connections.rs`.

mod descriptors;
mod stream;
mod table;

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{body::Body, extract::Request, response::Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

pub use descriptors::raise as raise_descriptor_limit;

use crate::{config::ListenSettings, http::service::Service};
use stream::TimedStream;
use table::{Connection, Table};

/// Bytes that the head of a request may have, and that are read ahead of a body.
const READ_AHEAD: usize = 64 * 1024;
/// Requests at once in one connection that speaks HTTP/2.
const STREAMS: u32 = 128;
/// Between two signs of life in a connection that speaks HTTP/2, and how long the answer may take.
const PING: Duration = Duration::from_secs(20);
/// After the stop, for a connection that had begun to send the head of a request.
const LAST_HEAD: Duration = Duration::from_secs(1);
/// When the system gives no more connections.
const PAUSE: Duration = Duration::from_millis(50);
/// Said to whoever is one too many, without reading what they want.
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
    content-type: application/json\r\ncontent-length: 45\r\n\r\n{\"detail\":\"Too many connections. Try again.\"}";

/// What a request may know of the server that it came to.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Fires when the server is about to stop.
    pub stopping: CancellationToken,
}

/// Serves until `stop` fires and every request that had begun is over.
pub async fn serve(listener: TcpListener, service: Service, settings: &ListenSettings, stop: CancellationToken) {
    let table = Table::new(settings, descriptors::available());
    let tasks = TaskTracker::new();
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(READ_AHEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(READ_AHEAD as u32)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    let builder = Arc::new(builder);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (tcp, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Either the client has left already, or there are no descriptors: then somebody must go.
                if !is_about_client(&error) {
                    tracing::warn!(%error, "a connection could not be accepted");
                    table.make_room();
                    tokio::time::sleep(PAUSE).await;
                }
                continue;
            }
        };
        // A stream's frames leave at once: waiting to fill a packet costs a reader 40 ms.
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
        let Some(connection) = table.enter(address.ip()) else {
            refuse(&tcp, address);
            continue;
        };
        let task = converse(tcp, connection, builder.clone(), service.clone(), settings.clone(), stop.clone());
        tasks.spawn(task);
    }
    // From now on new connections go to whoever listens next.
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

fn is_about_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionAborted | K::ConnectionReset | K::ConnectionRefused | K::Interrupted)
}

fn refuse(tcp: &TcpStream, address: SocketAddr) {
    tracing::debug!(%address, "a connection too many");
    // A new connection takes so few bytes at once; whether they arrive is not worth waiting for.
    let _ = tcp.try_write(REFUSAL);
}

/// Serves one connection to its end.
async fn converse(
    tcp: TcpStream,
    connection: Connection,
    builder: Arc<Builder<TokioExecutor>>,
    service: Service,
    settings: ListenSettings,
    stop: CancellationToken,
) {
    let activity = connection.activity.clone();
    let io = TokioIo::new(TimedStream::new(tcp, activity.clone(), &settings));
    let (requests, stopping) = (activity.clone(), stop.clone());
    let handle = service_fn(move |request: hyper::Request<Incoming>| {
        let guard = requests.begin();
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(Arrival { stopping: stopping.clone() });
        let answer = service.clone().oneshot(request);
        async move {
            let response: Response = answer.await?;
            Ok::<_, Infallible>(response.map(|body| stream::HeldBody::new(body, guard)))
        }
    });
    let mut served = pin!(builder.serve_connection(io, handle));
    tokio::select! {
        ended = served.as_mut() => return log(ended),
        // Somebody else needs its place.
        () = connection.activity.evicted() => return,
        () = stop.cancelled() => {}
    }
    served.as_mut().graceful_shutdown();
    loop {
        tokio::select! {
            ended = served.as_mut() => return log(ended),
            // Nothing is owed to a head that is not whole.
            () = tokio::time::sleep(LAST_HEAD) => if !activity.is_busy() { return },
        }
    }
}

fn log(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
