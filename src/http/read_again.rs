//! Requests that only read are carried out once more where the database broke a statement off that works the next time:
//! one that was prepared before a migration of another node. Its caller need not know.

use axum::{body::Body, extract::Request, http::Method, middleware::Next, response::Response};

/// A mark on an answer: the same request may go through at once.
#[derive(Debug, Clone, Copy)]
pub struct MayWorkNow;

/// Carries out a `GET`, again where its answer bears the mark. What it is answered then is final.
pub async fn read_again(request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let again = Request::from_parts(parts.clone(), Body::empty());
    let response = next.clone().run(Request::from_parts(parts, body)).await;
    if response.extensions().get::<MayWorkNow>().is_none() {
        return response;
    }
    next.run(again).await
}
