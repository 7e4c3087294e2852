//! Groups on the wire. Both generations have the same members; the later ones are a few more, and `idle_minutes` and
//! `schedule` of a sleep-time group are ours ([`triggers`]).

mod query;
mod triggers;

use engram_domain::{
    AgentId, BlockId, Group, GroupId, Json, ManagerConfig, ManagerType, MessageId, Time,
    group::{DEFAULT_MAX_BUFFER, DEFAULT_MIN_BUFFER},
};
use serde::{Deserialize, Serialize};
use serde_json::{Number, json};
use utoipa::ToSchema;

pub use self::query::GroupQuery;
use super::{
    patch::{Patch, present},
    schedules::{WhenDto, WhenOut},
};
use crate::http::error::ApiError;

/// A group of agents.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Group)]
pub struct GroupDto {
    /// Its id.
    #[schema(value_type = String)]
    pub id: GroupId,
    /// `round_robin`, `supervisor`, `dynamic`, `sleeptime` or `voice_sleeptime`.
    pub manager_type: &'static str,
    /// Its members in their order.
    #[schema(value_type = Vec<String>)]
    pub agent_ids: Vec<AgentId>,
    /// What it is for.
    pub description: String,
    /// Project id as the caller gave it.
    pub project_id: Option<String>,
    /// Template id as the caller gave it.
    pub template_id: Option<String>,
    /// Base template id as the caller gave it.
    pub base_template_id: Option<String>,
    /// Always null.
    pub deployment_id: Option<String>,
    /// Blocks that all its agents have.
    #[schema(value_type = Vec<String>)]
    pub shared_block_ids: Vec<BlockId>,
    /// The agent that leads it.
    #[schema(value_type = Option<String>)]
    pub manager_agent_id: Option<AgentId>,
    /// What ends a dynamic conversation.
    pub termination_token: Option<String>,
    /// Turns at most.
    pub max_turns: Option<i32>,
    /// The members work after every so many turns of the manager.
    pub sleeptime_agent_frequency: Option<i32>,
    /// Turns of the manager that were counted, from -1.
    pub turns_counter: Option<i64>,
    /// The last message that the members have worked on.
    #[schema(value_type = Option<String>)]
    pub last_processed_message_id: Option<MessageId>,
    /// Messages in a voice agent's context at most.
    pub max_message_buffer_length: Option<i32>,
    /// Messages that stay in it.
    pub min_message_buffer_length: Option<i32>,
    /// Left out of lists when true.
    pub hidden: Option<bool>,
    /// `sleeptime_agent_frequency` as the documentation spells it.
    pub sleep_time_agent_frequency: Option<i32>,
    /// The members work when the manager has been idle for so many minutes. Absent where they do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub idle_minutes: Option<Number>,
    /// The members work at these times. Absent where they do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<WhenOut>,
}

impl From<Group> for GroupDto {
    fn from(g: Group) -> Self {
        let mut out = Self {
            id: g.id,
            manager_type: g.manager.manager_type().as_str(),
            agent_ids: g.agent_ids,
            description: g.description,
            project_id: g.project_id,
            template_id: g.template_id,
            base_template_id: g.base_template_id,
            deployment_id: None,
            shared_block_ids: g.shared_block_ids,
            manager_agent_id: g.manager.manager_agent_id(),
            termination_token: None,
            max_turns: None,
            sleeptime_agent_frequency: None,
            turns_counter: g.turns_counter,
            last_processed_message_id: g.last_processed_message_id,
            max_message_buffer_length: None,
            min_message_buffer_length: None,
            hidden: g.hidden,
            sleep_time_agent_frequency: None,
            idle_minutes: None,
            schedule: None,
        };
        match g.manager {
            ManagerConfig::Supervisor { .. } => {}
            ManagerConfig::RoundRobin { max_turns } => out.max_turns = max_turns,
            ManagerConfig::Dynamic { termination_token, max_turns, .. } => {
                out.termination_token = termination_token;
                out.max_turns = max_turns;
            }
            ManagerConfig::Sleeptime { frequency, also, .. } => {
                out.sleeptime_agent_frequency = frequency;
                out.sleep_time_agent_frequency = frequency;
                out.idle_minutes = also.idle_ms.map(triggers::minutes);
                out.schedule = also.when.map(WhenOut::from);
            }
            ManagerConfig::VoiceSleeptime { max_message_buffer_length, min_message_buffer_length, .. } => {
                out.max_message_buffer_length = max_message_buffer_length;
                out.min_message_buffer_length = min_message_buffer_length;
            }
        }
        out
    }
}

/// A group to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = GroupCreate)]
pub struct CreateGroup {
    /// Its members in their order, each once.
    #[schema(value_type = Vec<String>)]
    pub agent_ids: Vec<AgentId>,
    /// What it is for.
    pub description: String,
    /// How it is led; a round robin when absent.
    pub manager_config: Option<ManagerConfigDto>,
    /// Blocks that all its agents get.
    #[schema(value_type = Option<Vec<String>>)]
    pub shared_block_ids: Option<Vec<BlockId>>,
    /// Project id.
    pub project_id: Option<String>,
    /// Left out of lists when true.
    pub hidden: Option<bool>,
}

/// Changes of a group; absent members stay as they are.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = GroupUpdate)]
pub struct UpdateGroup {
    /// New members in their order, each once.
    #[schema(value_type = Option<Vec<String>>)]
    pub agent_ids: Option<Vec<AgentId>>,
    /// New description.
    pub description: Option<String>,
    /// New settings. The type cannot change.
    pub manager_config: Option<ManagerConfigDto>,
    /// All shared blocks: agents get the new ones and lose those that are gone.
    #[schema(value_type = Option<Vec<String>>)]
    pub shared_block_ids: Option<Vec<BlockId>>,
    /// New project id.
    pub project_id: Option<String>,
    /// Whether it is left out of lists.
    pub hidden: Option<bool>,
}

/// How a group is led: the type, and the settings that go with it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = ManagerConfig)]
pub struct ManagerConfigDto {
    /// `round_robin`, `supervisor`, `dynamic`, `sleeptime` or `voice_sleeptime`.
    pub manager_type: Option<String>,
    /// The agent that leads; every type but `round_robin` needs one.
    #[schema(value_type = Option<String>)]
    pub manager_agent_id: Option<AgentId>,
    /// `dynamic`: what ends the conversation; `DONE!` when absent, nothing when null.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub termination_token: Patch<String>,
    /// `round_robin`, `dynamic`: turns at most.
    pub max_turns: Option<i32>,
    /// `sleeptime`: the members work after every so many turns; after each one when this, `idle_minutes` and `schedule`
    /// are absent.
    pub sleeptime_agent_frequency: Option<i32>,
    /// The same as the documentation spells it.
    pub sleep_time_agent_frequency: Option<i32>,
    /// `sleeptime`: the members work when the manager has been idle for so many minutes, which may be a fraction. Null
    /// takes that back.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<f64>)]
    pub idle_minutes: Patch<Number>,
    /// `sleeptime`: the members work at these times (`recurring` or `interval`). Null takes that back.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<WhenDto>)]
    pub schedule: Patch<WhenDto>,
    /// `voice_sleeptime`: messages in context at most; 30 when absent.
    pub max_message_buffer_length: Option<i32>,
    /// `voice_sleeptime`: messages that stay in context; 15 when absent.
    pub min_message_buffer_length: Option<i32>,
}

fn wrong(member: &str, expected: &str, input: Json) -> ApiError {
    ApiError::invalid(&["body", "manager_config", member], expected, input)
}

fn at_least_one(member: &str, number: Option<i32>) -> Result<Option<i32>, ApiError> {
    match number {
        Some(n) if n < 1 => Err(wrong(member, "expected an integer of at least 1", json!(n))),
        other => Ok(other),
    }
}

impl ManagerConfigDto {
    /// The settings of a new group. `now` is when its clock begins.
    pub fn create(self, now: Time) -> Result<ManagerConfig, ApiError> {
        let manager_type = match self.manager_type()? {
            Some(manager_type) => manager_type,
            None if self.manager_agent_id.is_none() => ManagerType::RoundRobin,
            None => return Err(wrong("manager_type", "Field required", Json::Null)),
        };
        let config = ManagerConfig::with_defaults(manager_type, self.manager_agent_id)
            .ok_or_else(|| wrong("manager_agent_id", "Field required", Json::Null))?;
        self.checked(config, now)
    }

    /// These settings with the changes. Without a type, that of the group is meant. `now` is when a new clock begins.
    pub fn update(self, config: ManagerConfig, now: Time) -> Result<ManagerConfig, ApiError> {
        let own = config.manager_type();
        if self.manager_type()?.is_some_and(|t| t != own) {
            let expected = format!("expected `{}`: how a group is led cannot change", own.as_str());
            return Err(wrong("manager_type", &expected, json!(self.manager_type)));
        }
        self.checked(config, now)
    }

    fn manager_type(&self) -> Result<Option<ManagerType>, ApiError> {
        let Some(text) = self.manager_type.as_deref() else { return Ok(None) };
        ManagerType::parse(text).map(Some).ok_or_else(|| {
            let names = ManagerType::ALL.map(|t| format!("`{}`", t.as_str())).join(", ");
            wrong("manager_type", &format!("expected one of {names}"), json!(text))
        })
    }

    /// `config` with the members that are there. Those of other types are ignored.
    fn checked(&self, mut config: ManagerConfig, now: Time) -> Result<ManagerConfig, ApiError> {
        if let Some(agent) = self.manager_agent_id {
            config.set_manager_agent_id(agent);
        }
        match &mut config {
            ManagerConfig::Supervisor { .. } => {}
            ManagerConfig::RoundRobin { max_turns } => {
                *max_turns = at_least_one("max_turns", self.max_turns)?.or(*max_turns);
            }
            ManagerConfig::Dynamic { termination_token, max_turns, .. } => {
                *max_turns = at_least_one("max_turns", self.max_turns)?.or(*max_turns);
                if let Some(token) = &self.termination_token {
                    if token.as_deref().is_some_and(|t| t.trim().is_empty()) {
                        return Err(wrong("termination_token", "expected a text that is not empty", json!(token)));
                    }
                    termination_token.clone_from(token);
                }
            }
            ManagerConfig::Sleeptime { frequency, also, .. } => {
                triggers::change(also, self.idle_minutes.as_ref(), self.schedule.as_ref(), now)?;
                let own = at_least_one("sleeptime_agent_frequency", self.sleeptime_agent_frequency)?;
                let documented = at_least_one("sleep_time_agent_frequency", self.sleep_time_agent_frequency)?;
                *frequency = own.or(documented).or(*frequency);
            }
            ManagerConfig::VoiceSleeptime {
                max_message_buffer_length: max, min_message_buffer_length: min, ..
            } => {
                *max = at_least_one("max_message_buffer_length", self.max_message_buffer_length)?.or(*max);
                *min = at_least_one("min_message_buffer_length", self.min_message_buffer_length)?.or(*min);
                if max.unwrap_or(DEFAULT_MAX_BUFFER) <= min.unwrap_or(DEFAULT_MIN_BUFFER) {
                    let expected = "expected more than `min_message_buffer_length`";
                    return Err(wrong("max_message_buffer_length", expected, json!(max)));
                }
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use engram_domain::group::SleepTriggers;

    use super::*;

    const LEAD: &str = "agent-123e4567-e89b-42d3-8456-426614174000";

    fn read(config: Json) -> ManagerConfigDto {
        serde_json::from_value(config).expect("the outer shape is right")
    }

    fn refusal(result: Result<ManagerConfig, ApiError>) -> String {
        let error = result.expect_err("it is wrong");
        let problem = &error.body()["detail"][0];
        format!("{} {}", problem["loc"], problem["msg"])
    }

    #[test]
    fn what_the_document_shows_is_read() {
        let lead: AgentId = LEAD.parse().expect("an id");
        let create = |config| read(config).create(Time::UNIX_EPOCH).expect("valid");
        assert_eq!(create(json!({})), ManagerConfig::RoundRobin { max_turns: None });
        assert_eq!(
            create(json!({"manager_type": "dynamic", "manager_agent_id": LEAD, "max_turns": 4})),
            ManagerConfig::Dynamic {
                manager_agent_id: lead,
                termination_token: Some("DONE!".into()),
                max_turns: Some(4)
            }
        );
        let silent = json!({"manager_type": "dynamic", "manager_agent_id": LEAD, "termination_token": null});
        assert!(matches!(create(silent), ManagerConfig::Dynamic { termination_token: None, .. }));
        let documented = json!({"manager_type": "sleeptime", "manager_agent_id": LEAD, "sleeptime_agent_frequency": null,
                   "sleep_time_agent_frequency": 2});
        let config = create(documented);
        assert_eq!(
            config,
            ManagerConfig::Sleeptime { manager_agent_id: lead, frequency: Some(2), also: SleepTriggers::default() }
        );
        let update = read(json!({"sleep_time_agent_frequency": 7})).update(config, Time::UNIX_EPOCH).expect("valid");
        assert_eq!(
            update,
            ManagerConfig::Sleeptime { manager_agent_id: lead, frequency: Some(7), also: SleepTriggers::default() }
        );
        assert_eq!(
            read(json!({"manager_type": "sleeptime"})).update(update.clone(), Time::UNIX_EPOCH).expect("valid"),
            update
        );
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let create = |config| refusal(read(config).create(Time::UNIX_EPOCH));
        insta::assert_snapshot!(create(json!({"manager_type": "swarm"})), @r#"["body","manager_config","manager_type"] "expected one of `round_robin`, `supervisor`, `dynamic`, `sleeptime`, `voice_sleeptime`""#);
        insta::assert_snapshot!(create(json!({"manager_type": "supervisor"})), @r#"["body","manager_config","manager_agent_id"] "Field required""#);
        insta::assert_snapshot!(create(json!({"manager_agent_id": LEAD})), @r#"["body","manager_config","manager_type"] "Field required""#);
        insta::assert_snapshot!(create(json!({"max_turns": 0})), @r#"["body","manager_config","max_turns"] "expected an integer of at least 1""#);
        let voice =
            json!({"manager_type": "voice_sleeptime", "manager_agent_id": LEAD, "max_message_buffer_length": 15});
        insta::assert_snapshot!(create(voice), @r#"["body","manager_config","max_message_buffer_length"] "expected more than `min_message_buffer_length`""#);
        let other = read(json!({"manager_type": "dynamic"}))
            .update(ManagerConfig::RoundRobin { max_turns: None }, Time::UNIX_EPOCH);
        insta::assert_snapshot!(refusal(other), @r#"["body","manager_config","manager_type"] "expected `round_robin`: how a group is led cannot change""#);
    }
}
