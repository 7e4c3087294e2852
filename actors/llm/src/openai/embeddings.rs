//! Embeddings.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use engram_core::ports::LlmErrorKind;
use reqwest::header::CONTENT_TYPE;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, SeqAccess, Visitor},
};

use super::quirks::Quirks;
use crate::{
    endpoint::Endpoint,
    http::{Failure, body},
};

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

/// One request: a vector for each text.
pub(super) async fn attempt(
    quirks: Quirks,
    endpoint: &Endpoint,
    model: &str,
    texts: &[String],
    want: Option<usize>,
) -> Result<Vec<Vec<f32>>, Failure> {
    let body = serde_json::to_vec(&Body {
        model,
        // Empty texts are refused by most servers.
        input: texts.iter().map(|t| if t.is_empty() { " " } else { t.as_str() }).collect(),
        encoding_format: if quirks.base64_vectors { "base64" } else { "float" },
        // Only these models can be asked for other lengths.
        dimensions: want.filter(|_| model.starts_with("text-embedding-3")),
    })
    .map_err(|e| Failure::last(LlmErrorKind::BadRequest, e.to_string()))?;
    let response = endpoint.send(endpoint.post(endpoint.url("embeddings"), body.into())).await?;
    let status = response.status();
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|v| v.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let body = body::read(endpoint, response).await?;
    let unreadable = |why: &str| Failure::unreadable(endpoint, status, &content_type, &body, why);
    let answer: Answer = serde_json::from_slice(&body).map_err(|e| unreadable(&e.to_string()))?;
    let mut rows = answer.data;
    if rows.len() != texts.len() {
        return Err(unreadable(&format!("{} vectors for {} texts", rows.len(), texts.len())));
    }
    if rows.iter().all(|r| r.index.is_some()) {
        rows.sort_by_key(|r| r.index);
    }
    if rows.iter().any(|r| r.embedding.0.is_empty() || !r.embedding.0.iter().all(|x| x.is_finite())) {
        return Err(unreadable("a vector that is empty or not finite"));
    }
    Ok(rows.into_iter().map(|r| r.embedding.0).collect())
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

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{super::properties, Answer};

    proptest! {
        #[test]
        fn answers_are_read_or_refused(
            data in properties::json(),
            vector in prop_oneof![properties::json(), ".{0,9}".prop_map(Into::into), vec(any::<f64>(), 0..4).prop_map(Into::into)],
        ) {
            let rows = serde_json::json!({ "data": [{ "index": 0, "embedding": vector }] });
            for answer in [rows, serde_json::json!({ "data": data }), data] {
                let _ = serde_json::from_str::<Answer>(&answer.to_string());
            }
        }
    }
}
