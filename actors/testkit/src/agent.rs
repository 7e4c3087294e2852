//! Agents and tools.

use engram_domain::{
    Agent, AgentId, AgentType, BusyPolicy, EmbeddingConfig, Json, JsonMap, LlmConfig, Time, Tool, ToolEffect, ToolId,
    ToolKind,
};
use uuid::Uuid;

/// An agent of the 1.x clients' type, with the scripted model and no tool rules.
pub fn agent(id: AgentId) -> Agent {
    Agent {
        id,
        name: "Ada".into(),
        description: None,
        agent_type: AgentType::LettaV1Agent,
        system: "Be kind.".into(),
        llm: LlmConfig { model: "scripted".into(), ..LlmConfig::default() },
        embedding: EmbeddingConfig::default(),
        model_settings: None,
        compaction: None,
        response_format: None,
        tool_rules: vec![],
        tags: vec![],
        metadata: JsonMap::new(),
        env: vec![],
        identity_ids: vec![],
        message_buffer_autoclear: false,
        enable_sleeptime: None,
        timezone: "UTC".into(),
        busy_policy: BusyPolicy::Queue,
        max_files_open: 5,
        per_file_view_window_char_limit: 15_000,
        hidden: None,
        project_id: None,
        template_id: None,
        base_template_id: None,
        last_run_completion: None,
        last_run_duration_ms: None,
        last_stop_reason: None,
        created_at: Time::UNIX_EPOCH,
        updated_at: Time::UNIX_EPOCH,
        rev: 1,
    }
}

/// A user's own tool without source and schema, whose effect is outside the database.
pub fn tool(name: &str) -> Tool {
    Tool {
        id: ToolId(Uuid::nil()),
        name: name.into(),
        kind: ToolKind::Custom,
        effect: ToolEffect::Once,
        description: None,
        source_type: None,
        source_code: None,
        json_schema: Json::Null,
        args_json_schema: None,
        tags: vec![],
        return_char_limit: 50_000,
        pip_requirements: None,
        npm_requirements: None,
        default_requires_approval: None,
        enable_parallel_execution: false,
        metadata: JsonMap::new(),
        created_at: Time::UNIX_EPOCH,
        updated_at: Time::UNIX_EPOCH,
    }
}
