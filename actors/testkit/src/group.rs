//! Groups.

use engram_domain::{AgentId, Group, GroupId, ManagerConfig, Time};
use uuid::Uuid;

/// A group that shares no block and has counted nothing yet.
pub fn group(manager: ManagerConfig, agent_ids: impl Into<Vec<AgentId>>) -> Group {
    Group {
        id: GroupId(Uuid::nil()),
        description: String::new(),
        turns_counter: manager.first_turns_counter(),
        manager,
        agent_ids: agent_ids.into(),
        shared_block_ids: vec![],
        last_processed_message_id: None,
        project_id: None,
        template_id: None,
        base_template_id: None,
        hidden: None,
        created_at: Time::UNIX_EPOCH,
        updated_at: Time::UNIX_EPOCH,
    }
}
