//! Clients that are slow, silent, or too many: they are closed in time, and others do not notice.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    model::Model,
    server::{self, Server},
};

/// Short limits, so that the tests are short.
const SHORT: [(&str, &str); 4] = [
    ("ENGRAM_HEAD_TIMEOUT_SECONDS", "1"),
    ("ENGRAM_BODY_TIMEOUT_SECONDS", "1"),
    ("ENGRAM_KEEP_ALIVE_SECONDS", "2"),
    ("ENGRAM_WRITE_TIMEOUT_SECONDS", "2"),
];
/// Far more than any of these limits, on a slow machine too.
const PATIENCE: Duration = Duration::from_secs(20);

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.base.strip_prefix("http://").unwrap()).await.unwrap()
}

/// What the server says until it closes the connection.
async fn until_closed(socket: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut said)).await;
    // Bytes that nobody read make a reset of it.
    let _ = closed.expect("the server closes the connection");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn heads_that_do_not_come_are_not_waited_for() {
    server::with_settings(&SHORT, |s| async move {
        for begin in ["", "G", "GET /v1/health HTTP/1.1\r\nhost: localhost\r\nx-a", "PRI * HTTP/2.0\r\n"] {
            let mut socket = connect(&s).await;
            socket.write_all(begin.as_bytes()).await.unwrap();
            until_closed(&mut socket).await;
        }
        // One byte now and then does not help.
        let (mut read, mut write) = connect(&s).await.into_split();
        let drip = tokio::spawn(async move {
            for byte in std::iter::repeat_n(b"x-a: b\r\n", 1_000).flatten() {
                if write.write_all(&[*byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, read.read_to_end(&mut rest)).await.expect("it is closed");
        drip.abort();
        // After a request the connection is kept for a while, and then closed as well.
        let mut socket = connect(&s).await;
        socket.write_all(b"GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        assert!(until_closed(&mut socket).await.starts_with("HTTP/1.1 200"));
    })
    .await;
}

#[tokio::test]
async fn a_body_that_stalls_is_answered_and_closed() {
    server::with_settings(&SHORT, |s| async move {
        for path in ["/v1/agents/", "/v1/blocks/", "/v1/messages/search", "/v1/chat/completions"] {
            let mut socket = connect(&s).await;
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
            );
            socket.write_all(head.as_bytes()).await.unwrap();
            let said = until_closed(&mut socket).await;
            assert!(said.starts_with("HTTP/1.1 408") && said.contains("did not come in time"), "{path}: {said}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_left_and_a_long_stream_is_not() {
    let model = Model::start().await;
    let url = model.url.clone();
    let more = [("LETTA_KEEPALIVE_INTERVAL", "1"), ("VLLM_API_BASE", &*url)];
    let settings: Vec<(&str, &str)> = SHORT.into_iter().chain(more).collect();
    server::with_settings(&settings, |s| async move {
        // An answer that is longer than all buffers between the two.
        let block = s.post("/v1/blocks/", json!({"label": "big", "value": "x".repeat(8 << 20), "limit": 9 << 20})).await;
        let narrow = tokio::net::TcpSocket::new_v4().unwrap();
        narrow.set_recv_buffer_size(16 << 10).unwrap();
        let mut socket = narrow.connect(s.base.strip_prefix("http://").unwrap().parse().unwrap()).await.unwrap();
        let request = format!("GET /v1/blocks/{} HTTP/1.1\r\nhost: localhost\r\n\r\n", block["id"].as_str().unwrap());
        socket.write_all(request.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        let said = until_closed(&mut socket).await;
        assert!(said.len() < 8 << 20, "{} bytes: it was not left", said.len());

        // A model that thinks for longer than all the limits together.
        let agent = s.agent(json!({"model": "vllm/patient"})).await;
        let mut socket = connect(&s).await;
        let body = json!({"messages": [{"role": "user", "content": "hello"}], "streaming": true}).to_string();
        let head = format!(
            "POST /v1/agents/{agent}/messages HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(6)).await;
        model.answers(1);
        let said = until_closed(&mut socket).await;
        assert!(said.contains("[DONE]"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn half_open_connections_make_room_for_whoever_comes() {
    server::with_settings(&[("ENGRAM_MAX_CONNECTIONS", "40")], |s| async move {
        let mut open = Vec::new();
        for _ in 0..200 {
            let mut socket = connect(&s).await;
            let _ = socket.write_all(b"GET /v1/health HTTP/1.1\r\nhost: ").await;
            open.push(socket);
        }
        for _ in 0..20 {
            let begun = Instant::now();
            assert_eq!(s.get("/v1/health").await["status"], "ok");
            assert!(begun.elapsed() < Duration::from_secs(5), "nobody waits for the others to leave");
        }
    })
    .await;
}

#[tokio::test]
async fn when_every_connection_has_a_request_one_more_is_told_to_come_again() {
    server::with_settings(&[("ENGRAM_MAX_CONNECTIONS", "4")], |s| async move {
        let mut busy = Vec::new();
        for _ in 0..4 {
            let mut socket = connect(&s).await;
            let head = b"POST /v1/agents/ HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
            socket.write_all(head).await.unwrap();
            busy.push(socket);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let said = until_closed(&mut connect(&s).await).await;
        assert!(said.starts_with("HTTP/1.1 503") && said.contains("retry-after: 1"), "{said}");
        let (_, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(body.contains("Too many connections") && said.contains(&format!("content-length: {}", body.len())), "{said}");
        busy.clear();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(s.get("/v1/health").await["status"], "ok");
    })
    .await;
}

#[tokio::test]
async fn a_stop_waits_neither_for_an_upload_nor_for_a_head() {
    server::with(|mut s| async move {
        let mut sockets = Vec::new();
        for begin in [
            "",
            "GET /v1/health HTTP/1.1\r\nhost: ",
            "POST /v1/agents/ HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
        ] {
            let mut socket = connect(&s).await;
            socket.write_all(begin.as_bytes()).await.unwrap();
            sockets.push(socket);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let begun = Instant::now();
        s.stop_serving().await;
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        let said = until_closed(&mut sockets[2]).await;
        assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    })
    .await;
}
