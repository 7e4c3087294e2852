//! Whatever a client or another node sends is read, or refused; nothing panics.

use engram_domain::{AgentId, Json, NodeId, RequestKey};
use engram_engine::peer::{PeerFrame, PeerReply, PeerRequest};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::http::{
    dto::messages::MessageRequest,
    pagination::{PageQuery, cursor},
    path, times,
};

/// Names of members in requests, so that random JSON gets far.
const NAMES: [&str; 34] = [
    "messages",
    "input",
    "role",
    "content",
    "type",
    "text",
    "approvals",
    "approve",
    "tool_returns",
    "tool_call_id",
    "tool_return",
    "status",
    "reason",
    "max_steps",
    "client_tools",
    "name",
    "parameters",
    "otid",
    "include_return_message_types",
    "source",
    "media_type",
    "data",
    "url",
    "image_url",
    "follow",
    "cancel",
    "command",
    "owner",
    "conversation",
    "run",
    "after",
    "event",
    "delta",
    "stream_tokens",
];
const WORDS: [&str; 16] = [
    "user",
    "system",
    "assistant",
    "approval",
    "tool_return",
    "message",
    "text",
    "image",
    "base64",
    "tool",
    "error",
    "",
    "run-123e4567-e89b-42d3-8456-426614174000",
    "conv-123e4567-e89b-42d3-8456-426614174000",
    "activity",
    "\u{feff}",
];

/// Any JSON, with the members of requests.
fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        select(WORDS.to_vec()).prop_map(Json::from),
        "\\PC{0,12}".prop_map(Json::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::from),
            vec((select(NAMES.to_vec()), inner), 0..6)
                .prop_map(|members| Json::Object(members.into_iter().map(|(n, v)| (n.to_owned(), v)).collect())),
        ]
    })
}

/// A request with messages that are mostly of their shape.
fn message_request() -> impl Strategy<Value = Json> {
    let message = (select(WORDS.to_vec()), select(WORDS.to_vec()), json(), json()).prop_map(|(role, kind, content, list)| {
        serde_json::json!({ "role": role, "type": kind, "content": content, "approvals": list, "tool_returns": list })
    });
    (vec(message, 0..4), any::<i64>())
        .prop_map(|(messages, steps)| serde_json::json!({ "messages": messages, "max_steps": steps }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn messages_of_clients(request in prop_oneof![message_request(), json()], key in "\\PC{0,20}") {
        if let Ok(request) = serde_json::from_str::<MessageRequest>(&request.to_string()) {
            let _ = request.run_input();
            let _: Vec<RequestKey> = request.keys(Some(&key));
        }
    }

    #[test]
    fn requests_and_answers_of_nodes(sent in json()) {
        let text = sent.to_string();
        let _ = serde_json::from_str::<PeerRequest>(&text);
        let _ = serde_json::from_str::<PeerFrame>(&text);
        let _ = serde_json::from_str::<PeerReply>(&text);
    }

    #[test]
    fn cursors_ids_times_and_paths(
        text in "\\PC{0,50}|(agent-|node-|😀)?[0-9a-fA-F{}-]{30,40}|[-+0-9TZ:. ]{0,40}",
        limit in any::<i64>(),
    ) {
        let _ = cursor(&text);
        let _ = (text.parse::<AgentId>(), text.parse::<NodeId>());
        for end_of_day in [true, false] {
            if let Ok(time) = times::parse(&text, &[], end_of_day) {
                let _ = crate::http::dto::messages::letta::timestamp(time);
            }
        }
        let _ = path::normal(&text);
        let page = PageQuery { limit: Some(limit), after: Some(text.clone()), before: Some(text.clone()), order: Some(text), ..PageQuery::default() };
        let _ = page.page(50, true);
    }
}
