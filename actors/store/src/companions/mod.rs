//! Companions: agents that work what was said to another agent into its memory. Here a run for each companion of a group is
//! stored, with what it is told; when, is said by the file of each kind.

mod sleep_time;
mod voice;

use engram_core::ports::{Ids, NewRun, store::Begun};
use engram_domain::{
    AgentId, GroupId, MessageId, NodeId, RequestKey, RunId, RunInput, RunType, Scope, Time,
    run::{BusyPolicy, InputMessage},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, accept, error::db};

/// What the companions of a group are told.
struct Task {
    group: GroupId,
    /// Whose companions they are.
    main: AgentId,
    text: String,
    /// The last message that the text speaks of.
    last: Option<MessageId>,
    /// What names this task among those of the group: a companion is told it once.
    name: String,
}

/// Stores the runs, in the caller's transaction.
async fn tell(
    conn: &mut PgConnection,
    companions: &[Uuid],
    task: &Task,
    now: Time,
    ids: &dyn Ids,
) -> Result<Vec<Begun>> {
    let mut begun = Vec::new();
    for companion in companions {
        let run = run(AgentId(*companion), task, now, ids);
        let row = accept::insert(&run, NodeId(Uuid::nil()), false, &mut *conn).await.map_err(db)?;
        // None when the companion was deleted in this very moment.
        if row.is_some_and(|row| row.stored) {
            begun.push((AgentId(*companion).default_conversation(), run.id));
        }
    }
    Ok(begun)
}

fn run(to: AgentId, task: &Task, now: Time, ids: &dyn Ids) -> NewRun {
    let message = InputMessage { sender_id: Some(task.main.to_string()), ..InputMessage::user(task.text.clone()) };
    NewRun {
        id: RunId(ids.uuid()),
        agent_id: Some(to),
        owner: to.default_conversation().into(),
        parent: None,
        input: RunInput { messages: vec![message], ..RunInput::default() },
        background: false,
        run_type: RunType::SleepTime,
        metadata: serde_json::json!({
            "group_id": task.group,
            "primary_agent_id": task.main,
            "last_processed_message_id": task.last,
        }),
        callback_url: None,
        keys: vec![RequestKey::sleep_task(task.group, &task.name)],
        busy_policy: Some(BusyPolicy::Queue),
        max_queue: i64::MAX,
        created_at: now,
        scope: Scope::System,
    }
}
