//! Finding messages by their words.

use engram_domain::{AgentId, ConversationId, Message, Role, Time};

use crate::{
    PAGE_BYTES, Page, Result, ScopedStore,
    keyset::push_contains,
    messages::push_agent,
    rows::message_columns,
    weight::{self, Weight},
};

/// What is searched for.
#[derive(Debug, Clone, Default)]
pub struct MessageSearch {
    /// Words that the message contains as they stand, whatever their case; all messages when absent.
    pub text: Option<String>,
    /// In the conversations of this agent.
    pub agent_id: Option<AgentId>,
    /// In this conversation.
    pub conversation_id: Option<ConversationId>,
    /// By one of these speakers; compiled prompts are never found.
    pub roles: Vec<Role>,
    /// Made at this time or later.
    pub start: Option<Time>,
    /// Made at this time or earlier.
    pub end: Option<Time>,
    /// Only messages that have left the context.
    pub out_of_context: bool,
    /// Messages at most.
    pub limit: i64,
    /// Matches to pass over.
    pub offset: i64,
}

impl ScopedStore {
    /// Messages that match, newest first. Fewer than the limit when they are large: [`PAGE_BYTES`].
    pub async fn search_messages(&self, search: &MessageSearch) -> Result<Vec<Message>> {
        let page = Page { most_bytes: Some(PAGE_BYTES), ..Page::newest(search.limit) };
        let mut q = weight::MESSAGE.open(page, concat!("SELECT ", message_columns!(), " FROM messages m"));
        if search.out_of_context {
            q.push(" JOIN conversations c ON c.id = m.conversation_id AND m.seq < c.context_from");
        }
        q.push(" WHERE m.seq > 0");
        push_agent(&mut q, search.agent_id);
        self.push_message_scope(&mut q);
        if let Some(conversation) = search.conversation_id {
            q.push(" AND m.conversation_id = ").push_bind(conversation.0);
        }
        if !search.roles.is_empty() {
            let roles: Vec<&str> = search.roles.iter().map(|r| r.as_str()).collect();
            q.push(" AND m.role = ANY(").push_bind(roles).push(")");
        }
        if let Some(start) = search.start {
            q.push(" AND m.created_at >= ").push_bind(start);
        }
        if let Some(end) = search.end {
            q.push(" AND m.created_at <= ").push_bind(end);
        }
        push_contains(&mut q, "m.search", search.text.as_deref());
        q.push(" ORDER BY m.created_at DESC, m.seq DESC LIMIT ").push_bind(search.limit);
        q.push(" OFFSET ").push_bind(search.offset);
        Weight::close(page, &mut q);
        self.store.find(q).await
    }
}
