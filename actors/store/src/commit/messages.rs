//! Messages as parallel arrays, so that any number of them is one parameter a column.

use std::borrow::Borrow;

use engram_domain::{ConversationId, Message, Time};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Result,
    error::db,
    rows::{content_text, search_text, without_nul},
};

/// Columns of `messages` besides the conversation and the agent, in the order of [`Columns`].
macro_rules! message_targets {
    () => {
        "id, seq, role, content, search, name, otid, sender_id, group_id, step_id, run_id, model, tokens, is_err, created_at"
    };
}
pub(super) use message_targets;

/// The same, as values of the unnested arrays. Content travels as text to keep the order of members.
macro_rules! message_values {
    () => {
        "u.id, u.seq, u.role, u.content::json, u.search, u.name, u.otid, u.sender_id, u.group_id, u.step_id, u.run_id, \
         u.model, u.tokens, u.is_err, u.created_at"
    };
}
pub(super) use message_values;

/// The same, as names of the unnested arrays.
macro_rules! message_aliases {
    () => {
        "(id, seq, role, content, search, name, otid, sender_id, group_id, step_id, run_id, model, tokens, is_err, created_at)"
    };
}
pub(super) use message_aliases;

/// The columns of `messages`, one element a message.
#[derive(Default)]
pub(crate) struct Columns {
    pub ids: Vec<Uuid>,
    pub seqs: Vec<i64>,
    pub roles: Vec<&'static str>,
    pub contents: Vec<String>,
    pub searches: Vec<String>,
    pub names: Vec<Option<String>>,
    pub otids: Vec<Option<String>>,
    pub senders: Vec<Option<String>>,
    pub groups: Vec<Option<String>>,
    pub steps: Vec<Option<Uuid>>,
    pub runs: Vec<Option<Uuid>>,
    pub models: Vec<Option<String>>,
    pub tokens: Vec<i32>,
    pub errors: Vec<bool>,
    pub times: Vec<Time>,
}

impl Columns {
    /// Turns rows into columns.
    pub fn of<M: Borrow<Message>>(messages: &[M]) -> Result<Self> {
        let mut c = Self::default();
        for message in messages {
            let m: &Message = message.borrow();
            c.ids.push(m.id.0);
            c.seqs.push(m.seq);
            c.roles.push(m.role.as_str());
            c.contents.push(content_text(&m.content)?);
            c.searches.push(search_text(m));
            // Postgres knows no NUL in text; refusing it here would refuse the whole commit, every time.
            let clean = |text: &Option<String>| text.clone().map(without_nul);
            c.names.push(clean(&m.name));
            c.otids.push(clean(&m.otid));
            c.senders.push(clean(&m.sender_id));
            c.groups.push(clean(&m.group_id));
            c.steps.push(m.step_id.map(|id| id.0));
            c.runs.push(m.run_id.map(|id| id.0));
            c.models.push(m.model.clone());
            c.tokens.push(m.tokens);
            c.errors.push(m.is_err);
            c.times.push(m.created_at);
        }
        Ok(c)
    }

    /// Inserts them into a conversation whose row the transaction holds.
    pub async fn insert(self, conn: &mut PgConnection, conversation: Uuid, agent: Uuid) -> Result<()> {
        sqlx::query(concat!(
            "INSERT INTO messages (conversation_id, agent_id, ",
            message_targets!(),
            ") SELECT $16, $17, ",
            message_values!(),
            " FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                          $8::text[], $9::text[], $10::uuid[], $11::uuid[], $12::text[], $13::integer[],
                          $14::boolean[], $15::timestamptz[]) AS u",
            message_aliases!()
        ))
        .bind(self.ids)
        .bind(self.seqs)
        .bind(self.roles)
        .bind(self.contents)
        .bind(self.searches)
        .bind(self.names)
        .bind(self.otids)
        .bind(self.senders)
        .bind(self.groups)
        .bind(self.steps)
        .bind(self.runs)
        .bind(self.models)
        .bind(self.tokens)
        .bind(self.errors)
        .bind(self.times)
        .bind(conversation)
        .bind(agent)
        .execute(conn)
        .await
        .map_err(db)?;
        Ok(())
    }
}

/// Deletes the history from a `seq` on.
pub(super) async fn delete_from(conn: &mut PgConnection, conversation: ConversationId, from: i64) -> Result<()> {
    sqlx::query("DELETE FROM messages WHERE conversation_id = $1 AND seq >= $2")
        .bind(conversation.0)
        .bind(from)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    // Other messages get their places, and nobody has heard of those.
    sqlx::query(
        // Whatever the mark is: who moves it at this moment is waited for.
        "UPDATE group_sleep SET evicted_seq = least(evicted_seq, $2)
         WHERE manager_agent_id = $1 AND manager_type = 'voice_sleeptime'",
    )
    .bind(conversation.0)
    .bind(from)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// Deletes what was said in a group, except summaries.
pub(super) async fn delete_group(conn: &mut PgConnection, conversation: ConversationId, group: &str) -> Result<()> {
    sqlx::query("DELETE FROM messages WHERE conversation_id = $1 AND group_id = $2 AND content->>'kind' <> 'summary'")
        .bind(conversation.0)
        .bind(group)
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(())
}

/// Gives a message its new content and token count.
pub(super) async fn rewrite(conn: &mut PgConnection, conversation: ConversationId, message: &Message) -> Result<()> {
    sqlx::query(
        "UPDATE messages SET content = $3::json, search = $4, tokens = $5 WHERE id = $1 AND conversation_id = $2",
    )
    .bind(message.id.0)
    .bind(conversation.0)
    .bind(content_text(&message.content)?)
    .bind(search_text(message))
    .bind(message.tokens)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
