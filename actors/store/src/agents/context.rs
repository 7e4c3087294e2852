//! What an agent has in context, and how the oldest of it leaves together with other changes of the agent.
//!
//! This is the one change of a conversation that its actor does not make, because it belongs to a transaction that is
//! not the actor's. The transaction takes the conversation from the actor, as a cancel takes it from a silent node: it
//! makes the epoch grow, so what that actor would still commit is refused, and the next one loads what is there now.

use std::sync::Arc;

use engram_core::ports::store::ContextMark;
use engram_domain::{AgentId, Conversation, Message, Scope, Time};
use sqlx::PgConnection;

use crate::{Result, ScopedStore, StoreError, error::db, load, scoped::org};

/// What was in context of an agent's own conversation at one moment.
#[derive(Debug, Clone)]
pub struct Context {
    /// Grows with every commit to the conversation.
    pub version: i64,
    /// The conversation.
    pub conversation: Conversation,
    /// The system message, the summary if there is one, the rest by `seq`.
    pub messages: Vec<Arc<Message>>,
}

/// Where the context of an agent's own conversation begins from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextCut {
    /// [`Context::version`] that this was decided on.
    pub version: i64,
    /// Where it begins.
    pub mark: ContextMark,
}

impl ScopedStore {
    /// What an agent has in context. None when there is no such agent.
    ///
    /// # Errors
    /// Those of the database, and a row that cannot be read.
    pub async fn context(&self, id: AgentId) -> Result<Option<Context>> {
        let mut conn = self.store.queries.acquire().await.map_err(db)?;
        // Read first: should there be a commit while the rest is read, nothing is decided on what was read.
        let version: Option<i64> = sqlx::query_scalar(
            "SELECT version FROM conversations WHERE id = $1 AND organization_id = coalesce($2, organization_id)",
        )
        .bind(id.0)
        .bind(self.org())
        .fetch_optional(&mut *conn)
        .await
        .map_err(db)?;
        let Some(version) = version else { return Ok(None) };
        let Some(row) = load::conversation(&mut conn, id.default_conversation()).await? else { return Ok(None) };
        let conversation = Conversation::try_from(row)?;
        let messages = load::context(&mut conn, &conversation).await?;
        Ok(Some(Context { version, conversation, messages }))
    }
}

/// Has messages leave the context. [`StoreError::Conflict`] when the context is another one by now, or about to be,
/// because a run is open. Nothing happens where there is no such agent. The conversation is locked afterwards.
pub(super) async fn cut(conn: &mut PgConnection, scope: Scope, id: AgentId, cut: &ContextCut, now: Time) -> Result<()> {
    let version: Option<i64> = sqlx::query_scalar(
        "SELECT version FROM conversations WHERE id = $1 AND organization_id = coalesce($2, organization_id)
         FOR NO KEY UPDATE",
    )
    .bind(id.0)
    .bind(org(scope))
    .fetch_optional(&mut *conn)
    .await
    .map_err(db)?;
    let Some(version) = version else { return Ok(()) };
    // A run that is accepted after this begins on the new context, whichever actor it is sent to.
    let busy: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM runs WHERE conversation_id = $1 AND status IN ('created', 'running'))",
    )
    .bind(id.0)
    .fetch_one(&mut *conn)
    .await
    .map_err(db)?;
    if busy {
        return Err(StoreError::Conflict("the agent is busy: its context can be cut when its runs are over".into()));
    }
    if version != cut.version {
        return Err(StoreError::Conflict("the messages in context have changed meanwhile: read them again".into()));
    }
    sqlx::query(
        "UPDATE conversations SET owner = NULL, epoch = epoch + 1, version = version + 1,
                context_from = $2, summary_message_id = $3, updated_at = $4
         WHERE id = $1",
    )
    .bind(id.0)
    .bind(cut.mark.context_from)
    .bind(cut.mark.summary_message_id.map(|message| message.0))
    .bind(now)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
