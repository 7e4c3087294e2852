//! The request to the model.

use std::sync::Arc;

use engram_domain::{Content, Message, Part, Role, message::Reasoning};
use serde_json::json;

use super::{Env, State};
use crate::{
    chain::Chain,
    compact, package,
    ports::llm::{ChatMessage, ChatRequest, Purpose, ToolChoice, ToolSchema},
    prompt,
    rules::{self, Allowed},
};

/// The argument that carries the thoughts of a model that cannot think by itself.
pub(super) const THINKING: &str = "thinking";
/// What older models and programs call it.
pub(super) const INNER_THOUGHTS: &str = "inner_thoughts";
/// The argument that asks for another step.
pub(super) const HEARTBEAT: &str = "request_heartbeat";

impl State {
    /// The request for the current step, from what is in context now.
    pub fn request(&mut self, env: &Env<'_>) -> ChatRequest {
        self.ensure_prompt(false, env);
        let config = self.config();
        let (tools, tool_choice) = self.tools_now();
        let limit = compact::limit(&config);
        let cap = self.oversize_cap(limit);
        let messages = self.messages(cap);
        // What is shown cut fits.
        let tokens = self.context_tokens().min(if cap.is_some() { limit } else { usize::MAX });
        let input = self.turn.as_ref().map(|t| t.input.clone());
        ChatRequest {
            response_format: self.snapshot.agent.response_format.clone().or_else(|| config.response_format.clone()),
            stream: input.is_some_and(|i| i.stream_tokens),
            config,
            purpose: Purpose::AgentStep,
            messages,
            tokens,
            tools,
            tool_choice,
        }
    }

    /// Which tools the rules allow now.
    pub(super) fn allowed(&self) -> Allowed {
        let called = self.turn.as_ref().map_or(&[][..], |t| t.called.as_slice());
        rules::allowed(&self.rules(), self.snapshot.tools.keys().map(String::as_str), called)
    }

    fn tools_now(&mut self) -> (Arc<[Arc<ToolSchema>]>, ToolChoice) {
        let allowed = self.allowed();
        let all = self.schemas().0.clone();
        let mut tools = if allowed.constrained {
            all.iter().filter(|t| allowed.tools.contains(&t.name)).cloned().collect()
        } else {
            all
        };
        let client_tools = self.turn.as_ref().map_or(&[][..], |t| t.input.client_tools.as_slice());
        if !client_tools.is_empty() {
            let of_client = client_tools.iter().map(|t| {
                Arc::new(ToolSchema {
                    name: t.name.clone(),
                    description: t.description.clone().unwrap_or_default(),
                    parameters: t.parameters.clone().unwrap_or_else(|| json!({"type": "object", "properties": {}})),
                })
            });
            tools = tools.iter().cloned().chain(of_client).collect();
        }
        let forced = allowed.forced || self.snapshot.agent.agent_type.has_heartbeats();
        let choice = match &*tools {
            [only] if forced => ToolChoice::Named(only.name.clone()),
            [_, ..] if forced => ToolChoice::Required,
            _ => ToolChoice::Auto,
        };
        (tools, choice)
    }

    /// All attached tools as the model is shown them, and their tokens.
    pub(super) fn schemas(&mut self) -> &(Arc<[Arc<ToolSchema>]>, usize) {
        self.toolbox.schemas(&self.snapshot.agent)
    }

    fn messages(&mut self, cap: Option<usize>) -> Chain<ChatMessage> {
        let override_system = self.turn.as_ref().and_then(|t| t.input.override_system.as_deref());
        let system = ChatMessage::System(match (override_system, &self.prompt_meta) {
            (Some(system), Some(meta)) => prompt::compile_with(system, &self.snapshot, self.conversation.id, meta),
            _ => self.system.content.plain_text(),
        });
        let agent = &self.snapshot.agent;
        let view = View { zone: &agent.timezone, packed: agent.agent_type.has_heartbeats() };
        let summary = self.summary.as_ref();
        match cap {
            None => self.window.show(summary, view).headed(system),
            Some(cap) => self.window.show_cut(summary, view, cap).headed(system),
        }
    }

    /// Tokens that one message may have in the request. Only when nothing more can leave the
    /// context and it still is too large, long texts are shown cut; what is stored stays whole.
    fn oversize_cap(&self, limit: usize) -> Option<usize> {
        let fixed =
            self.toolbox.tokens() + compact::size(&self.system) + self.summary.as_ref().map_or(0, |m| compact::size(m));
        if fixed + self.window.tokens() <= limit {
            return None;
        }
        let room = limit.saturating_sub(fixed);
        let mut sizes: Vec<usize> = self.window.iter().map(|m| compact::size(m)).collect();
        sizes.sort_unstable();
        // The largest cap under which all messages together fit.
        let mut small = 0;
        for (i, size) in sizes.iter().enumerate() {
            let cap = room.saturating_sub(small) / (sizes.len() - i);
            if *size > cap {
                return Some(cap.saturating_sub(40));
            }
            small += size;
        }
        None
    }
}

/// How messages are shown to the model of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View<'a> {
    /// The agent's time zone.
    pub(super) zone: &'a str,
    /// Whether somebody's words come in a package, as agents that speak through a tool have always had them.
    pub(super) packed: bool,
}

impl View<'_> {
    /// Somebody's words with the time at which they came: the model has no other clock. It is a part of the message, so what
    /// was shown once stays the same to the byte.
    fn words(self, mut parts: Vec<Part>, message: &Message) -> Vec<Part> {
        let text = engram_domain::message::parts_text(&parts);
        if package::is_hidden(&text) {
            return parts;
        }
        // What we ourselves tell an agent in the background is long, and no package makes it more readable.
        if !self.packed || text.starts_with("<system-reminder>") {
            parts.push(Part::text(package::sent(message.created_at, self.zone)));
            return parts;
        }
        let packed = package::user_message(&text, message.name.as_deref(), message.created_at, self.zone);
        let images = parts.into_iter().filter(|part| matches!(part, Part::Image { .. }));
        [Part::text(packed)].into_iter().chain(images).collect()
    }
}

/// A stored message as the model is shown it.
pub(super) fn show(message: &Message, view: View<'_>, cap: Option<usize>) -> Option<ChatMessage> {
    let zone = view.zone;
    let fit = |text: &str| match cap {
        Some(cap) if compact::size(message) > cap => compact::clip_tokens(text, cap),
        _ => text.to_owned(),
    };
    Some(match &message.content {
        Content::Parts { parts } if message.role == Role::System => {
            ChatMessage::System(fit(&engram_domain::message::parts_text(parts)))
        }
        Content::Parts { parts } => {
            let parts = parts.iter().map(|p| match p {
                Part::Text { text } => Part::text(fit(text)),
                Part::Image { .. } => p.clone(),
            });
            ChatMessage::User { parts: view.words(parts.collect(), message), name: message.name.clone() }
        }
        Content::Assistant { reasoning, text, calls } => {
            // Thoughts that came beside a call go back where they came from: beside the call. Only
            // a reasoning model's own thoughts are sent as such.
            let (native, beside): (Vec<_>, Vec<_>) =
                reasoning.iter().cloned().partition(|r| !matches!(r, Reasoning::Text { native: false, .. }));
            let beside = beside.into_iter().find_map(|r| match r {
                Reasoning::Text { text, .. } => Some(text),
                Reasoning::Redacted { .. } | Reasoning::Vendor { .. } => None,
            });
            ChatMessage::Assistant {
                reasoning: native,
                text: text.as_deref().or(beside.as_deref()).map(fit),
                calls: calls.clone(),
            }
        }
        Content::ToolReturn(r) => {
            let mut shown = r.clone();
            shown.text = fit(&r.text);
            ChatMessage::Tool {
                call_id: r.tool_call_id.clone(),
                name: r.name.clone(),
                text: package::tool_return(&shown, message.created_at, zone),
            }
        }
        Content::Decisions { .. } => return None,
        Content::Summary { text, .. } => ChatMessage::User {
            parts: vec![Part::text(package::summary(&fit(text), message.created_at, zone))],
            name: None,
        },
    })
}
