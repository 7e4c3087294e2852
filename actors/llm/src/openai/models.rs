//! Lists of models, and what servers say of the models in them.

use engram_core::ports::LlmErrorKind;
use engram_domain::Json;
use futures::{FutureExt, StreamExt, stream};
use reqwest::{RequestBuilder, header::CONTENT_TYPE};
use serde_json::json;

use crate::{
    catalog::{Listed, Use},
    endpoint::Endpoint,
    http::{Failure, body},
};

/// Models of one Ollama that are asked for their windows, and how many at once.
const ASKED: usize = 64;
const AT_ONCE: usize = 8;

pub(super) async fn standard(endpoint: &Endpoint) -> Result<Vec<Listed>, Failure> {
    let answer = json(endpoint, endpoint.client.get(endpoint.url("models"))).await?;
    entries(endpoint, &answer)
}

/// LM Studio's own list has the windows, its OpenAI-compatible one has not; old versions lack it.
pub(super) async fn lm_studio(endpoint: &Endpoint) -> Result<Vec<Listed>, Failure> {
    match json(endpoint, endpoint.client.get(endpoint.root_url("api/v0/models"))).await {
        Ok(answer) => entries(endpoint, &answer),
        Err(_) => standard(endpoint).await,
    }
}

/// Ollama tells a model's window only when asked for that model.
pub(super) async fn ollama(endpoint: &Endpoint) -> Result<Vec<Listed>, Failure> {
    let mut models = standard(endpoint).await?;
    // Boxed: a stream of futures that borrow is not provably `Send` for every lifetime.
    let asked: Vec<_> = models.iter_mut().take(ASKED).map(|model| ask_window(endpoint, model).boxed()).collect();
    stream::iter(asked).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    Ok(models)
}

async fn ask_window(endpoint: &Endpoint, model: &mut Listed) {
    let body = json!({ "model": model.id }).to_string();
    if let Ok(shown) = json(endpoint, endpoint.post(endpoint.root_url("api/show"), body.into())).await {
        model.window = shown_window(&shown);
    }
}

/// `num_ctx` where the model file sets it (that is what the server then loads), else what the model
/// was trained for.
fn shown_window(shown: &Json) -> Option<i32> {
    let set = shown
        .get("parameters")
        .and_then(Json::as_str)
        .and_then(|text| text.lines().find_map(|line| line.trim().strip_prefix("num_ctx")?.trim().parse().ok()));
    set.or_else(|| {
        let info = shown.get("model_info")?.as_object()?;
        info.iter().find(|(key, _)| key.ends_with(".context_length")).and_then(|(_, v)| tokens(v))
    })
}

async fn json(endpoint: &Endpoint, request: RequestBuilder) -> Result<Json, Failure> {
    let response = endpoint.send(request).await?;
    let status = response.status();
    let content_type =
        response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let body = body::read(endpoint, response).await?;
    serde_json::from_slice(&body)
        .map_err(|e| Failure::unreadable(endpoint, status, &content_type, &body, &e.to_string()))
}

/// `{"data": […]}`, or the list alone.
fn entries(endpoint: &Endpoint, answer: &Json) -> Result<Vec<Listed>, Failure> {
    let list = answer.get("data").or_else(|| answer.get("models")).unwrap_or(answer).as_array().ok_or_else(|| {
        let message = format!("{} answered with no list of models", endpoint.name());
        Failure::last(LlmErrorKind::InvalidResponse, message)
    })?;
    Ok(list.iter().filter_map(entry).collect())
}

fn entry(model: &Json) -> Option<Listed> {
    const WINDOW: [&str; 6] = [
        "loaded_context_length",
        "max_model_len",
        "context_length",
        "context_window",
        "max_context_length",
        "max_input_tokens",
    ];
    let id = model.get("id").or_else(|| model.get("name"))?.as_str()?;
    let window = WINDOW.iter().find_map(|key| model.get(key).and_then(tokens));
    let kind = model.get("type").and_then(Json::as_str).unwrap_or_default();
    Some(Listed { id: id.to_owned(), window, use_: use_of(id, kind) })
}

fn tokens(value: &Json) -> Option<i32> {
    value.as_i64().and_then(|n| i32::try_from(n).ok()).filter(|n| *n > 0)
}

fn use_of(id: &str, kind: &str) -> Use {
    const OTHER: [&str; 16] = [
        "whisper",
        "tts",
        "dall-e",
        "moderation",
        "transcribe",
        "realtime",
        "gpt-image",
        "sora",
        "davinci",
        "babbage",
        "-instruct-0914",
        "rerank",
        "gpt-audio",
        "audio-preview",
        "playai",
        "orpheus",
    ];
    let id = id.to_ascii_lowercase();
    match kind {
        "embedding" | "embeddings" => Use::Embedding,
        "image" | "moderation" | "rerank" | "audio" | "video" | "transcribe" | "tts" => Use::Other,
        _ if id.contains("embed") => Use::Embedding,
        // OpenAI's only completions model is told from open instruct models by its name.
        _ if id.starts_with("gpt-3.5-turbo-instruct") || OTHER.iter().any(|word| id.contains(word)) => Use::Other,
        _ => Use::Chat,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_under_every_name() {
        let window = |json: Json| entry(&json).and_then(|m| m.window);
        assert_eq!(window(json!({"id": "m", "max_model_len": 8192})), Some(8192));
        assert_eq!(window(json!({"id": "m", "context_length": 1_000_000})), Some(1_000_000));
        assert_eq!(window(json!({"id": "m", "max_context_length": 32768, "loaded_context_length": 4096})), Some(4096));
        assert_eq!(window(json!({"id": "m", "context_window": null})), None);
        assert_eq!(window(json!({"id": "m", "context_window": 0})), None);
        assert_eq!(entry(&json!({"object": "model"})), None);
    }

    #[test]
    fn ollama_windows_prefer_what_the_model_file_sets() {
        let info = json!({"general.architecture": "llama", "llama.context_length": 131_072});
        assert_eq!(shown_window(&json!({"model_info": info})), Some(131_072));
        let set = json!({"parameters": "stop \"x\"\nnum_ctx    16384", "model_info": info});
        assert_eq!(shown_window(&set), Some(16_384));
        assert_eq!(shown_window(&json!({})), None);
    }

    #[test]
    fn models_for_other_uses_are_told_apart() {
        assert_eq!(use_of("text-embedding-3-small", ""), Use::Embedding);
        assert_eq!(use_of("BAAI/bge-large", "embedding"), Use::Embedding);
        assert_eq!(use_of("whisper-1", ""), Use::Other);
        assert_eq!(use_of("Qwen/Qwen2.5-7B-Instruct", "chat"), Use::Chat);
        assert_eq!(use_of("gpt-4o-mini", ""), Use::Chat);
    }
}
