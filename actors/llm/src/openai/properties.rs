//! Whatever a provider sends is read, or refused; nothing panics and nothing overflows.

use std::sync::Arc;

use super::{answer::Answer, halves, reply::Chunk};
use engram_core::ports::{
    ChatRequest, Delta, DeltaSink,
    llm::{ChatMessage, Purpose, ToolChoice},
};
use engram_domain::{Json, LlmConfig, Usage};
use proptest::{collection::vec, prelude::*, sample::select};

/// Names that answers have, so that random JSON gets far.
const NAMES: [&str; 28] = [
    "id",
    "model",
    "choices",
    "usage",
    "x_groq",
    "error",
    "message",
    "delta",
    "finish_reason",
    "content",
    "refusal",
    "reasoning_content",
    "reasoning",
    "tool_calls",
    "index",
    "function",
    "name",
    "arguments",
    "prompt_tokens",
    "completion_tokens",
    "prompt_tokens_details",
    "completion_tokens_details",
    "cached_tokens",
    "reasoning_tokens",
    "prompt_cache_hit_tokens",
    "text",
    "type",
    "data",
];

/// Any JSON, with the members of answers.
pub(crate) fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        (-2i64..4).prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        select(vec!["", "stop", "length", "{\"a\":", "{}", "call_1", "f", "\u{feff}", "\u{0}", "é😀"])
            .prop_map(Json::from),
        ".{0,12}".prop_map(Json::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::from),
            vec((select(NAMES.to_vec()), inner), 0..6).prop_map(|members| Json::Object(
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            )),
        ]
    })
}

/// A chunk that is mostly of the right shape.
fn chunk() -> impl Strategy<Value = Json> {
    let counts = || prop_oneof![any::<i64>(), 0..100i64, Just(i64::MAX), Just(i64::MIN)];
    (json(), json(), json(), counts(), counts(), json(), select(vec!["message", "delta"])).prop_map(
        |(content, thoughts, calls, read, written, finish, said)| {
            let mut choice = serde_json::json!({ "finish_reason": finish });
            choice[said] = serde_json::json!({ "content": content, "reasoning": thoughts, "tool_calls": calls });
            serde_json::json!({
                "choices": [choice],
                "usage": { "prompt_tokens": read, "completion_tokens": written },
            })
        },
    )
}

fn request() -> ChatRequest {
    ChatRequest {
        config: Arc::new(LlmConfig::default()),
        purpose: Purpose::AgentStep,
        messages: [ChatMessage::System("s".into())].into_iter().collect(),
        tokens: 1,
        tools: Arc::new([]),
        tool_choice: ToolChoice::Auto,
        response_format: None,
        stream: true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn answers_are_read_or_refused(chunks in vec(prop_oneof![chunk(), json()], 0..6)) {
        let request = request();
        let sink: DeltaSink = Arc::new(|_: Delta| {});
        let mut answer = Answer::new("p", &request, Some(&sink));
        let mut sum = Usage::default();
        for chunk in chunks {
            let text = chunk.to_string();
            if let Ok(chunk) = serde_json::from_str::<Chunk>(&halves::mark(&text)) {
                answer.push(chunk, true);
            }
        }
        if let Ok(reply) = answer.finish(None) {
            for _ in 0..1_000 {
                sum.add(reply.usage);
            }
            prop_assert!(sum.total() >= 0);
            prop_assert!(reply.calls.iter().all(|call| !call.id.is_empty() && !call.name.is_empty()));
        }
    }

    #[test]
    fn bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _ = serde_json::from_slice::<Chunk>(&bytes);
    }
}
