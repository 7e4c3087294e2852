//! What hangs on agents, read for many of them at once.

use std::collections::HashMap;

use engram_domain::{AgentId, Block, ConversationId, EnvVar, Group, Message, MessageId, Tool};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    Result, ScopedStore,
    error::db,
    rows::{BlockRow, EnvRow, MessageRow, ToolRow, block_columns, message_columns, tool_columns},
};

/// Which relations are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Memory blocks.
    pub blocks: bool,
    /// Tools.
    pub tools: bool,
    /// The group that it manages.
    pub group: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { blocks: true, tools: true, group: true }
    }
}

/// What hangs on one agent.
#[derive(Debug, Clone, Default)]
pub struct Relations {
    /// Its blocks, in the order of the prompt.
    pub blocks: Vec<Block>,
    /// Its tools, in the order they were attached.
    pub tools: Vec<Tool>,
    /// The group that it manages; of several the one that works in the background, else the newest.
    pub group: Option<Group>,
    /// Ids of the messages in the context of its default conversation, oldest first.
    pub message_ids: Vec<MessageId>,
    /// The last message of its default conversation where that is one with the role `approval`.
    pub approval: Option<Message>,
}

#[derive(FromRow)]
struct Owned<T> {
    owner: Uuid,
    #[sqlx(flatten)]
    row: T,
}

impl ScopedStore {
    /// The relations of these agents, one query a relation. Agents without any are in the map too.
    pub async fn relations(&self, agents: &[AgentId], wanted: Wanted) -> Result<HashMap<AgentId, Relations>> {
        let ids: Vec<Uuid> = agents.iter().map(|a| a.0).collect();
        let mut out: HashMap<AgentId, Relations> = agents.iter().map(|a| (*a, Relations::default())).collect();
        if wanted.blocks {
            let rows = sqlx::query_as::<_, Owned<BlockRow>>(concat!(
                "SELECT ab.agent_id AS owner, ",
                block_columns!(),
                " FROM agent_blocks ab JOIN blocks b ON b.id = ab.block_id WHERE ab.agent_id = ANY($1) \
                 AND b.organization_id = coalesce($2, b.organization_id) ORDER BY ab.agent_id, ab.position, b.id"
            ))
            .bind(&ids)
            .bind(self.org())
            .fetch_all(&self.store.queries)
            .await
            .map_err(db)?;
            for Owned { owner, row } in rows {
                out.entry(owner.into()).or_default().blocks.push(row.try_into()?);
            }
        }
        if wanted.tools {
            let rows = sqlx::query_as::<_, Owned<ToolRow>>(concat!(
                "SELECT at.agent_id AS owner, ",
                tool_columns!(),
                " FROM agent_tools at JOIN tools t ON t.id = at.tool_id WHERE at.agent_id = ANY($1) \
                 AND t.organization_id = coalesce($2, t.organization_id) ORDER BY at.agent_id, at.position, t.id"
            ))
            .bind(&ids)
            .bind(self.org())
            .fetch_all(&self.store.queries)
            .await
            .map_err(db)?;
            for Owned { owner, row } in rows {
                out.entry(owner.into()).or_default().tools.push(row.try_into()?);
            }
        }
        if wanted.group {
            for (manager, group) in self.managed_groups(&ids).await? {
                out.entry(manager).or_default().group = Some(group);
            }
        }
        self.add_context(&ids, &mut out).await?;
        Ok(out)
    }

    /// Ids of what is in context, and the message that waits for the client.
    async fn add_context(&self, ids: &[Uuid], out: &mut HashMap<AgentId, Relations>) -> Result<()> {
        let conversations: Vec<ConversationId> = ids.iter().map(|id| ConversationId(*id)).collect();
        for (conversation, message_ids) in self.context_message_ids(&conversations).await? {
            out.entry(conversation.0.into()).or_default().message_ids = message_ids;
        }
        let rows = sqlx::query_as::<_, MessageRow>(concat!(
            "SELECT ",
            message_columns!(),
            " FROM conversations c JOIN messages m ON m.conversation_id = c.id AND m.seq = c.next_seq - 1 \
             WHERE c.id = ANY($1) AND m.role = 'approval' AND c.organization_id = coalesce($2, c.organization_id)"
        ))
        .bind(ids)
        .bind(self.org())
        .fetch_all(&self.store.queries)
        .await
        .map_err(db)?;
        for row in rows {
            let message = Message::try_from(row)?;
            let agent = message.agent_id;
            out.entry(agent).or_default().approval = Some(message);
        }
        Ok(())
    }

    /// Requests for approval that wait for the client: in one conversation of an agent, or in all of them.
    pub async fn pending_approvals(&self, agent: AgentId, within: Option<ConversationId>) -> Result<Vec<Message>> {
        let rows: Vec<MessageRow> = sqlx::query_as(concat!(
            "SELECT ",
            message_columns!(),
            " FROM conversations c JOIN messages m ON m.conversation_id = c.id AND m.seq = c.next_seq - 1 \
             WHERE c.agent_id = $1 AND ($2::uuid IS NULL OR c.id = $2) AND m.role = 'approval' \
             AND c.organization_id = coalesce($3, c.organization_id) ORDER BY c.created_at"
        ))
        .bind(agent.0)
        .bind(within.map(|id| id.0))
        .bind(self.org())
        .fetch_all(&self.store.queries)
        .await
        .map_err(db)?;
        let mut requests = rows.into_iter().map(Message::try_from).collect::<Result<Vec<_>>>()?;
        // The client's word has the same role.
        requests.retain(|message| !message.content.calls().is_empty());
        Ok(requests)
    }
}

impl ScopedStore {
    /// Variables of these agents, by key.
    pub(super) async fn env_of(&self, agents: &[AgentId]) -> Result<HashMap<Uuid, Vec<EnvVar>>> {
        let ids: Vec<Uuid> = agents.iter().map(|a| a.0).collect();
        let rows = sqlx::query_as::<_, EnvRow>(
            "SELECT id, agent_id, key, value, description FROM agent_env WHERE agent_id = ANY($1) ORDER BY key",
        )
        .bind(ids)
        .fetch_all(&self.store.queries)
        .await
        .map_err(db)?;
        let mut out: HashMap<Uuid, Vec<EnvVar>> = HashMap::new();
        for row in rows {
            let agent = row.agent_id;
            out.entry(agent).or_default().push(self.variable(row)?);
        }
        Ok(out)
    }
}
