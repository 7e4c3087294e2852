//! Reading messages. They are written by the fenced commit alone.

use std::collections::{HashMap, HashSet};

use engram_core::ports::Runs;
use engram_domain::{AgentId, ConversationId, GroupId, Message, MessageId, Role, RunId, StepId, Time};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::{
    Page, Result, ScopedStore, Store, StoreError,
    error::db,
    group_runs,
    rows::{MessageRow, message_columns},
    weight::{self, Weight},
};

/// Which messages of a conversation are wanted.
#[derive(Debug, Clone, Default)]
pub struct MessageFilter {
    /// Only those sent in this group.
    pub group_id: Option<String>,
    /// Only those of this run.
    pub run_id: Option<RunId>,
    /// Only those of this step.
    pub step_id: Option<StepId>,
    /// Only these places, `[from, to)`.
    pub seq: Option<(i64, i64)>,
    /// Leave out messages that report a failure.
    pub without_errors: bool,
}

/// Why a page of messages could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MessagePageError {
    /// The cursor is no message of this list.
    #[error("there is no message {0} in this list")]
    UnknownCursor(MessageId),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A conversation, and places in it: `[first, end)`.
type Place = (ConversationId, i64, i64);

impl ScopedStore {
    /// A message.
    pub async fn message(&self, id: MessageId) -> Result<Option<Message>> {
        sqlx::query_as::<_, MessageRow>(concat!(
            "SELECT ",
            message_columns!(),
            " FROM messages m JOIN conversations c ON c.id = m.conversation_id
              WHERE m.id = $1 AND c.organization_id = coalesce($2, c.organization_id)"
        ))
        .bind(id.0)
        .bind(self.org())
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?
        .map(Message::try_from)
        .transpose()
    }

    /// A page of a conversation. Unlike in other lists the cursors are chronological: `after` is
    /// newer, `before` is older; `page.ascending` says which end the page is taken from, and the
    /// result is in ascending order either way.
    pub async fn messages(
        &self,
        conversation: ConversationId,
        filter: &MessageFilter,
        page: Page,
    ) -> std::result::Result<Vec<Message>, MessagePageError> {
        let mut q = weight::MESSAGE
            .open(page, concat!("SELECT ", message_columns!(), " FROM messages m WHERE m.conversation_id = "));
        q.push("(SELECT c.id FROM conversations c WHERE c.id = ").push_bind(conversation.0);
        self.push_scope(&mut q, "c.organization_id");
        q.push(")");
        for (cursor, comparison) in [(page.after, " AND m.seq > "), (page.before, " AND m.seq < ")] {
            if let Some(id) = cursor {
                q.push(comparison).push_bind(self.seq_of(conversation, MessageId(id)).await?);
            }
        }
        push_filter(&mut q, filter);
        q.push(if page.ascending { " ORDER BY m.seq LIMIT " } else { " ORDER BY m.seq DESC LIMIT " });
        q.push_bind(page.limit);
        Weight::close(page, &mut q);
        let mut messages = self.store.read(q).await?;
        if !page.ascending {
            messages.reverse();
        }
        Ok(messages)
    }

    async fn seq_of(&self, conversation: ConversationId, id: MessageId) -> std::result::Result<i64, MessagePageError> {
        sqlx::query_scalar(
            "SELECT m.seq FROM messages m JOIN conversations c ON c.id = m.conversation_id
             WHERE m.id = $1 AND c.id = $2 AND c.organization_id = coalesce($3, c.organization_id)",
        )
        .bind(id.0)
        .bind(conversation.0)
        .bind(self.org())
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?
        .ok_or(MessagePageError::UnknownCursor(id))
    }

    /// Messages of a run. Empty for one that has none yet; none when there is no such run.
    pub async fn run_messages(
        &self,
        id: RunId,
        page: Page,
    ) -> std::result::Result<Option<Vec<Message>>, MessagePageError> {
        let Some(place) = self
            .place(
                "SELECT r.conversation_id, r.first_seq, r.end_seq FROM runs r
                  WHERE r.id = $1 AND r.organization_id = coalesce($2, r.organization_id)",
                id.0,
            )
            .await?
        else {
            return Ok(None);
        };
        let Some((conversation, first, end)) = place else {
            return group_runs::page(self.store.messages_of(id).await?, page).map(Some);
        };
        let filter = MessageFilter { run_id: Some(id), seq: Some((first, end)), ..MessageFilter::default() };
        self.messages(conversation, &filter, page).await.map(Some)
    }

    /// Messages of a step; none when there is no such step.
    pub async fn step_messages(
        &self,
        id: StepId,
        page: Page,
    ) -> std::result::Result<Option<Vec<Message>>, MessagePageError> {
        let sql = "SELECT r.conversation_id, r.first_seq, r.end_seq FROM steps s JOIN runs r ON r.id = s.run_id
                   WHERE s.id = $1 AND r.organization_id = coalesce($2, r.organization_id)";
        let Some((conversation, first, end)) = self.place(sql, id.0).await?.flatten() else { return Ok(None) };
        let filter = MessageFilter { step_id: Some(id), seq: Some((first, end)), ..MessageFilter::default() };
        self.messages(conversation, &filter, page).await.map(Some)
    }

    /// Where in which conversation the messages of a run lie. The inner option is none for a run of a group.
    async fn place(&self, sql: &'static str, id: Uuid) -> Result<Option<Option<Place>>> {
        let row: Option<(Option<Uuid>, Option<i64>, Option<i64>)> =
            sqlx::query_as(sql).bind(id).bind(self.org()).fetch_optional(&self.store.queries).await.map_err(db)?;
        Ok(row.map(|(conversation, first, end)| {
            Some((ConversationId(conversation?), first.unwrap_or_default(), end.unwrap_or_default()))
        }))
    }

    /// A page of what was said in a group, in whosever conversation, by time: chronological cursors and order as in
    /// [`ScopedStore::messages`](crate::ScopedStore::messages). What agents wrote has their names.
    pub async fn group_messages(
        &self,
        group: GroupId,
        with_errors: bool,
        page: Page,
    ) -> std::result::Result<Vec<Message>, MessagePageError> {
        let mut q =
            weight::MESSAGE.open(page, concat!("SELECT ", message_columns!(), " FROM messages m WHERE m.group_id = "));
        q.push_bind(group.to_string());
        self.push_message_scope(&mut q);
        for (cursor, comparison) in [(page.after, ">"), (page.before, "<")] {
            let Some(id) = cursor else { continue };
            let place: Option<(Time, i64)> =
                sqlx::query_as("SELECT created_at, seq FROM messages WHERE id = $1 AND group_id = $2")
                    .bind(id)
                    .bind(group.to_string())
                    .fetch_optional(&self.store.queries)
                    .await
                    .map_err(db)?;
            let (at, seq) = place.ok_or(MessagePageError::UnknownCursor(MessageId(id)))?;
            q.push(format_args!(" AND (m.created_at, m.seq, m.id) {comparison} ("));
            q.push_bind(at).push(", ").push_bind(seq).push(", ").push_bind(id).push(")");
        }
        if !with_errors {
            q.push(" AND NOT m.is_err");
        }
        let order = if page.ascending { "ASC" } else { "DESC" };
        q.push(format_args!(" ORDER BY m.created_at {order}, m.seq {order}, m.id {order} LIMIT "))
            .push_bind(page.limit);
        Weight::close(page, &mut q);
        let mut messages = self.store.read(q).await?;
        self.name_speakers(&mut messages).await?;
        if !page.ascending {
            messages.reverse();
        }
        Ok(messages)
    }

    async fn name_speakers(&self, messages: &mut [Message]) -> Result<()> {
        let unnamed = |m: &Message| m.name.is_none() && matches!(m.role, Role::Assistant | Role::Approval);
        let ids: HashSet<Uuid> = messages.iter().filter(|m| unnamed(m)).map(|m| m.agent_id.0).collect();
        let names: Vec<(Uuid, String)> = sqlx::query_as("SELECT id, name FROM agents WHERE id = ANY($1)")
            .bind(ids.into_iter().collect::<Vec<_>>())
            .fetch_all(&self.store.queries)
            .await
            .map_err(db)?;
        let names: HashMap<Uuid, String> = names.into_iter().collect();
        for message in messages.iter_mut().filter(|m| unnamed(m)) {
            message.name = names.get(&message.agent_id.0).cloned();
        }
        Ok(())
    }

    /// Conversations in which something was said in a group.
    pub async fn conversations_of_group(&self, group: GroupId) -> Result<Vec<ConversationId>> {
        let mut q = QueryBuilder::new("SELECT DISTINCT m.conversation_id FROM messages m WHERE m.group_id = ");
        q.push_bind(group.to_string());
        self.push_message_scope(&mut q);
        let ids: Vec<Uuid> = q.build_query_scalar().fetch_all(&self.store.queries).await.map_err(db)?;
        Ok(ids.into_iter().map(ConversationId).collect())
    }

    /// Messages of all conversations, or of those of one agent, by time. Cursors that no message
    /// has are ignored. For looking around; it has no index of its own.
    pub async fn all_messages(&self, agent: Option<AgentId>, page: Page) -> Result<Vec<Message>> {
        const KEY: crate::keyset::Key = crate::keyset::Key { from: "messages m", column: "m.created_at", id: "m.id" };
        let mut q = weight::MESSAGE.open(page, concat!("SELECT ", message_columns!(), " FROM messages m WHERE true"));
        push_agent(&mut q, agent);
        self.push_message_scope(&mut q);
        self.push_page(&mut q, KEY, page).await?;
        Weight::close(page, &mut q);
        self.store.find(q).await
    }
}

impl Store {
    pub(crate) async fn read(&self, mut q: QueryBuilder<Postgres>) -> Result<Vec<Message>> {
        q.build_query_as::<MessageRow>()
            .fetch_all(&self.queries)
            .await
            .map_err(db)?
            .into_iter()
            .map(Message::try_from)
            .collect()
    }
}

impl Store {
    /// As [`Store::read`], for a query whose cost grows with what is stored.
    pub(crate) async fn find(&self, mut q: QueryBuilder<Postgres>) -> Result<Vec<Message>> {
        let mut search = self.search().await?;
        let rows = q.build_query_as::<MessageRow>().fetch_all(search.get()).await;
        search.done(rows)?.into_iter().map(Message::try_from).collect()
    }
}

/// Through the conversations, because messages have no index by agent.
pub(crate) fn push_agent(q: &mut QueryBuilder<Postgres>, agent: Option<AgentId>) {
    if let Some(agent) = agent {
        q.push(" AND m.conversation_id IN (SELECT id FROM conversations WHERE agent_id = ")
            .push_bind(agent.0)
            .push(")");
    }
}

fn push_filter(q: &mut QueryBuilder<Postgres>, filter: &MessageFilter) {
    if let Some(group) = &filter.group_id {
        q.push(" AND m.group_id = ").push_bind(group.clone());
    }
    if let Some(run) = filter.run_id {
        q.push(" AND m.run_id = ").push_bind(run.0);
    }
    if let Some(step) = filter.step_id {
        q.push(" AND m.step_id = ").push_bind(step.0);
    }
    if let Some((from, to)) = filter.seq {
        q.push(" AND m.seq >= ").push_bind(from).push(" AND m.seq < ").push_bind(to);
    }
    if filter.without_errors {
        q.push(" AND NOT m.is_err");
    }
}
