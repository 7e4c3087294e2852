//! A provider that does exactly what a test says.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What to answer.
pub enum Reply {
    /// Status, extra header lines, content type, body.
    Whole(u16, &'static str, &'static str, String),
    /// Events, then the proper end.
    Events(Vec<String>),
    /// Events, then the connection closes.
    Cut(Vec<String>),
    /// Nothing, until the client goes away; with the events before that.
    Hang(Vec<String>),
    /// The connection closes without a word.
    Close,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::Whole(status, "", "application/json", body.to_string())
    }

    /// A whole answer that says something.
    pub fn says(text: &str) -> Self {
        Self::json(
            200,
            &serde_json::json!({
                "id": "x", "model": "m",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", "logprobs": {"content": []}}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}},
            }),
        )
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub path: String,
    pub head: String,
    pub body: Value,
}

/// The server. Stops when dropped.
pub struct Server {
    pub base: String,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    /// Clients that went away while they should have waited.
    pub left: Arc<AtomicUsize>,
    /// Connections that were opened.
    pub connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// `answer` gets the number of the request, from 0, and the request.
    pub async fn start(answer: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}/v1", listener.local_addr().expect("bound"));
        let (seen, left, connections) = (Arc::default(), Arc::default(), Arc::default());
        let (count, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(answer));
        let task = tokio::spawn({
            let (seen, left, connections) = (Arc::clone(&seen), Arc::clone(&left), Arc::clone(&connections));
            async move {
                while let Ok((mut socket, _)) = listener.accept().await {
                    let socket_seen: Arc<Mutex<Vec<Seen>>> = Arc::clone(&seen);
                    let (left, answer, count) = (Arc::clone(&left), Arc::clone(&answer), Arc::clone(&count));
                    AtomicUsize::fetch_add(&connections, 1, Ordering::SeqCst);
                    tokio::spawn(async move {
                        while let Some(request) = read(&mut socket).await {
                            let n = count.fetch_add(1, Ordering::SeqCst);
                            socket_seen.lock().expect("not poisoned").push(request.clone());
                            if write(&mut socket, answer(n, &request), &left).await.is_none() {
                                return;
                            }
                        }
                    });
                }
            }
        });
        Self { base, seen, left, connections, task }
    }

    pub fn requests(&self) -> Vec<Seen> {
        self.seen.lock().expect("not poisoned").clone()
    }
}

async fn read(socket: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length =
                head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            let length: usize = length.unwrap_or(0);
            while bytes.len() < end + 4 + length {
                more(socket, &mut bytes).await?;
            }
            let body = serde_json::from_slice(&bytes[end + 4..]).unwrap_or(Value::Null);
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            return Some(Seen { path, head, body });
        }
        more(socket, &mut bytes).await?;
    }
}

async fn more(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    (socket.read_buf(bytes).await.ok()? > 0).then_some(())
}

/// None when the connection is of no more use.
async fn write(socket: &mut TcpStream, reply: Reply, left: &AtomicUsize) -> Option<()> {
    match reply {
        Reply::Whole(status, extra, content_type, body) => {
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\n{extra}content-length: {}\r\n\r\n{body}",
                body.len()
            );
            socket.write_all(head.as_bytes()).await.ok()
        }
        Reply::Events(pieces) => {
            events(socket, &pieces).await?;
            socket.write_all(b"0\r\n\r\n").await.ok()
        }
        Reply::Cut(pieces) => {
            events(socket, &pieces).await?;
            socket.shutdown().await.ok()?;
            None
        }
        Reply::Hang(pieces) => {
            if !pieces.is_empty() {
                events(socket, &pieces).await?;
            }
            let mut byte = [0];
            if matches!(socket.read(&mut byte).await, Ok(0) | Err(_)) {
                left.fetch_add(1, Ordering::SeqCst);
            }
            None
        }
        Reply::Close => None,
    }
}

async fn events(socket: &mut TcpStream, pieces: &[String]) -> Option<()> {
    socket
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        .await
        .ok()?;
    for piece in pieces {
        socket.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await.ok()?;
        socket.flush().await.ok()?;
    }
    Some(())
}
