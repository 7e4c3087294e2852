//! `messages`, and the versioned JSON of their content.

use engram_core::{builtin, package::is_hidden};
use engram_domain::{Content, Message, Role, Time, message::parts_text};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    StoreError,
    json::{RawJson, corrupt},
};

/// Version of the content's shape that this build writes.
const VERSION: u32 = 1;

/// Columns of [`MessageRow`], for `FROM messages m`.
macro_rules! message_columns {
    () => {
        "m.id, m.conversation_id, m.seq, m.agent_id, m.role, m.content, m.name, m.otid, m.sender_id, m.group_id, \
         m.step_id, m.run_id, m.model, m.tokens, m.is_err, m.created_at"
    };
}
pub(crate) use message_columns;

#[derive(FromRow)]
pub(crate) struct MessageRow {
    pub id: Uuid,
    conversation_id: Uuid,
    seq: i64,
    agent_id: Uuid,
    role: String,
    content: RawJson,
    name: Option<String>,
    otid: Option<String>,
    sender_id: Option<String>,
    group_id: Option<String>,
    step_id: Option<Uuid>,
    run_id: Option<Uuid>,
    model: Option<String>,
    tokens: i32,
    is_err: bool,
    created_at: Time,
}

impl TryFrom<MessageRow> for Message {
    type Error = StoreError;

    fn try_from(row: MessageRow) -> Result<Self, StoreError> {
        let role = Role::parse(&row.role)
            .ok_or_else(|| corrupt("messages", "role", row.id, format!("no such role: {}", row.role)))?;
        let content = parse_content(&row.content.0).map_err(|e| corrupt("messages", "content", row.id, e))?;
        Ok(Self {
            id: row.id.into(),
            conversation_id: row.conversation_id.into(),
            agent_id: row.agent_id.into(),
            seq: row.seq,
            role,
            content,
            name: row.name,
            otid: row.otid,
            sender_id: row.sender_id,
            group_id: row.group_id,
            step_id: row.step_id.map(Into::into),
            run_id: row.run_id.map(Into::into),
            model: row.model,
            tokens: row.tokens,
            is_err: row.is_err,
            created_at: row.created_at,
        })
    }
}

#[derive(Serialize)]
struct Versioned<'a> {
    v: u32,
    #[serde(flatten)]
    content: &'a Content,
}

#[derive(Deserialize)]
struct Version {
    #[serde(default = "first_version")]
    v: u32,
}

fn first_version() -> u32 {
    VERSION
}

/// `{"v":1,"kind":…}`.
pub(crate) fn content_text(content: &Content) -> Result<String, StoreError> {
    serde_json::to_string(&Versioned { v: VERSION, content })
        .map_err(|e| StoreError::Invalid(format!("message content cannot be written: {e}")))
}

fn parse_content(text: &str) -> Result<Content, String> {
    let Version { v } = serde_json::from_str(text).map_err(|e| e.to_string())?;
    if v > VERSION {
        return Err(format!("its shape is number {v}, written by a newer version; this one reads up to {VERSION}"));
    }
    serde_json::from_str(text).map_err(|e| e.to_string())
}

/// What a search looks through. Empty for what only the machinery says, which would be found for
/// every word: compiled prompts, heartbeats and logins, and searches with what they found.
pub(crate) fn search_text(message: &Message) -> String {
    let silent = match &message.content {
        Content::Parts { .. } if message.role == Role::System => message.seq == 0,
        Content::Parts { parts } => is_hidden(&parts_text(parts)),
        Content::Assistant { calls, .. } => calls.iter().any(|call| searches_messages(&call.name)),
        // That a message was sent tells nothing; what was sent stands in the call.
        Content::ToolReturn(result) => searches_messages(&result.name) || result.name == builtin::SEND_MESSAGE,
        Content::Decisions { .. } | Content::Summary { .. } => false,
    };
    if silent { String::new() } else { without_nul(message.content.plain_text()) }
}

/// Calls of such a tool and their results only repeat what was searched for.
fn searches_messages(tool: &str) -> bool {
    builtin::find(tool).is_some_and(|t| t.searches_messages)
}

/// The text as Postgres takes it.
pub(crate) fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text }
}

#[cfg(test)]
mod tests {
    use engram_domain::{Content, ToolCall};

    use super::{content_text, parse_content};

    #[test]
    fn content_is_versioned_and_newer_shapes_are_refused() {
        let content = Content::Assistant {
            reasoning: vec![],
            text: None,
            calls: vec![ToolCall { id: "c1".into(), name: "t".into(), arguments: "{\"a\":1}".into() }],
        };
        let text = content_text(&content).unwrap_or_default();
        assert_eq!(
            text,
            r#"{"v":1,"kind":"assistant","reasoning":[],"text":null,"calls":[{"id":"c1","name":"t","arguments":"{\"a\":1}"}]}"#
        );
        assert_eq!(parse_content(&text), Ok(content));
        assert!(parse_content(r#"{"kind":"parts","parts":[]}"#).is_ok());
        assert!(parse_content(r#"{"v":2,"kind":"parts","parts":[]}"#).is_err_and(|e| e.contains("newer version")));
    }
}
