//! scratch
use std::{sync::Arc, time::Instant};
use engram_core::ports::*;
use engram_core::ports::store::*;
use engram_domain::*;
use engram_store::*;
use engram_store::agents::NewAgent;
use uuid::Uuid;
fn now() -> Time { chrono::Utc::now() }
fn msg(a: AgentId, seq: i64, role: Role, t: &str) -> Message { Message { id: MessageId(Uuid::new_v4()), conversation_id: a.default_conversation(), agent_id: a, seq, role, content: Content::text(t), name: None, otid: None, sender_id: None, group_id: None, step_id: None, run_id: None, model: None, tokens: 1, is_err: false, created_at: now() } }
#[tokio::main]
async fn main() {
    let arg = std::env::args().nth(1).unwrap();
    let (store, _e) = if arg.starts_with("post") { (Store::connect(&arg, &PoolSettings::default()).await.unwrap(), None) } else { let (s, e) = engram_store::embedded::Embedded::start(&arg).await.unwrap(); (s, Some(e)) };
    let tasks: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let turns = 300usize;
    let node = NodeId(Uuid::new_v4());
    store.heartbeat(node, "x").await.unwrap();
    let mut js = vec![];
    let t0 = Instant::now();
    for _ in 0..tasks { let store = store.clone(); js.push(tokio::spawn(async move {
        let a = AgentId(Uuid::new_v4());
        let agent = Agent { id: a, name: "n".into(), description: None, agent_type: AgentType::LettaV1Agent, system: "s".into(), llm: LlmConfig::default(), embedding: EmbeddingConfig::default(), model_settings: None, compaction: None, response_format: None, tool_rules: vec![], tags: vec![], metadata: JsonMap::new(), env: vec![], identity_ids: vec![], message_buffer_autoclear: false, enable_sleeptime: None, timezone: "UTC".into(), max_files_open: 1, per_file_view_window_char_limit: 1, hidden: None, project_id: None, template_id: None, base_template_id: None, last_run_completion: None, last_run_duration_ms: None, last_stop_reason: None, created_at: now(), updated_at: now(), rev: 1 };
        let c = a.default_conversation();
        store.create_agent(&NewAgent { agent, blocks: vec![], block_order: vec![], tool_ids: vec![], messages: vec![msg(a, 0, Role::System, "p")], prompt_meta: PromptMeta { compiled_at: now(), recall_count: 0, archival_count: 0, archival_tags: vec![] } }).await.unwrap();
        let fence = store.claim(c, node).await.unwrap().unwrap();
        let mut seq = 1; let (mut ti, mut tc) = (0u128, 0u128);
        for _ in 0..turns {
            let id = RunId(Uuid::new_v4());
            let s = Instant::now();
            store.insert_run(&NewRun { id, agent_id: a, conversation_id: c, input: RunInput::default(), background: false, run_type: "x".into(), metadata: Json::Null, callback_url: None, created_at: now() }).await.unwrap();
            ti += s.elapsed().as_micros();
            let up = |status, stop| RunUpdate { id, status, stop_reason: stop, error: None, attempts: 1, step_count: 1, usage: Usage::default(), ttft_ns: None };
            let s = Instant::now();
            let o = store.commit(fence, &Commit { now: now(), expect_seq: seq, append: vec![Arc::new(msg(a, seq, Role::User, "hello there"))], run: Some(up(RunStatus::Running, None)), ..Commit::default() }).await.unwrap();
            assert!(matches!(o, CommitOutcome::Done{..}));
            seq += 1;
            let step = Step { id: StepId(Uuid::new_v4()), run_id: id, agent_id: a, conversation_id: c, provider_name: "p".into(), model: "m".into(), model_handle: None, model_endpoint: None, context_window: 1, usage: Usage::default(), stop_reason: None, status: StepStatus::Success, error: None, feedback: None, tags: vec![], response: Some(serde_json::json!({"a": "b"})), context_range: (0, 1), llm_ns: 1, tool_ns: None, step_ns: 1, created_at: now() };
            store.commit(fence, &Commit { now: now(), expect_seq: seq, append: vec![Arc::new(msg(a, seq, Role::Assistant, "hello there you"))], run: Some(up(RunStatus::Completed, Some(StopReason::EndTurn))), step: Some(Box::new(step)), ..Commit::default() }).await.unwrap();
            seq += 1;
            tc += s.elapsed().as_micros();
        }
        (ti / turns as u128, tc / turns as u128)
    })); }
    let mut r = vec![]; for j in js { r.push(j.await.unwrap()); }
    let el = t0.elapsed();
    println!("{} turns/s; insert_run us, commits us: {:?}", (tasks * turns) as f64 / el.as_secs_f64(), &r[..r.len().min(4)]);
    if let Some(e) = _e { e.stop(&store).await; }
}
