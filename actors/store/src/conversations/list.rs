//! Lists of conversations.

use engram_domain::{AgentId, Conversation};
use sqlx::QueryBuilder;

use crate::{
    Page, Result, ScopedStore,
    error::db,
    keyset::{Key, push_contains},
    rows::{ConversationRow, conversation_columns},
};

/// Which conversations are wanted. An agent's default conversation never is.
#[derive(Debug, Clone, Default)]
pub struct ConversationFilter {
    /// Of this agent.
    pub agent_id: Option<AgentId>,
    /// With these words in the summary.
    pub summary_search: Option<String>,
}

/// What a list is sorted by. Where the time is absent, that of the creation counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConversationSort {
    /// When it was created.
    #[default]
    CreatedAt,
    /// When its last run ended.
    LastRunCompletion,
    /// When a message was last added.
    LastMessageAt,
}

impl ConversationSort {
    fn key(self) -> Key {
        let column = match self {
            Self::CreatedAt => "c.created_at",
            Self::LastRunCompletion => "coalesce(c.last_run_completion, c.created_at)",
            Self::LastMessageAt => "coalesce(c.last_message_at, c.created_at)",
        };
        Key { from: "conversations c", column, id: "c.id" }
    }
}

impl ScopedStore {
    /// A page of conversations.
    pub async fn conversations(
        &self,
        filter: &ConversationFilter,
        sort: ConversationSort,
        page: Page,
    ) -> Result<Vec<Conversation>> {
        let mut q = QueryBuilder::new(concat!(
            "SELECT ",
            conversation_columns!(),
            " FROM conversations c WHERE c.id <> c.agent_id"
        ));
        if let Some(agent) = filter.agent_id {
            q.push(" AND c.agent_id = ").push_bind(agent.0);
        }
        self.push_scope(&mut q, "c.organization_id");
        push_contains(&mut q, "c.summary", filter.summary_search.as_deref());
        self.push_page(&mut q, sort.key(), page).await?;
        q.build_query_as::<ConversationRow>()
            .fetch_all(&self.store.queries)
            .await
            .map_err(db)?
            .into_iter()
            .map(Conversation::try_from)
            .collect()
    }
}
