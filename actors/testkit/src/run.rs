//! Runs, and schedules that begin them.

use engram_domain::{
    AgentId, Json, NewRun, Run, RunId, RunInput, RunType, Schedule, ScheduleId, Scope, Time, run::InputMessage,
    schedule::When,
};
use uuid::Uuid;

/// One message of a user.
pub fn input(text: &str) -> RunInput {
    RunInput { messages: vec![InputMessage::user(text)], ..RunInput::default() }
}

/// A request to an agent's default conversation: waited for, without a key, with room in the queue.
pub fn new_run(agent: AgentId, input: RunInput) -> NewRun {
    NewRun {
        id: RunId(Uuid::nil()),
        agent_id: Some(agent),
        owner: agent.default_conversation().into(),
        parent: None,
        input,
        background: false,
        run_type: RunType::SendMessage,
        metadata: Json::Null,
        callback_url: None,
        keys: vec![],
        busy_policy: None,
        max_queue: 100,
        created_at: Time::UNIX_EPOCH,
        scope: Scope::System,
    }
}

/// As [`new_run`], accepted.
pub fn run(agent: AgentId, input: RunInput) -> Run {
    new_run(agent, input).into_run(false)
}

/// A schedule that says nothing, is never due, and has begun no run.
pub fn schedule(agent: AgentId, when: When) -> Schedule {
    Schedule {
        id: ScheduleId(Uuid::nil()),
        agent_id: agent,
        input: RunInput::default(),
        callback_url: None,
        when,
        next_at: None,
        last_at: None,
        last_run_id: None,
        last_run_status: None,
        runs: 0,
        created_at: Time::UNIX_EPOCH,
    }
}
