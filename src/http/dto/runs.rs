//! Runs on the wire: the superset of both generations.

use engram_core::ports::NewRun;
use engram_domain::{AgentId, Json, JsonMap, Message, Run, RunType, StopReason, Time, Usage};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    messages::{LettaResponse, UsageDto, letta::timestamp},
    owned::OwnedBy,
};
use crate::http::caller::Caller;

/// A run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunDto {
    /// Its id.
    pub id: String,
    /// `created`, `running`, `completed`, `failed` or `cancelled`.
    pub status: &'static str,
    /// Why it ended.
    pub stop_reason: Option<&'static str>,
    /// When it was acknowledged.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
    /// When it ended; without a zone, as it always was (UTC).
    pub completed_at: Option<String>,
    /// The agent it was sent to; of a group's run the group's manager, else its first member. `null` for a group without
    /// agents.
    #[schema(required)]
    pub agent_id: Option<String>,
    /// The conversation, unless it is the agent's own history.
    pub conversation_id: Option<String>,
    /// Whether the caller did not wait for it.
    pub background: bool,
    /// What the caller sent, which route it was, the group of a group's run (`group_id`), what went wrong (`error`) and, of
    /// a run that ended, its answer (`result`).
    #[schema(value_type = Object)]
    pub metadata: JsonMap,
    /// How the caller wants messages shown.
    #[schema(value_type = Object)]
    pub request_config: Json,
    /// `run`.
    pub job_type: &'static str,
    /// Where its end is reported.
    pub callback_url: Option<String>,
    /// When it was reported.
    pub callback_sent_at: Option<String>,
    /// What the receiver answered.
    pub callback_status_code: Option<i32>,
    /// Why it could not be reported.
    pub callback_error: Option<String>,
    /// From the request to the first token, in nanoseconds.
    pub ttft_ns: Option<i64>,
    /// From the request to the end, in nanoseconds.
    pub total_duration_ns: Option<i64>,
    /// Always `null`.
    pub base_template_id: Option<String>,
    /// Who sent it.
    pub user_id: Option<String>,
    /// Who sent it.
    pub created_by_id: Option<String>,
    /// Who sent it.
    pub last_updated_by_id: Option<String>,
}

/// `completed_at` has no zone.
fn without_zone(at: Time) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

impl RunDto {
    /// Of a run that was just acknowledged.
    pub fn created(run: &NewRun, by: OwnedBy) -> Self {
        Self::new(&run.clone().into_run(false), by)
    }
    /// A run of these owners.
    pub fn new(run: &Run, by: OwnedBy) -> Self {
        let user = by.user();
        let mut metadata = run_metadata(&run.metadata, &run.run_type, run.agent_id);
        if let Some(error) = &run.error {
            metadata.insert("error".into(), Json::from(error.as_str()));
        }
        if let Some(group) = run.owner.group() {
            metadata.insert("group_id".into(), Json::from(group.to_string()));
        }
        let own = run.agent_id.map(AgentId::default_conversation);
        Self {
            id: run.id.to_string(),
            status: run.status.as_str(),
            stop_reason: run.stop_reason.map(StopReason::as_str),
            created_at: timestamp(run.created_at),
            updated_at: timestamp(run.updated_at),
            completed_at: run.completed_at.map(without_zone),
            agent_id: run.agent_id.map(|agent| agent.to_string()),
            conversation_id: run.owner.conversation().filter(|id| own != Some(*id)).map(|id| id.to_string()),
            background: run.background,
            metadata,
            request_config: run.input.request_config.clone(),
            job_type: "run",
            callback_url: run.callback_url.clone(),
            callback_sent_at: None,
            callback_status_code: None,
            callback_error: None,
            ttft_ns: run.ttft_ns,
            total_duration_ns: run.completed_at.and_then(|end| (end - run.created_at).num_nanoseconds()),
            base_template_id: None,
            user_id: user.clone(),
            created_by_id: user.clone(),
            last_updated_by_id: user,
        }
    }

    /// With the answer, where old clients look for it.
    #[must_use]
    pub fn with_result(mut self, run: &Run, messages: &[Message], caller: Caller) -> Self {
        if run.status.is_terminal() {
            let result = serde_json::to_value(LettaResponse::of_run(run, messages, caller)).unwrap_or_default();
            self.metadata.insert("result".into(), result);
        }
        self
    }
}

/// Token usage of a run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunUsageDto {
    /// The counters.
    #[serde(flatten)]
    pub usage: UsageDto,
    /// Of those read.
    pub prompt_tokens_details: PromptDetails,
    /// Of those written.
    pub completion_tokens_details: CompletionDetails,
}

/// Of the tokens read.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "they are the names of the API")]
pub struct PromptDetails {
    /// Served from the provider's cache.
    pub cached_tokens: i64,
    /// Served from the provider's cache.
    pub cache_read_tokens: i64,
    /// Written to the provider's cache.
    pub cache_creation_tokens: i64,
}

/// Of the tokens written.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CompletionDetails {
    /// Spent on reasoning.
    pub reasoning_tokens: i64,
}

impl From<Usage> for PromptDetails {
    fn from(usage: Usage) -> Self {
        Self {
            cached_tokens: usage.cached_input_tokens,
            cache_read_tokens: usage.cached_input_tokens,
            cache_creation_tokens: usage.cache_write_tokens,
        }
    }
}

impl From<&Run> for RunUsageDto {
    fn from(run: &Run) -> Self {
        Self {
            usage: UsageDto::new(run.usage, run.step_count, None),
            prompt_tokens_details: run.usage.into(),
            completion_tokens_details: CompletionDetails { reasoning_tokens: run.usage.reasoning_tokens },
        }
    }
}

/// Times of a run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunMetricsDto {
    /// The run.
    pub id: String,
    /// The organization.
    pub organization_id: String,
    /// Its agent, as in the run.
    #[schema(required)]
    pub agent_id: Option<String>,
    /// Always `null`.
    pub project_id: Option<String>,
    /// When it was acknowledged, in nanoseconds since 1970.
    pub run_start_ns: Option<i64>,
    /// How long it took, in nanoseconds.
    pub run_ns: Option<i64>,
    /// Model calls.
    pub num_steps: i32,
    /// Ids of the tools that were called; `null` when none was.
    pub tools_used: Option<Vec<String>>,
    /// Always `null`.
    pub template_id: Option<String>,
    /// Always `null`.
    pub base_template_id: Option<String>,
}

/// Where to go on.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ResumeRequest {
    /// The last `seq_id` that was seen; everything when absent.
    pub starting_after: Option<i64>,
    /// Whether the stream has signs of life as objects.
    pub include_pings: Option<bool>,
    /// The run, where the path does not say it.
    pub run_id: Option<String>,
    /// The agent, where a conversation does not say it.
    pub agent_id: Option<String>,
}

/// The value of `metadata` as a run shows it: what the caller sent, and which route it was.
fn run_metadata(own: &Json, run_type: &RunType, agent: Option<AgentId>) -> JsonMap {
    let mut metadata = own.as_object().cloned().unwrap_or_default();
    metadata.insert("run_type".into(), json!(run_type));
    metadata.insert("job_type".into(), json!(run_type));
    metadata.insert("agent_id".into(), json!(agent));
    metadata
}

#[cfg(test)]
mod tests {
    use engram_domain::RunInput;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_new_run_serves_both_generations() {
        let run = NewRun {
            background: true,
            run_type: RunType::SendMessageAsync,
            created_at: "2026-11-21T19:39:48.340618Z".parse().expect("a time"),
            ..engram_testkit::new_run(AgentId(Uuid::nil()), RunInput::default())
        };
        insta::assert_json_snapshot!(RunDto::created(&run, OwnedBy::DEFAULT), @r#"
        {
          "id": "run-00000000-0000-0000-0000-000000000000",
          "status": "created",
          "stop_reason": null,
          "created_at": "2026-11-21T19:39:48.340618Z",
          "updated_at": "2026-11-21T19:39:48.340618Z",
          "completed_at": null,
          "agent_id": "agent-00000000-0000-0000-0000-000000000000",
          "conversation_id": null,
          "background": true,
          "metadata": {
            "run_type": "send_message_async",
            "job_type": "send_message_async",
            "agent_id": "agent-00000000-0000-0000-0000-000000000000"
          },
          "request_config": null,
          "job_type": "run",
          "callback_url": null,
          "callback_sent_at": null,
          "callback_status_code": null,
          "callback_error": null,
          "ttft_ns": null,
          "total_duration_ns": null,
          "base_template_id": null,
          "user_id": "user-00000000-0000-4000-8000-000000000000",
          "created_by_id": "user-00000000-0000-4000-8000-000000000000",
          "last_updated_by_id": "user-00000000-0000-4000-8000-000000000000"
        }
        "#);
    }
}
