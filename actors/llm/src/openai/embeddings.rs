//! Embeddings.

use std::{fmt, slice};

use base64::{Engine, engine::general_purpose::STANDARD};
use engram_core::ports::{EmbedError, LlmError, LlmErrorKind};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, SeqAccess, Visitor},
};
use tokio::time::timeout;

use crate::{
    endpoint::{Endpoint, Vendor},
    http::{Failure, body, with_retries},
};

/// Requests of one call under way at once.
const AT_ONCE: usize = 4;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    input: Vec<&'a str>,
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    index: Option<usize>,
    embedding: Vector,
}

/// Numbers, or the base64 of little-endian 32-bit ones.
struct Vector(Vec<f32>);

/// Embeds texts in batches; `want` is the length of a vector, none when it is to be found out.
pub(crate) async fn embed(
    endpoint: &Endpoint,
    model: &str,
    texts: &[String],
    want: Option<usize>,
    batch_size: usize,
) -> Result<Vec<Vec<f32>>, EmbedError> {
    let batches = texts.chunks(batch_size.clamp(1, 2_048)).map(|texts| batch(endpoint, model, texts, want));
    let batches: Vec<_> = batches.collect();
    let all: Vec<_> = stream::iter(batches).buffered(AT_ONCE).try_collect().await?;
    Ok(all.into_iter().flatten().collect())
}

async fn batch(
    endpoint: &Endpoint,
    model: &str,
    texts: &[String],
    want: Option<usize>,
) -> Result<Vec<Vec<f32>>, EmbedError> {
    let body = serde_json::to_vec(&Body {
        model,
        // Empty texts are refused by most servers.
        input: texts.iter().map(|t| if t.is_empty() { " " } else { t.as_str() }).collect(),
        encoding_format: if endpoint.vendor == Vendor::OpenAi { "base64" } else { "float" },
        // Only these models can be asked for other lengths.
        dimensions: want.filter(|_| model.starts_with("text-embedding-3")),
    })
    .map_err(|e| EmbedError::Provider(e.to_string()))?;
    let body = bytes::Bytes::from(body);
    let mut vectors = with_retries(endpoint, || attempt(endpoint, body.clone(), texts.len())).await.map_err(
        |LlmError { kind, message, .. }| match kind {
            LlmErrorKind::UnknownModel => EmbedError::UnknownModel(format!("{}/{model}", endpoint.name())),
            _ => EmbedError::Provider(message),
        },
    )?;
    for vector in &mut vectors {
        if let Some(want) = want.filter(|want| *want != vector.len()) {
            return Err(EmbedError::Dimensions { got: vector.len(), want });
        }
        crate::embed::normalize(vector);
    }
    Ok(vectors)
}

async fn attempt(endpoint: &Endpoint, request: bytes::Bytes, want: usize) -> Result<Vec<Vec<f32>>, Failure> {
    // Held for one attempt only, so that a provider that asks for patience does not keep its line full of sleepers.
    // The semaphore is never closed; without it the request would only lack its limit.
    let _place = endpoint.embed_places.acquire().await.ok();
    let limit = endpoint.limits.embed;
    let work = async {
        let response = endpoint.send(endpoint.post(endpoint.url("embeddings"), request)).await?;
        let status = response.status();
        let content_type = response.headers().get(reqwest::header::CONTENT_TYPE);
        let content_type = content_type.and_then(|v| v.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
        let body = body::read(endpoint, response).await?;
        let unreadable = |why: &str| Failure::unreadable(endpoint, status, &content_type, &body, why);
        let answer: Answer = serde_json::from_slice(&body).map_err(|e| unreadable(&e.to_string()))?;
        let mut rows = answer.data;
        if rows.len() != want {
            return Err(unreadable(&format!("{} vectors for {want} texts", rows.len())));
        }
        if rows.iter().all(|r| r.index.is_some()) {
            rows.sort_by_key(|r| r.index);
        }
        if rows.iter().any(|r| r.embedding.0.is_empty() || !r.embedding.0.iter().all(|x| x.is_finite())) {
            return Err(unreadable("a vector that is empty or not finite"));
        }
        Ok(rows.into_iter().map(|r| r.embedding.0).collect())
    };
    timeout(limit, work).await.unwrap_or_else(|_| Err(Failure::timeout(endpoint, "did not answer", limit)))
}

/// The length of the model's vectors, found out by embedding a word.
pub(crate) async fn dimensions(endpoint: &Endpoint, model: &str) -> Result<usize, EmbedError> {
    let word = String::from("length");
    let vectors = embed(endpoint, model, slice::from_ref(&word), None, 1).await?;
    Ok(vectors.first().map_or(0, Vec::len))
}

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Vec<f32>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of numbers or base64")
            }

            fn visit_str<E: de::Error>(self, v: &str) -> Result<Vec<f32>, E> {
                let bytes = STANDARD.decode(v).map_err(E::custom)?;
                let (numbers, rest) = bytes.as_chunks::<4>();
                if !rest.is_empty() {
                    return Err(E::custom("base64 whose length is no multiple of four bytes"));
                }
                Ok(numbers.iter().map(|b| f32::from_le_bytes(*b)).collect())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<f32>, A::Error> {
                let mut out = Vec::with_capacity(seq.size_hint().unwrap_or(1_536).min(16_384));
                while let Some(number) = seq.next_element()? {
                    out.push(number);
                }
                Ok(out)
            }
        }

        d.deserialize_any(Either).map(Self)
    }
}
