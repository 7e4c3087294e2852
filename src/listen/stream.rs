//! A connection's bytes, and how long each part of the conversation may take.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep_until},
};

use super::table::{Activity, Phase, Request};
use crate::config::ListenSettings;

/// A stream that fails with [`io::ErrorKind::TimedOut`] when the other side takes too long.
#[derive(Debug)]
pub(super) struct TimedStream {
    tcp: TcpStream,
    activity: Arc<Activity>,
    head: Duration,
    idle: Duration,
    stall: Duration,
    read_timer: Timer,
    write_timer: Timer,
}

impl TimedStream {
    pub fn new(tcp: TcpStream, activity: Arc<Activity>, settings: &ListenSettings) -> Self {
        let ListenSettings { head, idle, stall, .. } = *settings;
        Self { tcp, activity, head, idle, stall, read_timer: Timer::default(), write_timer: Timer::default() }
    }

    /// Until when something must come; no limit while a request is carried out.
    fn deadline(&self) -> Option<Instant> {
        let (phase, since) = self.activity.get();
        match phase {
            Phase::Head => Some(since + self.head),
            Phase::Idle => Some(since + self.idle),
            Phase::Busy(_) => None,
        }
    }

    /// What a write has come to: progress, or how long there was none.
    fn written<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write_timer.at = None;
            return result;
        }
        let deadline = self.write_timer.at.unwrap_or_else(|| Instant::now() + self.stall);
        ready!(self.write_timer.poll(deadline, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// A timer that is set again and again.
#[derive(Debug, Default)]
struct Timer {
    at: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    fn poll(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline.into())));
        if self.at != Some(deadline) {
            self.at = Some(deadline);
            sleep.as_mut().reset(deadline.into());
        }
        sleep.as_mut().poll(cx)
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.tcp).poll_read(cx, buf);
        if matches!(read, Poll::Ready(Ok(()))) && buf.filled().len() > before {
            self.activity.heard();
            // Whoever sends a byte now and then is late all the same.
            return match self.deadline() {
                Some(deadline) if deadline < Instant::now() => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                _ => read,
            };
        }
        if read.is_pending() {
            self.activity.wait(cx.waker());
            if let Some(deadline) = self.deadline() {
                ready!(self.read_timer.poll(deadline, cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.tcp).poll_write(cx, buf);
        self.written(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        self.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// The body of an answer. Its request is over when it is.
pub(super) struct HeldBody {
    body: Body,
    _request: Request,
}

impl HeldBody {
    pub fn new(body: Body, request: Request) -> Self {
        Self { body, _request: request }
    }
}

impl HttpBody for HeldBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
