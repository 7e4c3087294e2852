//! Commands: what an actor does between two runs.

use std::sync::Arc;

use engram_domain::{CompactionSettings, Content, Message, MessageId};
use serde::{Deserialize, Serialize};

use super::{Effect, Env, State, open_calls, shrink};
use crate::{compact, initial_messages, ports::store::ContextMark, prompt, tokens};

/// What became of a command.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandOutcome {
    /// Done.
    Done,
    /// The compiled prompt.
    Prompt(String),
    /// The context was compacted, or nothing had to leave.
    Compacted {
        /// What stands for the messages that left.
        summary: Option<String>,
        /// Messages in context before.
        before: usize,
        /// Messages in context after.
        after: usize,
    },
    /// The message as it is now.
    Message(Arc<Message>),
}

fn answer(mut effects: Vec<Effect>, outcome: CommandOutcome) -> Vec<Effect> {
    effects.push(Effect::Answer(Some(Box::new(outcome))));
    effects
}

/// There is no such message in context, or no request that waits.
fn not_found() -> Vec<Effect> {
    vec![Effect::Answer(None)]
}

impl State {
    /// Forgets the conversation: every message but the system message goes, for good.
    pub fn reset(&mut self, add_default_initial_messages: bool, env: &Env<'_>) -> Vec<Effect> {
        let initial = if add_default_initial_messages { None } else { Some(&[][..]) };
        let (messages, meta) =
            initial_messages::compose(&self.snapshot, self.conversation.id, initial, env.now, env.ids);
        let mut messages = messages.into_iter();
        let Some(mut system) = messages.next() else { return answer(vec![], CommandOutcome::Done) };
        system.id = self.system.id;
        system.created_at = self.system.created_at;
        self.system = Arc::new(system);
        self.summary = None;
        let first: Vec<Arc<Message>> = messages.map(Arc::new).collect();
        self.window = first.iter().cloned().collect();
        self.prompt_meta = Some(meta);
        self.prompt_dirty = true;
        self.compiled_rev = Some(self.snapshot.agent.rev);
        self.conversation.summary_message_id = None;
        self.conversation.context_from = 1;
        let believed = self.conversation.next_seq;
        self.conversation.next_seq = 1 + self.window.len() as i64;
        let mut commit = self.commit(first, env);
        commit.expect_seq = believed;
        commit.delete_from = Some(1);
        commit.context = Some(ContextMark { summary_message_id: None, context_from: 1 });
        answer(vec![Effect::Commit(Box::new(commit))], CommandOutcome::Done)
    }

    /// Forgets what was said in a group. Summaries stay: they tell of more than that.
    pub fn forget(&mut self, group: &str, env: &Env<'_>) -> Vec<Effect> {
        self.window = self.window.iter().filter(|m| m.group_id.as_deref() != Some(group)).cloned().collect();
        let mut commit = self.commit(Vec::new(), env);
        commit.delete_group = Some(group.to_owned());
        answer(vec![Effect::Commit(Box::new(commit))], CommandOutcome::Done)
    }

    /// Compiles the prompt again, or says what it would be.
    pub fn recompile(&mut self, dry_run: bool, env: &Env<'_>) -> Vec<Effect> {
        if dry_run {
            let text = match &self.prompt_meta {
                Some(meta) => prompt::compile(&self.snapshot, self.conversation.id, meta),
                None => self.system.content.plain_text(),
            };
            return answer(vec![], CommandOutcome::Prompt(text));
        }
        self.ensure_prompt(true, env);
        let text = self.system.content.plain_text();
        let commit = self.commit(Vec::new(), env);
        answer(vec![Effect::Commit(Box::new(commit))], CommandOutcome::Prompt(text))
    }

    /// Denies what waits for the client's approval if it is what is meant, and gives its calls their results, in one
    /// commit.
    pub fn deny_pending(&mut self, is_meant: impl Fn(&Message) -> bool, env: &Env<'_>) -> Vec<Effect> {
        let Some(request) = self.pending_approval().filter(|request| is_meant(request)).cloned() else {
            return not_found();
        };
        let messages = open_calls::deny(self, &request, "The request was cancelled.", env);
        let commit = self.commit(messages, env);
        answer(vec![Effect::Commit(Box::new(commit))], CommandOutcome::Message(request))
    }

    /// Takes messages out of the context.
    pub fn compact(&mut self, settings: Option<CompactionSettings>, keep_last: Option<usize>) -> Vec<Effect> {
        let settings = settings.or_else(|| self.snapshot.agent.compaction.clone());
        let messages = self.window.to_vec();
        let cut = if let Some(keep) = keep_last {
            compact::cut_keeping(&messages, keep)
        } else {
            let share = settings.as_ref().map_or(0.3, |s| s.sliding_window_percentage).clamp(0.05, 1.0);
            let all = settings.as_ref().is_some_and(|s| s.mode.ends_with("all"));
            let target = if all { 0.0 } else { self.window.tokens() as f64 * (1.0 - share) };
            compact::cut(&messages, target as usize)
        };
        let before = self.context_len();
        let Some(cut) = cut.filter(|_| self.pending_approval().is_none()) else {
            return answer(vec![], CommandOutcome::Compacted { summary: None, before, after: before });
        };
        let (shrinking, request) = shrink::plan(self, cut, settings);
        let attempt = shrinking.attempt;
        self.maintenance = Some(shrinking);
        vec![Effect::Summarize { attempt, request: Box::new(request) }]
    }

    /// Changes what a message in context says.
    pub fn edit(&mut self, id: MessageId, content: Content, env: &Env<'_>) -> Vec<Effect> {
        let Some(message) = self.window.find(id) else { return not_found() };
        let mut edited = (**message).clone();
        edited.tokens = tokens::message(&content);
        edited.content = content;
        let edited = Arc::new(edited);
        self.window.replace(&edited);
        let mut commit = self.commit(Vec::new(), env);
        commit.rewrite.push(edited.clone());
        answer(vec![Effect::Commit(Box::new(commit))], CommandOutcome::Message(edited))
    }
}
