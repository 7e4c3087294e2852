//! Requests whose bodies do not come.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::{
    http::{error::ApiError, state::AppState},
    listen::Arrival,
};

/// A whole body may take so many times as long as a pause in it.
const WHOLE: u32 = 10;
/// How long a body still may take when the server stops.
const STOPPING: Duration = Duration::from_secs(1);

/// Answers 408 where a body pauses for too long, takes too long altogether, or comes too slowly while the server stops.
pub async fn refuse(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let pause = state.settings.listen.body_pause;
    let late = Arc::new(AtomicBool::new(false));
    let stopping = request.extensions().get::<Arrival>().map(|arrival| arrival.stopping.clone());
    let request = request.map(|body| {
        Body::new(TimedBody {
            body,
            pause,
            sleep: Box::pin(sleep(pause)),
            end: Instant::now() + pause * WHOLE,
            stopping: stopping.map(|token| Box::pin(token.cancelled_owned())),
            late: late.clone(),
        })
    });
    let response = next.run(request).await;
    if late.load(Ordering::Relaxed) {
        let detail = "The body of the request did not come in time.";
        let mut response = ApiError::new(StatusCode::REQUEST_TIMEOUT, detail).into_response();
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        return response;
    }
    response
}

/// A body with a limit of time for each pause and for all of it.
struct TimedBody {
    body: Body,
    pause: Duration,
    sleep: Pin<Box<Sleep>>,
    end: Instant,
    stopping: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    late: Arc<AtomicBool>,
}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            let next = (Instant::now() + self.pause).min(self.end);
            self.sleep.as_mut().reset(next);
            return Poll::Ready(frame);
        }
        if let Some(stopping) = &mut self.stopping
            && stopping.poll_unpin(cx).is_ready()
        {
            self.stopping = None;
            self.end = self.end.min(Instant::now() + STOPPING);
            let next = self.sleep.deadline().min(self.end);
            self.sleep.as_mut().reset(next);
        }
        if self.sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.late.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(axum::Error::new("the body did not come in time"))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
