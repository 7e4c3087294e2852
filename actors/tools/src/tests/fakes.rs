use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use chrono::TimeDelta;
use engram_core::{
    builtin,
    ports::{
        Clock, EmbedError, Embedder, Ids, MessageQuery, PassageQuery, StoreError, ToolContext, ToolOutcome, ToolRunner,
        ToolStore, tools::Told,
    },
};
use engram_domain::{
    Agent, AgentId, Archive, ArchiveId, Content, ConversationId, EmbeddingConfig, Json, Message, Passage, PassageId,
    Role, RunId, Time, Tool, ToolId, ToolKind,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{BuiltinRunner, Runners};

pub fn now() -> Time {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// Hands out what it was given and remembers what it was asked.
#[derive(Default)]
pub struct World {
    pub archives: Vec<Archive>,
    pub passages: Vec<(Passage, f32)>,
    pub messages: Vec<Message>,
    pub broken: bool,
    pub others: Vec<AgentId>,
    pub told: Option<Told>,
    pub passage_queries: Mutex<Vec<(Vec<ArchiveId>, PassageQuery)>>,
    pub message_queries: Mutex<Vec<MessageQuery>>,
    pub embedded_with: Mutex<Vec<String>>,
    pub ids: AtomicU64,
}

#[async_trait]
impl ToolStore for World {
    async fn has_agent(&self, _: AgentId, agent: AgentId) -> Result<bool, StoreError> {
        Ok(self.others.contains(&agent))
    }

    async fn agents_by_tags(&self, _: AgentId, _: &[String], _: &[String], _: i64) -> Result<Vec<AgentId>, StoreError> {
        Ok(self.others.clone())
    }

    async fn told(&self, _: RunId) -> Result<Option<Told>, StoreError> {
        Ok(self.told.clone())
    }

    async fn supervised_by(&self, _: AgentId) -> Result<Vec<AgentId>, StoreError> {
        Ok(self.others.clone())
    }

    async fn archives(&self, _: AgentId) -> Result<Vec<Archive>, StoreError> {
        if self.broken {
            Err(StoreError::Unavailable("10.0.0.1:5432 refused".into()))
        } else {
            Ok(self.archives.clone())
        }
    }

    async fn search_passages(
        &self,
        archives: &[ArchiveId],
        query: &PassageQuery,
    ) -> Result<Vec<(Passage, f32)>, StoreError> {
        self.passage_queries.lock().unwrap().push((archives.to_vec(), query.clone()));
        Ok(self.passages.iter().filter(|(p, _)| archives.contains(&p.archive_id)).cloned().collect())
    }

    async fn search_messages(
        &self,
        _: AgentId,
        _: Option<ConversationId>,
        query: &MessageQuery,
    ) -> Result<Vec<Message>, StoreError> {
        self.message_queries.lock().unwrap().push(query.clone());
        Ok(self.messages.clone())
    }
}

#[async_trait]
impl Embedder for World {
    async fn embed(&self, config: &EmbeddingConfig, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.embedded_with.lock().unwrap().push(config.handle());
        match config.embedding_model.as_str() {
            "hangs" => std::future::pending().await,
            "" => Err(EmbedError::UnknownModel(config.handle())),
            _ => Ok(texts.iter().map(|_| vec![1.0, 0.0]).collect()),
        }
    }
}

impl Clock for World {
    fn now(&self) -> Time {
        now()
    }

    fn monotonic_ns(&self) -> i64 {
        0
    }
}

impl Ids for World {
    fn uuid(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.ids.fetch_add(1, Ordering::Relaxed)) + 1)
    }
}

pub fn model(name: &str) -> EmbeddingConfig {
    EmbeddingConfig { embedding_model: name.into(), embedding_dim: 2, ..EmbeddingConfig::default() }
}

pub fn archive(id: u128, embedding: &str) -> Archive {
    Archive {
        id: ArchiveId(Uuid::from_u128(id)),
        embedding: model(embedding),
        created_at: now(),
        updated_at: now(),
        ..engram_testkit::archive("a")
    }
}

pub fn passage(id: u128, archive: u128, text: &str) -> Passage {
    Passage {
        id: PassageId(Uuid::from_u128(id)),
        tags: vec!["t".into()],
        created_at: now(),
        updated_at: now(),
        ..engram_testkit::passage(ArchiveId(Uuid::from_u128(archive)), text)
    }
}

pub fn message(role: Role, content: Content, age: TimeDelta) -> Message {
    Message { seq: 1, created_at: now() - age, ..engram_testkit::message(role, content) }
}

/// A tool that does not come with the server.
pub fn tool(name: &str, kind: ToolKind) -> Arc<Tool> {
    Arc::new(Tool { kind, created_at: now(), updated_at: now(), ..engram_testkit::tool(name) })
}

/// A tool of the catalogue.
pub fn builtin_tool(name: &str) -> Arc<Tool> {
    Arc::new(builtin::find(name).unwrap().to_tool(ToolId(Uuid::nil()), now()))
}

pub fn context(embedding: &str) -> ToolContext {
    let agent = Agent {
        embedding: model(embedding),
        timezone: "Europe/Berlin".into(),
        created_at: now(),
        updated_at: now(),
        ..engram_testkit::agent(AgentId(Uuid::from_u128(7)))
    };
    ToolContext {
        conversation_id: agent.id.default_conversation(),
        agent: Arc::new(agent),
        run_id: Some(RunId(Uuid::from_u128(9))),
        call_id: "call-1".into(),
        chain: vec![],
        hops: 0,
        env: BTreeMap::new(),
        blocks: vec![],
    }
}

pub fn builtin_runner(world: &Arc<World>) -> BuiltinRunner {
    BuiltinRunner::new(world.clone(), world.clone(), world.clone(), world.clone())
}

pub fn runners(world: &Arc<World>) -> Runners {
    Runners::new(builtin_runner(world))
}

/// Runs a built-in tool for an agent whose embedding model is `agent-model`.
pub async fn run(world: &Arc<World>, name: &str, args: Json) -> ToolOutcome {
    run_on(&runners(world), context("agent-model"), name, args).await
}

/// Runs a built-in tool as the step function would: its arguments are prepared first.
pub async fn run_on(runners: &Runners, context: ToolContext, name: &str, args: Json) -> ToolOutcome {
    let Json::Object(mut args) = args else { panic!("arguments are an object") };
    let tool = builtin_tool(name);
    match builtin::prepare(&tool, &mut args) {
        Ok(()) => runners.run(context, tool, args, CancellationToken::new()).await,
        Err(text) => ToolOutcome::error(text),
    }
}
